"""Branches: a session forked at any of its events, which from then on shares its past."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, Final

import msgspec

from retoma.errors import NotFound
from retoma.model import event as kinds
from retoma.model.call import FLOW_TOOL, Call, flow_call, forked, idempotency_key, of_flow
from retoma.model.codec import Json, encode
from retoma.model.event import Event, NewEvent, new_event
from retoma.model.events import kind_of
from retoma.model.events.message import TOKENS
from retoma.model.fold import deleted_by, fold
from retoma.model.ids import Operation, SessionId, SessionKey, generated_id, session_id
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.outcomes import Forked
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED
from retoma.model.session import Head, Session, in_trash
from retoma.model.state import SYS
from retoma.service.access import append, head_of, is_same, missing, other_request
from retoma.service.branch import past
from retoma.service.sessions import id_taken, within
from retoma.stores.contract.store import Transaction

_CHUNK: Final = 500
_NEAR: Final = 1_000


def fork(
    tx: Transaction,
    who: Principal,
    session: str,
    new: str | None,
    *,
    seq: int | None,
    operation: Operation,
    limits: Limits = NO_LIMITS,
    near: int | None = None,
) -> Forked:
    """Make a session that shares the past of this one up to event `seq`, its last one if not said.

    The fork is active, whatever the session is, and nobody drives it. An event amid those of a flow's step means the
    whole step. Raises NotFound, Invalid, Conflict when the id is taken, Refused in the trash, Limit, and past.Far when
    more than `near` events would have to be folded.
    """
    who.may_write()
    wanted = session_id(new) if new is not None else None
    if (before := done_before(tx, who, session, operation)) is not None:
        return _forked(tx, who, tx.sessions.name(before))
    head, row = found(tx, who, session)
    within(tx, who, limits)
    if wanted and tx.sessions.key(who.tenant, wanted) is not None:
        raise id_taken(wanted)
    chosen = wanted or _free_id(tx, who, row)
    point = head.seq if seq is None else _whole_step(tx, row, seq)
    then, held = moment(tx, who, row, _before_it_was_a_fork(tx, row, point), passes=_passes, near=near)
    like = msgspec.structs.replace(then.session, pinned=False, archived=False, expires_at=None)
    then = msgspec.structs.replace(then, session=like)
    made = add(tx, who, chosen, row, then, operation, {"set": {"id": chosen}}, held=held)
    if operation.request is not None:
        tx.sessions.add_operation(who.tenant, operation.id, operation.request, made.key.to_bytes(8))
    return _forked(tx, who, chosen)


def found(tx: Transaction, who: Principal, session: str) -> tuple[Head, Session]:
    """Return the session to make a branch of. Raises NotFound, Refused in the trash."""
    head = head_of(tx, who, session)
    if head.trashed:
        raise in_trash(head.id)
    row = tx.sessions.get(who.tenant, head.id)
    if row is None:
        raise missing(tx, who, session)
    return head, row


def done_before(tx: Transaction, who: Principal, session: str, operation: Operation) -> SessionKey | None:
    """Return the session that the operation is remembered by, if it ran. Raises Conflict for another request."""
    before = tx.sessions.operation(who.tenant, operation.id) if operation.request is not None else None
    if before is None:
        return None
    key = tx.sessions.key(who.tenant, session)
    if before[0] != operation.request and (key is None or not is_same(tx, key, operation, before[0])):
        raise other_request()
    return SessionKey(int.from_bytes(before[1]))


# Where


def _whole_step(tx: Transaction, row: Session, seq: int) -> int:
    """Return `seq`, or the last event of the flow's step that it is in: half of one is no place to go on from."""
    if not 0 < seq < row.seq:
        return seq
    page = tx.journal.read(row.key, after=seq - 1, limit=_CHUNK)
    for event in page[1:]:
        if event.write != page[0].write or not kind_of(event.type).step:
            break
        seq = event.seq
    return seq


def _before_it_was_a_fork(tx: Transaction, row: Session, seq: int) -> int:
    """Return where the past that a fork shares ends, if `seq` is one of the two events that only say it is a fork.

    So a fork of a fork in which nothing happened shares the same past, and the line gets no longer by it.
    """
    began = row.fork_seq
    if began is None or not began < seq <= began + 2:
        return seq
    own = tx.journal.read(row.key, after=began, until=seq + 1, limit=2)
    return began if own and all(map(_passes, own)) and own[0].type == kinds.FORKED else seq


# What it was


def moment(
    tx: Transaction,
    who: Principal,
    row: Session,
    seq: int,
    *,
    passes: Callable[[Event], bool],
    near: int | None,
) -> tuple[past.Moment, bool]:
    """Return the session as it was at `seq`, and whether its rows hold the state and history of then.

    They do when all that came since are a few events that `passes` accepts, and begin another write: then nothing is
    folded. A row names the last event of the write that set it, so inside of a write the rows are those of its end.
    """
    near_head = max(row.seq - _NEAR, 1) <= seq < row.seq
    page = tx.journal.read(row.key, after=seq - 1, limit=_NEAR + 1) if near_head else []
    ends = len(page) > 1 and page[0].seq == seq and page[0].write != page[1].write
    if seq != row.seq and not (ends and all(map(passes, page[1:]))):
        return past.moment(tx, who, row, seq, near=near), False
    linked, passed = page[0].hash if page else row.hash, fold(page[1:])
    counts = {name: getattr(row, name) - getattr(passed, name) for name in ("messages", *TOKENS)}
    then = msgspec.structs.replace(row, seq=seq, hash=linked, **counts)
    return past.Moment(session=then, about=tx.sessions.about(row.key)), True


