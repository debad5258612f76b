"""A flow in its session: where it stands, and each step of it in one transaction with the input that led to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TypeAlias, assert_never

import msgspec

from retoma.errors import Refused
from retoma.model import event as kinds
from retoma.model.call import outcome_of
from retoma.model.codec import Json, decode, encode
from retoma.model.event import NewEvent, new_event
from retoma.model.events import kind_of
from retoma.model.flow import Position, Step
from retoma.model.ids import Operation
from retoma.model.lease import FencingToken
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.principal import Principal
from retoma.model.session import FINAL, Head, Session, accept_writes
from retoma.model.state import SYS
from retoma.service import calls
from retoma.service.access import (
    append,
    expect_head,
    fence,
    have_room,
    head_of,
    missing,
    repeated,
)
from retoma.service.calls import Returned
from retoma.stores.contract.store import Transaction

_CHUNK = 500


class Snapshot(msgspec.Struct, frozen=True):
    """A flow as its session has it: the session, the position, and the nodes visited (the current one last)."""

    session: Session
    position: Position
    history: list[str]


class Typed(msgspec.Struct, frozen=True):
    """An input led to the step. For a secret, `kept` is what stands for it, never what was typed."""

    kept: Json


class Signalled(msgspec.Struct, frozen=True):
    """A signal led to the step."""

    name: str


Led: TypeAlias = Typed | Signalled | Returned


def look(tx: Transaction, who: Principal, session: str) -> Snapshot:
    """Return where the session's flow stands. Raises NotFound."""
    found = tx.sessions.get(who.tenant, session)
    if found is None:
        raise missing(tx, who, session)
    at = calls.position(found, tx.state.get(found.key), calls.waiting(tx, found.key))
    return Snapshot(found, at, tx.state.history(found.key))


def begin(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    flow: str,
    path: str,
    version: bytes,
    files: Mapping[str, bytes],
    step: Step,
    operation: Operation,
    token: FencingToken,
    limits: Limits = NO_LIMITS,
) -> int:
    """Start a flow in the session and record its first step; return the journal's length."""
    head = _driven(tx, who, session, token)
    tx.flows.put_version(who.tenant, version, flow, files)
    tx.flows.begin(who.tenant, head.key, flow=flow, path=path, version=version)
    data: dict[str, Json] = {"flow": flow, "version": version.hex()}
    if step.sets:
        data["set"] = dict(step.sets)
    started = new_event(kinds.FLOW_STARTED, encode(data))
    at = Position(node=None, status="active", context={})
    return _record(tx, who, head, [started], step, at=at, operation=operation, token=token, limits=limits)


def record(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    led: Led | None,
    at: Position,
    step: Step,
    operation: Operation,
    token: FencingToken,
    expect: int,
    limits: Limits = NO_LIMITS,
) -> int:
    """Record the step that was taken `at` a position, with what `led` to it; return the journal's length.

    Raises Conflict when more than labels and notes was written behind `expect`.
    """
    head = _driven(tx, who, session, token)
    before = repeated(tx, head.key, operation)
    if before is not None:
        return before[-1]
    if not _only_beside(tx, head, after=expect):
        expect_head(head, expect)
    first = [] if led is None else [_led(led, at, step)]
    return _record(tx, who, head, first, step, at=at, operation=operation, token=token, limits=limits)


def change_version(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    flow: str,
    path: str,
    version: bytes,
    files: Mapping[str, bytes],
    at: Position,
    moved: bool,
    first: bool,
    step: Step | None,
    operation: Operation,
    token: FencingToken,
    limits: Limits = NO_LIMITS,
) -> int:
    """Go on with another version of the flow, `at` the position as it is there; return the journal's length.

    `moved`: the node has another id there, which the history takes over. `first`: the session had no version, nor the
    flow's name. `step` is what the new version does at once, None when it waits as before.
    """
    head = _driven(tx, who, session, token)
    tx.flows.put_version(who.tenant, version, flow, files)
    if first:
        tx.flows.begin(who.tenant, head.key, flow=flow, path=path, version=version)
    else:
        tx.flows.set_version(who.tenant, head.key, version=version, path=path)
    data: dict[str, Json] = {"flow": flow, "version": version.hex()}
    if moved and at.node is not None:
        tx.flows.rename(head.key, at.node, visits=at.visits)
        data["node"] = at.node
    taken = step or Step(status=at.status, ans=at.ans)
    if not taken.visits:
        data["status"] = taken.status
    event = new_event(kinds.FLOW_VERSION, encode(data))
    return _record(tx, who, head, [event], taken, at=at, operation=operation, token=token, limits=limits)


def stored_version(tx: Transaction, who: Principal, version: bytes) -> tuple[str, dict[str, bytes]] | None:
    """Return the name and files of a version that a session ran, or None."""
    return tx.flows.version(who.tenant, version)


