"""Sessions that have the same events: forks, what they were forked from, and what each of them wrote itself."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final, NamedTuple

from retoma.model.branch import END, Line, shared
from retoma.model.event import Event
from retoma.model.fold import sets_of
from retoma.model.ids import SessionKey
from retoma.model.principal import Principal
from retoma.model.session import Head
from retoma.stores.contract.store import Transaction

_PAGE: Final = 1_000


class Sharing(NamedTuple):
    """Another session that has some of the events, fork or forked, and shares the past up to event `shared`."""

    head: Head
    events: list[Event]
    shared: int


def sharing(tx: Transaction, who: Principal, head: Head, found: Sequence[Event]) -> list[Sharing]:
    """Return the other sessions that have some of these events."""
    line = tx.branches.line(head.key)
    others: dict[SessionKey, list[Event]] = {}
    for source, here in by_source(line, found).items() if line is not None else ():
        readers = [(one.key, one.first, one.last) for one in tx.branches.readers(source, since=here[0].seq)]
        for key, first, last in [(source, 1, END), *readers]:
            others.setdefault(key, []).extend(event for event in here if first <= event.seq <= last)
    others.pop(head.key, None)
    living = []
    for key, events in sorted(others.items()):
        name, its = tx.sessions.name(key), tx.branches.line(key)
        other = tx.sessions.head(who.tenant, name) if name is not None else None
        if other is None or its is None or line is None:
            continue
        kept = [event for event in events if event.seq > other.base]
        if kept:
            living.append(Sharing(other, kept, shared(line, its)))
    return living


def set_since(tx: Transaction, key: SessionKey, names: Set[str], seq: int) -> set[str]:
    """Return which of the keys of a state were set by an event behind `seq`.

    A row names the last event of its write. Where that write has events on both sides of `seq`, these say which it was.
    """
    since: set[str] = set()
    after: str | None = None
    written, until = _rest_of_write(tx, key, seq)
    while page := tx.transfers.state(key, after=after, limit=_PAGE):
        since |= {name for name, _, at in page if name in names and at > (seq if name in written else until)}
        after = page[-1][0]
    return since


def _rest_of_write(tx: Transaction, key: SessionKey, seq: int) -> tuple[set[str], int]:
    """Return which keys the write that event `seq` is of sets behind that event, and the last event of the write."""
    names: set[str] = set()
    first = tx.journal.read(key, after=seq - 1, limit=1) if seq else []
    until = seq
    while first and (page := tx.journal.read(key, after=until, limit=_PAGE)):
        for event in page:
            if event.write != first[0].write:
                return names, until
            names |= sets_of(event).keys()
            until = event.seq
    return names, until


def by_source(line: Line, found: Sequence[Event]) -> dict[SessionKey, list[Event]]:
    """Return the events by the number of the journal that has their rows."""
    rows: dict[SessionKey, list[Event]] = {}
    for event in found:
        rows.setdefault(line.source(event.seq), []).append(event)
    return rows
