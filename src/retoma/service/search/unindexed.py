"""What a search reads from the journals because its index does not have it yet: the newest, so much and no more."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final, NamedTuple

from retoma.errors import Integrity
from retoma.model.event import Event
from retoma.model.ids import SessionKey, TenantKey
from retoma.service.search.behind import since_when
from retoma.stores.contract.search import SHELVES, Behind, Standing
from retoma.stores.contract.store import Transaction

__all__ = ["MOST", "Unindexed", "unindexed"]

MOST: Final = 2_000
"""How many events are read."""
_BYTES: Final = 8 << 20
_PAGE: Final = 64
_FIRST: Final = 8
"""So many events are read at once at first: they may be large."""


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
    wanted: Callable[[Sequence[SessionKey]], Container[SessionKey]],
) -> Unindexed:
    """Return the newest events that the index does not have, of journals that `wanted` picks.

    A fork may share rows of a session on any shelf, and of one that is gone.
    """
    useless = standing is None or not standing.tokens
    since = 0 if useless else since_when(tx, standing)
    behind, whole = _behind(tx, tenant, since, useless=useless)
    events: list[tuple[SessionKey, Event]] = []
    titles: list[SessionKey] = []
    size = 0
    for one in _of(wanted, behind):
        if len(events) >= MOST or size >= _BYTES:
            return Unindexed(events, titles, whole=False)
        if useless or not tx.search.has_title(one.key):
            titles.append(one.key)
        found, ended = _newest(tx, one, MOST - len(events), _BYTES - size, useless=useless)
        whole = whole and ended
        events += ((one.key, event) for event in found)
        size += _size(found)
    return Unindexed(events, titles, whole)


def _behind(tx: Transaction, tenant: TenantKey, since: int, *, useless: bool) -> tuple[list[Behind], bool]:
    """Return the journals that are behind, newest first, and whether these are all."""
    found: list[Behind] = []
    whole = True
    for shelf in SHELVES:
        some = tx.search.behind(tenant, shelf=shelf, since=since, limit=MOST, newest=True, anew=useless)
        whole = whole and len(some) < MOST
        found += some
    found.sort(key=lambda one: (one.listed_at, one.key), reverse=True)
    known = {one.key for one in found}
    for shelf in SHELVES:
        found += (one for one in tx.search.due(tenant, shelf=shelf, limit=MOST) if one.key not in known)
    return found + tx.search.gone(tenant, limit=MOST, anew=useless), whole


def _of(
    wanted: Callable[[Sequence[SessionKey]], Container[SessionKey]], behind: Sequence[Behind]
) -> Iterator[Behind]:
    for start in range(0, len(behind), _PAGE):
        some = behind[start : start + _PAGE]
        chosen = wanted([one.key for one in some])
        yield from (one for one in some if one.key in chosen)


def _newest(
    tx: Transaction, one: Behind, limit: int, most_bytes: int, *, useless: bool
) -> tuple[list[Event], bool]:
    """Return the last events that are not indexed, newest first, and whether these are all.

    Of a damaged journal there are none: `check` names it.
    """
    after = one.base_seq if useless else one.after
    found: list[Event] = []
    before: int | None = None
    size, step = 0, _FIRST
    while len(found) < limit and size < most_bytes:
        step = min(step, limit - len(found))
        try:
            page = tx.journal.tail(one.key, after=after, before=before, limit=step)
        except Integrity:
            return [], True
        found += page
        if len(page) < step:
            return found, True
        before = page[-1].seq
        size += _size(page)
        if size * 2 < most_bytes:
            step *= 2
    return found, bool(found) and found[-1].seq == after + 1


def _size(events: Sequence[Event]) -> int:
    return sum(len(event.data or b"") for event in events)
