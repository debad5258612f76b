"""What the records of an export must prove before any of it is shown: the chain, link by link, and the counts."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import msgspec
from blake3 import blake3
from msgspec import UNSET

from retoma.errors import Integrity, Invalid
from retoma.model.chain import digest, follows, genesis
from retoma.model.codec import MOST_LEVELS, decode, encode, is_deep
from retoma.model.event import FORKED, MAX_DATA_BYTES, MESSAGE, RESET, Event
from retoma.model.flow import version_of
from retoma.model.ledger import Ledger
from retoma.model.session import PROPERTIES, NewSession, checked
from retoma.model.transfer import (
    EndRecord,
    EventRecord,
    FlowRecord,
    RedactedPart,
    SessionRecord,
    StateRecord,
    VisitsRecord,
    encoded,
)
from retoma.service.transfer.source import Placed, damaged
from retoma.stores.sql.legible import UNREADABLE

Aside: TypeAlias = StateRecord | VisitsRecord | FlowRecord

MOST_FLOW_BYTES = 64 << 20


class Proof:
    """The records of one session so far. Each is given once, in order; what is wrong raises Integrity with its line.

    `ledger` is what its events say; `behind`: they begin after events that are known elsewhere.
    """

    def __init__(self, session: SessionRecord, line: int, *, behind: bool = False) -> None:
        self.session = session
        self.ledger = Ledger(cut=session.base.seq > 0)
        self._behind = behind
        self.seq = session.base.seq
        self.hash = bytes.fromhex(session.base.hash)
        self.files: dict[str, bytes] = {}
        self.flow_name = ""
        self.erased = array("Q")
        self.redacted = RedactedPart()
        self._messages = 0
        self._visits = 0
        self._flow_bytes = 0
        self._records = blake3(encoded(session))
        self._first_of_epoch = session.epochs[-1].first_seq
        # A fork's journal begins with another's, and says itself which session it is.
        self._belongs = self.seq > 0 or self.hash == genesis(bytes.fromhex(session.uid))
        if session.head.seq < self.seq or not _ascending(session):
            raise damaged(line, "its epochs or its journal end before they start.")

    def rest(self, found: Iterator[Placed]) -> Iterator[Event | Aside]:
        """Yield what follows the session, each proved, up to the end, and that after it nothing comes."""
        ended = aside = False
        line = 1
        for record, line in found:
            if ended or isinstance(record, SessionRecord):
                raise damaged(line, "there is data after the end of the session; a file has one session.")
            if isinstance(record, EventRecord):
                if aside:
                    raise damaged(line, f"event {record.seq:,} is out of order.", seq=record.seq)
                yield self.event(record, line)
            elif isinstance(record, EndRecord):
                self.end(record, line)
                ended = True
            else:
                aside = True
                self.aside(record, line)
                yield record
        if not ended:
            raise damaged(line, "the file ends there, before the session ends: it was truncated.")

    def event(self, record: EventRecord, line: int) -> Event:
        """Return the event, proved to be the next one."""
        if record.seq != self.seq + 1:
            what = (
                "is a duplicate or out of order"
                if record.seq <= self.seq
                else f"follows, but {self.seq + 1:,} is missing"
            )
            raise damaged(line, f"event {record.seq:,} {what}.", seq=record.seq)
        event = _event(record, line)
        if not follows(event, self.hash):
            raise damaged(line, f"event {event.seq:,} is not linked to the previous event.", seq=event.seq)
        if event.type != RESET and 0 < self.seq == self.session.base.seq and not self._behind:
            raise damaged(line, "the journal starts in the middle of an epoch.", seq=event.seq)
        self._fold(event, line)
        self.seq, self.hash = event.seq, event.hash
        self._belongs |= event.type == FORKED and event.value().get("uid") == self.session.uid
        if event.erased and self.session.redacted is not UNSET:
            self.erased.append(event.seq)
        if event.type == MESSAGE and event.seq >= self._first_of_epoch:
            self._messages += 1
        return event

    def _fold(self, event: Event, line: int) -> None:
        try:
            self.ledger.take(event)
        except Integrity as error:
            raise damaged(line, error.message, seq=event.seq) from error
        except UNREADABLE as error:
            raise damaged(
                line, f"event {event.seq:,} says what no {event.type} says.", seq=event.seq
            ) from error

    def aside(self, record: Aside, line: int) -> None:
        """Take a record of state, history or flow."""
        self.journal(line)
        self._records.update(encoded(record))
        if isinstance(record, VisitsRecord):
            if record.first != self._visits + 1:
                raise damaged(
                    line, f"the flow's history continues at {record.first:,}, not at {self._visits + 1:,}."
                )
            self._visits += len(record.nodes)
        elif isinstance(record, FlowRecord):
            self._flow_bytes += len(record.content)
            if self._flow_bytes > MOST_FLOW_BYTES:
                raise damaged(line, f"the flow has more than {MOST_FLOW_BYTES >> 20} MiB.")
            self.files[record.path] = record.content
            self.flow_name = record.name

    def journal(self, line: int) -> None:
        """Raise Integrity unless the journal is whole up to the head."""
        head = self.session.head
        if (self.seq, self.hash.hex()) != (head.seq, head.hash):
            raise damaged(line, f"the journal ends at event {self.seq:,}, not with the head at {head.seq:,}.")
        if not self._belongs:
            raise damaged(line, "the journal does not belong to this session.")

    def end(self, record: EndRecord, line: int) -> None:
        """Raise Integrity unless all that was there is what was written."""
        self.journal(line)
        session, flow = self.session, self.session.flow
        if isinstance(record.redacted, RedactedPart):
            self.redacted = record.redacted
        if record.head != session.head.hash or record.events != session.head.seq - session.base.seq:
            raise damaged(line, "the end does not belong to this session.")
        if session.base.seq < self._first_of_epoch and self._messages != session.messages:
            raise damaged(line, f"the session has {self._messages:,} messages, not {session.messages:,}.")
        if self.files and (flow is None or version_of(self.files) != flow.version):
            raise damaged(line, "the files of its flow are not those of the version that it runs.")
        if record.records != self._records.hexdigest():
            raise damaged(
                line, "the session's properties (title, state, history …) were changed after the export."
            )


def plausible(session: SessionRecord, line: int) -> None:
    """Raise Integrity for what no session could have, so that nothing else meets it later."""
    contexts = tuple((context.kind, context.ref) for context in session.contexts)
    new = NewSession(
        **{name: getattr(session, name) for name in PROPERTIES},
        description=session.description,
        tags=session.tags,
        contexts=contexts,
        template="" if session.template is UNSET else session.template,
    )
    try:
        kept = checked(new)
    except Invalid as error:
        raise damaged(line, f"no session has this: {error.message}") from error
    if kept != new:
        raise damaged(line, "the session's tags, contexts or thinking level are not in the stored form.")


def _ascending(session: SessionRecord) -> bool:
    epochs = session.epochs
    later = all(a.epoch < b.epoch and a.first_seq <= b.first_seq for a, b in pairwise(epochs))
    return later and epochs[-1].first_seq <= session.head.seq + 1


def _event(record: EventRecord, line: int) -> Event:
    salt = bytes.fromhex(record.salt) if record.salt else None
    data_digest = bytes.fromhex(record.digest)
    data = _data(record, line)
    if (data is None) is not record.erased:
        raise damaged(line, f"event {record.seq:,} has no data and is not marked as erased.", seq=record.seq)
    if data is not None:
        data = _proved(data, salt, data_digest)
        if data is None:
            raise damaged(
                line, f"the data of event {record.seq:,} was changed after it was written.", seq=record.seq
            )
        if is_deep(data):
            raise damaged(
                line, f"event {record.seq:,} is nested deeper than {MOST_LEVELS} levels.", seq=record.seq
            )
    return Event(
        seq=record.seq,
        type=record.kind,
        at=record.at,
        actor=record.actor,
        cause=record.cause,
        operation=bytes.fromhex(record.operation) if record.operation else None,
        request=bytes.fromhex(record.request) if record.request else None,
        salt=salt,
        data=data,
        digest=data_digest,
        hash=bytes.fromhex(record.hash),
    )


def _data(record: EventRecord, line: int) -> bytes | None:
    if isinstance(record.data_text, str):
        data = record.data_text.encode()
    elif isinstance(record.data, msgspec.Raw):
        data = bytes(record.data)
    else:
        return None
    if len(data) > 2 * MAX_DATA_BYTES:
        raise damaged(line, f"event {record.seq:,} has more data than an event may hold.", seq=record.seq)
    try:
        decode(data)
    except Invalid as error:
        raise damaged(line, f"the data of event {record.seq:,} is not JSON.", seq=record.seq) from error
    return data


def _proved(data: bytes, salt: bytes | None, expected: bytes) -> bytes | None:
    """Return the data that the digest stands for: as it is, or compacted again after a tool has spaced it out."""
    if salt is None:
        return None
    if digest(salt, data) == expected:
        return data
    compact = encode(decode(data))
    return compact if digest(salt, compact) == expected else None