def _passes(event: Event) -> bool:
    """Return whether an event changes nothing of what a fork takes over: a new id does not."""
    if event.type == kinds.UPDATED:
        return not event.erased and _is_name(event.value())
    return not event.erased and (event.type == kinds.FORKED or kind_of(event.type).passing)


def _is_name(data: Mapping[str, Json]) -> bool:
    said = data.get("set")
    return list(data) == ["set"] and isinstance(said, dict) and list(said) == ["id"]


# Made


def add(
    tx: Transaction,
    who: Principal,
    name: SessionId,
    of: Session,
    then: past.Moment,
    operation: Operation,
    said: Mapping[str, Any],
    *,
    held: bool,
) -> Head:
    """Make a fork of the session `of` as it was `then`, and its first events; return its head.

    `said` is what these say of it. `held`: the rows of `of` hold the state of then.
    """
    like = msgspec.structs.replace(then.session, uid=tx.random(16), status="active", reason="")
    epoch_uid = tx.random(16)
    head = tx.branches.add(
        who.tenant, name, of, like, then.about, at=like.seq, linked=like.hash, epoch_uid=epoch_uid
    )
    pending = tx.pending.get(of.key) if held else [*then.pending]
    call = _own(flow_call(pending), head, like, epoch_uid)
    data = {"uid": like.uid.hex(), "of": of.uid.hex(), "seq": like.seq, "epoch_uid": epoch_uid.hex()}
    if call is not None:
        data["call_key"] = call["key"]
    events = [new_event(kinds.FORKED, encode(data))]
    if said:
        events.append(new_event(kinds.UPDATED, encode(said)))
    gone, redacted, away = _forgotten(tx, of, then)
    made = like.seq + len(events)
    if gone is not None:
        events.append(gone)
    head = append(tx, who, head, events, operation)
    if held:
        tx.branches.copy_state(of.key, head.key)
    else:
        tx.branches.put_history(head.key, then.history)
        for key in then.state.keys() - away:
            value = then.state[key]
            tx.state.put(head.key, {key: value}, seq=then.set_at[key])
    for one in pending:
        tx.pending.put(head.key, of_flow(call) if call is not None and one.kind == FLOW_TOOL else one)
    if call is not None:
        tx.state.put(head.key, {SYS: tx.state.value(head.key, SYS)}, seq=made)
    _redact(tx, head, redacted)
    return head


def _own(
    call: Mapping[str, Any] | None, head: Head, like: Session, epoch_uid: bytes
) -> dict[str, Json] | None:
    """Return the call that a flow waits for as a call of the fork's own, if there is one.

    It was not made before: it has a key of its own, is approved by nobody and never started. To undo what the shared
    past did is the same for all who share it, and keeps its key.
    """
    if call is None or call.get("undo"):
        return None
    made = msgspec.convert(call, Call)
    return forked(call, idempotency_key(head.id, epoch_uid.hex(), made, made.at or like.flow_visits))


def _redact(tx: Transaction, head: Head, redacted: Mapping[str, Json]) -> None:
    """Take what later redactions left in the state into the fork's."""
    system = redacted.get(SYS)
    known = tx.state.value(head.key, SYS) if system is not None else None
    both = {SYS: known | system} if isinstance(known, dict) and isinstance(system, dict) else {}
    tx.state.put(head.key, {**redacted, **both}, seq=head.seq)


def _forgotten(
    tx: Transaction, of: Session, then: past.Moment
) -> tuple[NewEvent | None, dict[str, Json], Set[str]]:
    """Return the event that names those of the shared events that were erased later, and what they left in the state.

    And which of the keys that the past still knows one of them had deleted by then. The event that named them first
    came behind the shared past, so the fork's journal does not have it.
    """
    gone = set(then.unexplained)
    if not gone:
        return None, {}, set()
    names: set[str] = set()
    away: dict[str, int] = {}
    ans, after = False, then.session.seq
    while page := tx.journal.read(of.key, after=after, limit=_CHUNK):
        for event in page:
            erased = event.value() if event.type == kinds.ERASED else {}
            if gone & set(_list(erased.get("events"))):
                away |= deleted_by(event)
                names |= {str(name) for name in _list(erased.get("keys"))}
                ans |= bool(erased.get("ans"))
        after = page[-1].seq
    data: dict[str, Json] = {"events": [*sorted(gone)], "keys": [*sorted(names)]}
    away = {
        name: seq for name, seq in away.items() if seq <= then.session.seq and then.set_at.get(name, 0) < seq
    }
    if away:
        data["deleted"] = {**away}
    # A history that the rows alone had, in an epoch that is over, is gone: it has fewer places than the journal.
    history = then.history
    nodes: dict[str, Json] = {
        str(seq): history[at] for at, seq in then.untold.items() if seq in gone and at < len(history)
    }
    if nodes:
        data["nodes"] = nodes
    left: dict[str, Json] = dict.fromkeys(sorted(names), REDACTED)
    if ans:
        data["ans"] = True
        left[SYS] = {"ans": REDACTED}
    return new_event(kinds.ERASED, encode(data)), left, away.keys()


def _list(value: Json) -> list[Any]:
    return value if isinstance(value, list) else []


def _free_id(tx: Transaction, who: Principal, row: Session) -> SessionId:
    while True:
        drawn = generated_id(row.title or row.id, tx.random)
        if tx.sessions.key(who.tenant, drawn) is None:
            return drawn


def _forked(tx: Transaction, who: Principal, name: SessionId | None) -> Forked:
    row = tx.sessions.get(who.tenant, name) if name is not None else None
    if row is None:
        raise NotFound(
            "The fork made with this key was deleted.",
            code="deleted",
            hint="Use a new key to make another one.",
        )
    return Forked(id=row.id, of=row.fork_of, seq=row.fork_seq or 0)