def refuse_other_flow(session: Session, path: str, version: bytes) -> None:
    """Raise Refused when the session runs the flow of another directory.

    One that was imported may have none yet; a fork from an earlier epoch knows the flow's name, and no directory.
    """
    if session.flow is None or session.flow_path == path or session.flow_version == version:
        return
    if session.flow_path is None and (session.flow_version is None or PurePath(path).name == session.flow):
        return
    raise Refused(
        f"Session '{session.id}' runs another flow: {session.flow_path or session.flow}.",
        code="other_flow",
        hint="Run that flow, choose another session, or restart this session with --fresh.",
        session=session.id,
        flow=session.flow_path,
    )


def _led(led: Led, at: Position, step: Step) -> NewEvent:
    data: dict[str, Json] = {"node": at.node}
    match led:
        case Typed():
            data["input"] = led.kept
            if step.ans != led.kept:
                data["answer"] = step.ans
            if step.sets:
                data["set"] = dict(step.sets)
            if step.notice:
                data["notice"] = step.notice
            if not step.visits:
                data["status"] = step.status
            return new_event(kinds.FLOW_INPUT, encode(data))
        case Signalled():
            data["name"] = led.name
            if step.visits:
                data["to"] = step.visits[0].node
            return new_event(kinds.FLOW_SIGNAL, encode(data))
        case Returned():
            return calls.ended(led, at, step)
        case _:
            assert_never(led)


def _driven(tx: Transaction, who: Principal, session: str, token: FencingToken) -> Head:
    who.may_write()
    head = head_of(tx, who, session)
    fence(tx, head, token)
    accept_writes(head, "steps")
    return head


def _only_beside(tx: Transaction, head: Head, *, after: int) -> bool:
    """Return whether what was written behind `after` leaves a flow where it is: labels and notes."""
    while after < head.seq:
        page = tx.journal.read(head.key, after=after, limit=_CHUNK)
        if not page or not all(kind_of(event.type).beside for event in page):
            return False
        after = page[-1].seq
    return True


def _record(
    tx: Transaction,
    who: Principal,
    head: Head,
    first: list[NewEvent],
    step: Step,
    *,
    at: Position,
    operation: Operation,
    token: FencingToken,
    limits: Limits,
) -> int:
    """Write what led to the step, then the step itself."""
    kind = first[0].type if first else ""
    cause = head.seq + 1 if first and kind != kinds.FLOW_STARTED else None
    changes: dict[str, Json] = dict(step.sets)
    events = [*first, *_visited(step, cause, changes)]
    nodes = [visit.node for visit in step.visits]
    visits = at.visits + len(nodes)
    if step.rolls:
        events.append(new_event(kinds.FLOW_ROLLBACK, encode(step.rollback), cause))
    call = None
    if step.call is not None:
        call = calls.wanted(tx, who, head, step.call, step.call.at or visits)
        events.append(new_event(kinds.TOOL_CALL, encode(call), cause))
    stands = nodes[-1] if nodes else at.node
    if step.status == "finished":
        events += _end(step, None if step.rollback else stands)
    have_room(tx, head, len(events), limits)
    seq = head.seq + len(events)
    if changes:
        tx.state.put(head.key, changes, seq=seq)
    came = _came(first, step)
    if kind_of(kind).answers or call or step.rolls or (at.came is not None and came is None):
        tx.state.put(head.key, {SYS: calls.system_after(at, step, came)}, seq=seq)
        if call or at.call is not None:
            calls.keep(tx, head.key, None if step.status == "finished" else call)
    tx.flows.visit(head.key, nodes, visits=at.visits, node=stands, status=step.status)
    if step.rollback is not None:
        tx.flows.unwind(head.key, visits=step.kept, status=step.status)
    append(tx, who, head, events, operation, token=token)
    if step.status == "finished":
        tx.sessions.set_status(head.key, "failed" if step.failure else "completed", step.failure)
    return seq


def _visited(step: Step, cause: int | None, changes: dict[str, Json]) -> Iterator[NewEvent]:
    """Yield an event for each node that was entered, and add what entering it set to `changes`."""
    for index, visit in enumerate(step.visits):
        last = index == len(step.visits) - 1
        data: dict[str, Json] = {"node": visit.node, "content": visit.content}
        if visit.sets:
            data["set"] = dict(visit.sets)
            changes |= visit.sets
        if last and step.status != "active":
            data["status"] = step.status
        yield new_event(kinds.FLOW_STEP, encode(data), cause)


def _came(first: list[NewEvent], step: Step) -> str | None:
    """Return what came of the call that the current node made, when the flow does not leave the node with it yet."""
    if not first or first[0].type != kinds.TOOL_RESULT or step.visits or step.status != "active":
        return None
    data = decode(first[0].data)
    return outcome_of(data) if isinstance(data, dict) else None


def _end(step: Step, node: str | None) -> list[NewEvent]:
    to = FINAL[1] if step.failure else FINAL[0]
    ended: dict[str, Json] = {"node": node, "status": "failed" if step.failure else "finished"}
    changed: dict[str, Json] = {"from": "active", "to": to}
    if step.failure:
        ended["failure"] = changed["reason"] = step.failure
    if step.rollback is not None:
        ended["rolled_back"] = True
    return [new_event(kinds.FLOW_END, encode(ended)), new_event(kinds.STATUS, encode(changed))]
