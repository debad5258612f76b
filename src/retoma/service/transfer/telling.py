"""What an export would say of a session of another tool: told from the events that its records became."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from blake3 import blake3

from retoma.model.changes import applied
from retoma.model.codec import Json
from retoma.model.ids import SessionId
from retoma.model.session import About, Session
from retoma.model.state import SYS
from retoma.model.transfer import (
    EndRecord,
    FlowRecord,
    Link,
    SessionRecord,
    StateRecord,
    VisitsRecord,
    decoded,
    encoded,
    session_record,
)
from retoma.service.transfer.chaining import Chain
from retoma.service.transfer.foreign import Draft, Foreign
from retoma.service.transfer.outgoing import Outgoing
from retoma.service.transfer.proof import Aside
from retoma.service.transfer.source import Placed

_VISITS: Final = 1_000


def journalled(chain: Chain, foreign: Foreign, uid: bytes, parent: str | None) -> tuple[Session, About]:
    """Return the session that the events of a chain tell of."""
    ledger = chain.ledger
    folded, history = ledger.folded, ledger.history
    session = msgspec.structs.replace(
        ledger.row,
        id=SessionId(foreign.name),
        uid=uid,
        status=folded.status,
        reason=folded.reason,
        parent=parent,
        seq=chain.seq,
        hash=chain.hash,
        messages=folded.messages,
        tokens_in=folded.tokens_in,
        tokens_out=folded.tokens_out,
        tokens_cached=folded.tokens_cached,
        created_at=foreign.created_at,
        updated_at=ledger.last_at,
        flow=folded.flow,
        flow_status=folded.flow_status,
        flow_node=history[-1] if history else None,
        flow_visits=len(history),
    )
    return session, ledger.about


def extended(
    before: Session, about: About, chain: Chain, record: SessionRecord, update: Draft | None
) -> SessionRecord:
    """Return the record of a session that has the events of a chain behind its own."""
    data: dict[str, Json] = msgspec.json.decode(update.data) if update is not None else {}
    row, about = applied(before, about, data)
    folded = chain.ledger.folded
    session = msgspec.structs.replace(
        row,
        seq=chain.seq,
        hash=chain.hash,
        messages=row.messages + folded.messages,
        tokens_in=row.tokens_in + folded.tokens_in,
        tokens_out=row.tokens_out + folded.tokens_out,
        tokens_cached=row.tokens_cached + folded.tokens_cached,
        updated_at=chain.ledger.last_at,
    )
    base = Link(seq=before.seq, hash=before.hash.hex())
    return session_record(session, about, base, list(record.epochs))


def asides(chain: Chain) -> Iterator[Aside]:
    """Yield what the events of a chain make of the state and of the flow's history."""
    ledger = chain.ledger
    state = ledger.folded.state | ({SYS: {"ans": ledger.folded.ans}} if ledger.answered else {})
    for key in sorted(state):
        yield StateRecord(key=key, seq=ledger.set_at[key], value=state[key])
    nodes = [node for node in ledger.history if node is not None]
    for first in range(0, len(nodes), _VISITS):
        yield VisitsRecord(first=first + 1, nodes=tuple(nodes[first : first + _VISITS]))


def asides_of(outgoing: Outgoing) -> Iterator[Aside]:
    """Yield what a session has beside its journal."""
    for line in outgoing.aside():
        record = decoded(line)
        assert isinstance(record, StateRecord | VisitsRecord | FlowRecord), "nothing else is set aside"
        yield record


def stream_of(record: SessionRecord, chain: Chain, beside: Iterator[Aside]) -> Iterator[Placed]:
    """Yield the records of an export: the session, its events, what is beside them, the end."""
    digest = blake3(encoded(record))
    yield Placed(record, 1)
    yield from chain.records()
    for aside in beside:
        digest.update(encoded(aside))
        yield Placed(aside, 1)
    count = record.head.seq - record.base.seq
    yield Placed(EndRecord(events=count, head=record.head.hash, records=digest.hexdigest()), 1)
