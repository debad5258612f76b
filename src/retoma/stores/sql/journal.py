"""Events in SQL: the chain is linked here, in the transaction that appends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from blake3 import blake3

from retoma.errors import Integrity, Limit
from retoma.model.branch import END
from retoma.model.chain import SALT_BYTES, digest, link
from retoma.model.event import INLINE_BYTES, MESSAGE, Event, NewEvent
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.session import LISTED_EVERY_MS, Head
from retoma.stores.sql.pack import pack, unpack
from retoma.stores.sql.statements import STATEMENTS, Row, Run, in_chunks
from retoma.stores.witness import packed_head

_ADD = STATEMENTS["add_event"]
_MOVE = STATEMENTS["move_head"]
_MOVE_LISTED = STATEMENTS["move_head_listed"]


class Writing(Protocol):
    """The transaction: its instant (ms UTC), and the heads that it moved."""

    now: int
    moved: list[bytes]


class SqlJournal:
    """The journal over `run`, in the transaction `tx`. `random` gives salts."""

    def __init__(self, run: Run, tx: Writing, random: Callable[[int], bytes]) -> None:
        self.moved = tx.moved
        self._run = run
        self._tx = tx
        self._random = random

    def append(
        self,
        tenant: TenantKey,
        head: Head,
        events: Sequence[NewEvent],
        *,
        actor: str,
        operation: bytes,
        request: bytes | None,
    ) -> Head:
        run, at = self._run, self._tx.now
        key, seq, last, messages = head.key, head.seq, head.hash, head.messages
        if seq + len(events) >= END:
            raise Limit(f"Session '{head.id}' is full: its journal has {seq:,} events.", code="journal_full")
        for event in events:
            seq += 1
            kind, data, cause = event.type, event.data, event.cause
            salt = self._random(SALT_BYTES)
            data_digest = digest(salt, data)
            last = link(last, seq, kind, at, actor, cause, operation, request, data_digest)
            blob = None if len(data) <= INLINE_BYTES else self._keep(data)
            run(
                _ADD,
                (
                    key << 32 | seq, kind, at, actor, cause, operation, request, salt,
                    data if blob is None else None, blob, data_digest, last,
                ),
            )  # fmt: skip
            if kind == MESSAGE:
                messages += 1
        self.moved.append(packed_head(key, seq, last))
        listed = head.listed_at
        if 0 <= at - listed < LISTED_EVERY_MS:
            run(_MOVE, (seq, last, messages, at, key))
        else:
            listed = at
            run(_MOVE_LISTED, (seq, last, messages, at, at, key))
            if head.labels:
                run(STATEMENTS["move_tags"], (at, key))
                run(STATEMENTS["move_contexts"], (at, key))
        return Head(
            key,
            head.id,
            head.status,
            head.epoch,
            head.epoch_seq,
            seq,
            last,
            head.fence,
            listed,
            messages,
            head.labels,
            head.shelf,
            head.base,
        )

    def restore(self, key: SessionKey, events: Sequence[Event]) -> None:
        for event in events:
            data = event.data
            blob = None if data is None or len(data) <= INLINE_BYTES else self._keep(data)
            self._run(
                _ADD,
                (
                    key << 32 | event.seq, event.type, event.at, event.actor, event.cause, event.operation,
                    event.request, event.salt, data if blob is None else None, blob, event.digest, event.hash,
                ),
            )  # fmt: skip

    def read(
        self,
        key: SessionKey,
        *,
        after: int = 0,
        limit: int,
        until: int | None = None,
        most_bytes: int | None = None,
    ) -> list[Event]:
        rows = self._up(key, after, until, limit)
        if most_bytes is None:
            return [self._event(row) for row in rows]
        found: list[Event] = []
        for row in rows:
            # Content that is kept apart is read here, one by one: a page of the largest events would be a gigabyte.
            found.append(self._event(row))
            most_bytes -= len(found[-1].data or b"")
            if most_bytes <= 0:
                break
        return found

    def tail(self, key: SessionKey, *, before: int | None = None, after: int = 0, limit: int) -> list[Event]:
        # A damaged number of an event must not lead into another session's rows; no seq is behind END.
        low, after = key << 32, min(max(after, 0), END)
        before = END if before is None else min(before, END)
        rows = self._run(STATEMENTS["events_down"], (low + after, low + before, limit))
        reached = rows[-1][0] if rows else before
        if len(rows) < limit and reached > after + 1:
            # What comes before is not its own; of a session that is no fork there is nothing.
            rows += self._run(STATEMENTS["inherited_down"], (key, after, reached, limit - len(rows)))
        return [self._event(row) for row in rows]

    def pick(self, places: Sequence[tuple[SessionKey, int]]) -> dict[tuple[SessionKey, int], Event]:
        found: dict[tuple[SessionKey, int], Event] = {}
        for chunk in in_chunks([key << 32 | seq for key, seq in places]):
            for key, *row in self._run(STATEMENTS["events_picked"], chunk):
                event = self._event(tuple(row))
                found[SessionKey(key), event.seq] = event
        return found

    def naming(self, key: SessionKey) -> list[Event]:
        inherited = self._run(STATEMENTS["segments"], (key,))
        stretches = [*inherited, (0, END, key)]
        return [
            self._event(row)
            for first, last, source in reversed(stretches)
            for row in self._run(STATEMENTS["naming"], ((source << 32) + first, (source << 32) + last))
        ]

    def operation(self, key: SessionKey, operation: bytes) -> tuple[list[int], bytes | None] | None:
        low, high = key << 32, (key + 1) << 32
        rows = self._run(STATEMENTS["operation_of_session"], (operation, low, high, key))
        rows = [row for row in rows if low < row[0] < high] or rows
        return ([row[0] & END for row in rows], rows[0][1]) if rows else None

    def _up(self, key: SessionKey, after: int, until: int | None, limit: int) -> list[Row]:
        # A damaged number of an event must not lead into another session's rows; no seq is behind END.
        low, after = key << 32, min(max(after, 0), END)
        until = END if until is None else min(until, END)
        rows = self._run(STATEMENTS["events_up"], (low + after, low + until, limit, key, after))
        if rows:
            return rows
        rows = self._run(STATEMENTS["inherited_up"], (key, after, until, limit))
        if rows and len(rows) < limit:
            last = rows[-1][0]
            own = (low + last, low + until, limit - len(rows), key, END)
            rows += self._run(STATEMENTS["events_up"], own)
        return rows

    def _event(self, row: Row) -> Event:
        seq, kind, at, actor, cause, operation, request, salt, data, data_digest, link_hash, blob = row
        if blob is not None:
            data = self._kept(blob, seq)
        return Event(seq, kind, at, actor, cause, operation, request, salt, data, data_digest, link_hash)

    def _keep(self, data: bytes) -> bytes:
        content = blake3(data).digest()
        codec, stored = pack(data)
        self._run(STATEMENTS["add_blob"], (content, codec, len(data), len(stored), stored))
        return content

    def _kept(self, content: bytes, seq: int) -> bytes:
        rows = self._run(STATEMENTS["blob"], (content,))
        data = unpack(*rows[0]) if rows else None
        if data is None or blake3(data).digest() != content:
            raise Integrity(
                f"The content of event {seq} is {'damaged' if rows else 'missing'}.",
                code="damaged_event",
                hint="Restore a backup. `retoma session log` still prints the undamaged events.",
                seq=seq,
            )
        return data
