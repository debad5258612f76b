"""One session's journal, proved from its base to its head, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from blake3 import blake3

from retoma.model.branch import END, Line
from retoma.model.chain import as_written, follows, genesis
from retoma.model.event import Event
from retoma.model.ids import SessionKey
from retoma.model.ledger import Ledger
from retoma.service.check.moments import Moment, Moments, thinned
from retoma.stores.contract.store import Transaction
from retoma.stores.sql.legible import UNREADABLE
from retoma.stores.sql.pack import unpack


class Journal:
    """A line as far as it was read, from the moment `start` on. At rows where others fork off, `moments` gets it."""

    def __init__(self, line: Line, start: Moment, moments: Moments) -> None:
        self.seq = start.seq
        self.hash = start.hash
        self.ledger = start.ledger.copy()
        self.legible = True
        self.contents = 0
        self._sound = True
        self._base = start.base
        self._erased_before = start.ledger.erased
        self._line = line
        self._moments = moments
        self._at = sum(piece.last <= start.seq for piece in line.segments[:-1])
        self._points: frozenset[int] | None = None

    @property
    def erased(self) -> int:
        """How many of the events that were read were erased."""
        return self.ledger.erased - self._erased_before

    @property
    def inherited_until(self) -> int:
        """The last event that is another journal's row."""
        return self._line.inherited_until

    def page(self, tx: Transaction, limit: int) -> tuple[list[tuple[int, str]], bool]:
        """Prove the next `limit` events; return what is wrong, and whether the journal ended."""
        first, last, source = self._line.segments[self._at]
        own = self._at == len(self._line.segments) - 1
        if self._points is None:
            self._points = thinned(tx.branches.points(source))
        after = max(self.seq, first - 1)
        rows, wrong = rows_of(tx, source, after, END if own else last + 1, limit)
        ended = len(rows) + len(wrong) < limit
        self.legible &= not wrong
        self._sound &= not wrong
        for row in rows:
            found = [*self._take(tx, row)]
            wrong += found
            # In a past that is damaged each fork looks for itself.
            self._sound &= not found
            if self._sound and self.seq in self._points:
                self._moments.keep(source, self._moment())
        # A damaged tree can lead back, and would be read for ever.
        ended |= self.seq <= after
        if ended and not own:
            self._at, self._points = self._at + 1, None
            return wrong, False
        return wrong, ended

    def _moment(self) -> Moment:
        return Moment(self._base, self.seq, self.hash, self.ledger.copy(), self._line.segments[: self._at])

    def _take(self, tx: Transaction, row: Sequence[Any]) -> Iterator[tuple[int, str]]:
        *fields, content = row
        event = Event(*fields)
        if event.seq <= self.seq:
            self.legible = False
            yield event.seq, "it is out of order"
            return
        if event.seq != self.seq + 1:
            yield event.seq, f"events {self.seq + 1:,} to {event.seq - 1:,} are missing"
            self.hash = b""
        try:
            yield from ((event.seq, said) for said in self._proved(tx, event, content))
        except UNREADABLE:
            self.legible = False
            yield event.seq, "it cannot be read"
        self.seq, self.hash = event.seq, event.hash

    def _proved(self, tx: Transaction, event: Event, content: bytes | None) -> Iterator[str]:
        linked = bool(self.hash) and follows(event, self.hash)
        if self.hash and not linked:
            yield "its hash does not follow from the previous event"
        if content is not None:
            data = content_of(tx, content)
            self.contents += data is not None
            if data is None:
                self.legible = False
                yield "its content, stored as a blob, is missing or damaged"
                return
            event = msgspec.structs.replace(event, data=data)
        if not is_typed(event) or not as_written(event):
            self.legible = False
            yield "its data was changed after it was written"
            return
        self.ledger.take(event)


def content_of(tx: Transaction, content: bytes) -> bytes | None:
    """Return content that is what its hash, its sizes and its codec say; else None."""
    found = tx.audit.content(content)
    if found is None:
        return None
    codec, size, stored, inline = found
    data = unpack(codec, inline) if isinstance(inline, bytes) else None
    whole = data is not None and blake3(data).digest() == content
    return data if whole and data is not None and (len(data), len(inline)) == (size, stored) else None


def begun(tx: Transaction, key: SessionKey, row: Mapping[str, Any], moments: Moments) -> Journal:
    """Begin at the line's base, or at the last row of a fork's past that was proved with another line."""
    base = row["base_seq"]
    line = Line(key, tx.branches.inherited(key), base, row["head_seq"])
    first: bytes = row["base_hash"] or genesis(row["uid"])
    start = Moment((base, first), base, first, Ledger(cut=base > 0))
    return Journal(line, moments.nearest(line, start.base) or start, moments)


def rows_of(
    tx: Transaction, key: SessionKey, after: int, until: int, limit: int
) -> tuple[list[Sequence[Any]], list[tuple[int, str]]]:
    """Return a page of rows. When one of them cannot be decoded they are read one by one, and it is named."""
    try:
        return [*tx.audit.events(key, after=after, until=until, limit=limit)], []
    except ValueError:
        pass
    rows: list[Sequence[Any]] = []
    wrong: list[tuple[int, str]] = []
    for seq in tx.audit.seqs(key, after=after, until=until, limit=limit):
        try:
            rows.extend(tx.audit.events(key, after=seq - 1, until=until, limit=1))
        except ValueError:
            wrong.append((seq, "it cannot be read"))
    return rows, wrong


def is_typed(event: Event) -> bool:
    """Return whether each field is of its kind: SQLite keeps any kind in any column, and a bit can change it."""
    numbers = all(type(one) is int for one in (event.at, event.cause) if one is not None)
    texts = type(event.type) is str and type(event.actor) is str
    parts = (event.operation, event.request, event.salt, event.data)
    return numbers and texts and all(type(one) is bytes for one in parts if one is not None)
