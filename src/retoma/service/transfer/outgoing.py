"""A session read out: pages of its journal, each in a short read, and what can change meanwhile set aside first."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import IO

import msgspec
from blake3 import blake3
from msgspec import UNSET

from retoma.errors import Conflict, Integrity
from retoma.model.call import with_call
from retoma.model.chain import as_written
from retoma.model.codec import decode, encode
from retoma.model.event import Event
from retoma.model.ids import SessionKey
from retoma.model.message import Message
from retoma.model.principal import Principal
from retoma.model.session import Session
from retoma.model.state import SYS
from retoma.model.transfer import (
    EndRecord,
    FlowRecord,
    SessionRecord,
    StateRecord,
    VisitsRecord,
    encoded,
    session_record,
)
from retoma.model.veil import Veil
from retoma.service.access import missing
from retoma.service.calls import waiting
from retoma.service.timeline import spoken
from retoma.service.transfer.veiling import Veiling
from retoma.stores.contract.store import Store, Transaction

PAGE = 1_000
PAGE_BYTES = 2 << 20
_ASIDE_BYTES = 1 << 20


class Outgoing:
    """A session as it stood when this was made: whatever is written meanwhile is not in it.

    With `whole`, state, history and flow are read too, and kept in a file once they are large: they change under a
    reader, while a journal only grows. With `veil`, what it hides is not shown: events that hold it come erased, as
    after a redaction, when the session is exported whole; else it is taken out of what they say.
    """

    def __init__(
        self, store: Store, who: Principal, session: str, *, whole: bool, veil: Veil | None = None
    ) -> None:
        self._store = store
        self._aside: IO[bytes] = tempfile.SpooledTemporaryFile(_ASIDE_BYTES)  # noqa: SIM115 (closed with this)
        self._whole = whole
        self._veiling: Veiling | None = None
        self.record: SessionRecord
        self._key: SessionKey
        try:
            store.read(lambda tx: self._look(tx, who, session, whole=whole))
            if veil is not None:
                veiling = Veiling(veil)
                for page in self._pages():
                    veiling.learn(page)
                veiling.learn_aside(self.record, self._lines())
                self.record = veiling.session(self.record)
                self._veiling = veiling
        except BaseException:
            self.close()
            raise

    def pages(self) -> Iterator[list[Event]]:
        """Yield the journal up to the head, oldest first.

        Raises Conflict when it was cut or deleted meanwhile, and Integrity for an event that is damaged: a file must
        not pass on what was never written.
        """
        for page in self._pages():
            yield page if self._veiling is None else self._veiling.events(page, whole=self._whole)

    def _pages(self) -> Iterator[list[Event]]:
        after, head, limit = self.record.base.seq, self.record.head.seq, PAGE
        while after < head:
            page = self._store.read(self._reader(after, limit))
            if not page or page[0].seq != after + 1:
                raise Conflict(
                    f"Session '{self.record.id}' was erased or deleted during the export.",
                    code="changed_meanwhile",
                    hint="The written file is incomplete. Export the session again.",
                )
            after = page[-1].seq
            limit = min(PAGE, 2 * len(page))
            for event in page:
                _prove(event)
            yield page

    def epochs(self) -> list[tuple[int, int]]:
        """Return the epochs as (first seq, number)."""
        return [(epoch.first_seq, epoch.epoch) for epoch in self.record.epochs]

    def messages(self) -> Iterator[list[Message]]:
        """Yield the conversation of all epochs, oldest first; what was erased says so.

        Tool calls and thoughts alone are in it, too: see `Message.spoken`.
        """
        epochs = self.epochs()
        for page in self.pages():
            yield [message for event in page for message in spoken(event, epochs, erased=True)]

    def aside(self) -> Iterator[bytes]:
        """Yield the records of state, history and flow, encoded, in this order.

        Behind a veil, after all events were read: what they hide is hidden in the state, too.
        """
        return self._lines() if self._veiling is None else self._veiling.aside(self._lines())

    def end(self) -> EndRecord:
        """Return the last record, once all others were read."""
        head, base = self.record.head, self.record.base
        records = blake3(encoded(self.record))
        for line in self.aside():
            records.update(line)
        redacted = UNSET if self._veiling is None else self._veiling.left_out()
        return EndRecord(
            events=head.seq - base.seq, head=head.hash, records=records.hexdigest(), redacted=redacted
        )

    def _lines(self) -> Iterator[bytes]:
        self._aside.seek(0)
        for line in self._aside:
            yield line[:-1]

    def close(self) -> None:
        """Let go of what was set aside."""
        self._aside.close()

    def _reader(self, after: int, limit: int) -> Callable[[Transaction], list[Event]]:
        until = self.record.head.seq + 1
        return lambda tx: tx.journal.read(
            self._key, after=after, until=until, limit=limit, most_bytes=PAGE_BYTES
        )

    def _look(self, tx: Transaction, who: Principal, session: str, *, whole: bool) -> None:
        found = tx.sessions.get(who.tenant, session)
        if found is None:
            raise missing(tx, who, session)
        self._key = found.key
        self.record = session_record(
            found,
            tx.sessions.about(found.key),
            tx.transfers.base(who.tenant, found.key, found.uid),
            tx.transfers.epochs(found.key),
        )
        if whole:
            self._set_aside(_state(tx, found.key))
            self._set_aside(_visits(tx, found.key))
            self._set_aside(_flow(tx, who, found))

    def _set_aside(self, records: Iterator[StateRecord | VisitsRecord | FlowRecord]) -> None:
        for record in records:
            self._aside.write(encoded(record) + b"\n")


def _prove(event: Event) -> None:
    if not as_written(event):
        raise Integrity(
            f"Event {event.seq} ({event.type}) is damaged: its data was changed after it was written.",
            code="damaged_event",
            hint="The export ends before this event. Restore a backup.",
            seq=event.seq,
        )


def _state(tx: Transaction, key: SessionKey) -> Iterator[StateRecord]:
    after: str | None = None
    while page := tx.transfers.state(key, after=after, limit=PAGE):
        for name, value, seq in page:
            call = waiting(tx, key) if name == SYS else None
            kept = value if call is None else encode(with_call(decode(value), call))
            yield StateRecord(key=name, seq=seq, value=msgspec.Raw(kept))
        after = page[-1][0]


def _visits(tx: Transaction, key: SessionKey) -> Iterator[VisitsRecord]:
    after = 0
    while nodes := tx.transfers.visits(key, after=after, limit=PAGE):
        yield VisitsRecord(first=after + 1, nodes=tuple(nodes))
        after += len(nodes)


def _flow(tx: Transaction, who: Principal, session: Session) -> Iterator[FlowRecord]:
    version = session.flow_version
    stored = tx.flows.version(who.tenant, version) if version else None
    if version is None or stored is None:
        return
    # The name is the session's: of a version that several sessions run, the row has that of the first one.
    name, files = session.flow or stored[0], stored[1]
    for path in sorted(files):
        yield FlowRecord(version=version.hex(), name=name, path=path, content=files[path])
