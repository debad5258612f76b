"""What a search reads from the journals because its index does not have it yet: the newest, so much and no more."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final, NamedTuple

from retoma.errors import Integrity
from retoma.model.event import Event
from retoma.model.ids import SessionKey, TenantKey
from retoma.service.behind import since_when
from retoma.stores.api import Transaction
from retoma.stores.api_search import Behind, Standing

__all__ = ["MOST", "Unindexed", "unindexed"]

MOST: Final = 2_000
"""How many events are read."""
_BYTES: Final = 8 << 20
_PAGE: Final = 64


class Unindexed(NamedTuple):
    """Events that are not indexed, and sessions whose title is not. `whole`: there are no more of them."""

    events: list[tuple[SessionKey, Event]]
    titles: list[SessionKey]
    whole: bool


def unindexed(
    tx: Transaction,
    tenant: TenantKey,
    standing: Standing | None,
    *,
    shelf: int,
    wanted: Callable[[Sequence[SessionKey]], Container[SessionKey]],
) -> Unindexed:
    """Return the newest events of `wanted` sessions on a shelf that the index does not have."""
    useless = standing is None or not standing.tokens
    since = 0 if useless else since_when(tx, standing)
    behind = tx.search.behind(tenant, shelf=shelf, since=since, limit=MOST, newest=True, anew=useless)
    whole = len(behind) < MOST
    known = {one.key for one in behind}
    behind += (one for one in tx.search.due(tenant, shelf=shelf, limit=MOST) if one.key not in known)
    events: list[tuple[SessionKey, Event]] = []
    titles: list[SessionKey] = []
    size = 0
    for one in _of(wanted, behind):
        if len(events) >= MOST or size >= _BYTES:
            return Unindexed(events, titles, whole=False)
        if useless or not tx.search.has_title(one.key):
            titles.append(one.key)
        found = _newest(tx, one, MOST - len(events), useless=useless)
        whole = whole and (not found or found[-1].seq == one.after + 1 or len(found) < MOST - len(events))
        events += ((one.key, event) for event in found)
        size += sum(len(event.data or b"") for event in found)
    return Unindexed(events, titles, whole)


def _of(
    wanted: Callable[[Sequence[SessionKey]], Container[SessionKey]], behind: Sequence[Behind]
) -> Iterator[Behind]:
    for start in range(0, len(behind), _PAGE):
        some = behind[start : start + _PAGE]
        chosen = wanted([one.key for one in some])
        yield from (one for one in some if one.key in chosen)


def _newest(tx: Transaction, one: Behind, limit: int, *, useless: bool) -> list[Event]:
    """Return the last events that are not indexed, newest first; of a damaged journal nothing, which `check` names."""
    try:
        after = one.base_seq if useless else one.after
        return tx.journal.tail(one.key, after=after, limit=limit)
    except Integrity:
        return []
