"""What a search reads from the journals because its index does not have it yet: the newest, so much and no more."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final, NamedTuple

from retoma.errors import Integrity
from retoma.model.event import Event
from retoma.model.ids import SessionKey, TenantKey
from retoma.service.search.behind import since_when
from retoma.stores.contract.search import Behind, Standing
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
    listed = tx.search.behind(tenant, since=since_when(tx, standing), limit=MOST, newest=True)
    known = {one.key for one in listed}
    behind = [*listed, *(one for one in tx.search.due(tenant, limit=MOST) if one.key not in known)]
    whole = len(listed) < MOST
    events: list[tuple[SessionKey, Event]] = []
    titles: list[SessionKey] = []
    size = 0
    for one in _of(wanted, behind):
        if len(events) >= MOST or size >= _BYTES:
            return Unindexed(events, titles, whole=False)
        if not tx.search.has_title(one.key):
            titles.append(one.key)
        found, ended = _newest(tx, one, MOST - len(events), _BYTES - size)
        whole = whole and ended
        events += ((one.key, event) for event in found)
        size += _size(found)
    return Unindexed(events, titles, whole)


def _of(
    wanted: Callable[[Sequence[SessionKey]], Container[SessionKey]], behind: Sequence[Behind]
) -> Iterator[Behind]:
    for start in range(0, len(behind), _PAGE):
        some = behind[start : start + _PAGE]
        chosen = wanted([one.key for one in some])
        yield from (one for one in some if one.key in chosen)


def _newest(tx: Transaction, one: Behind, limit: int, most_bytes: int) -> tuple[list[Event], bool]:
    """Return the last events that are not indexed, newest first, and whether these are all.

    Of a damaged journal there are none: `check` names it.
    """
    found: list[Event] = []
    before: int | None = None
    size, step = 0, _FIRST
    while len(found) < limit and size < most_bytes:
        step = min(step, limit - len(found))
        try:
            page = tx.journal.tail(one.key, after=one.after, before=before, limit=step)
        except Integrity:
            return [], True
        found += page
        if len(page) < step:
            return found, True
        before = page[-1].seq
        size += _size(page)
        if size * 2 < most_bytes:
            step *= 2
    return found, bool(found) and found[-1].seq == one.after + 1


def _size(events: Sequence[Event]) -> int:
    return sum(len(event.data or b"") for event in events)
