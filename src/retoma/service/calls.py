"""A flow's tool calls: wanted, started, ended. Each is in the journal before what follows from it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from retoma.model import event as kinds
from retoma.model.call import (
    FLOW_TOOL,
    Call,
    Came,
    Rollback,
    flow_call,
    idempotency_key,
    of_flow,
    started,
    system_state,
)
from retoma.model.codec import Json, encode
from retoma.model.event import Event, NewEvent, new_event
from retoma.model.flow import Position, Step
from retoma.model.ids import Operation, SessionKey
from retoma.model.lease import FencingToken
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED, Wanted, holds
from retoma.model.session import Head, Session, accept_writes
from retoma.model.state import SYS
from retoma.service.access import append, expect_head, fence, have_room, head_of
from retoma.stores.contract.store import Transaction


class Returned(msgspec.Struct, frozen=True):
    """What came of the tool call at the position led to the step. `save_to` is the context key that takes a result."""

    came: Came
    save_to: str = ""


def position(session: Session, state: dict[str, Json], call: Mapping[str, Json] | None) -> Position:
    """Return where a flow stands, from its session's row, its state, and the call that it waits for."""
    context = dict(state)
    system = context.pop(SYS, None)
    kept: dict[str, Any] = system if isinstance(system, dict) else {}
    return Position(
        node=session.flow_node,
        status=session.flow_status or "active",
        context=context,
        ans=kept.get("ans"),
        visits=session.flow_visits,
        call=msgspec.convert(call, Call) if call is not None else None,
        came=kept.get("came"),
        rollback=msgspec.convert(kept["rollback"], Rollback) if "rollback" in kept else None,
    )


def pending(tx: Transaction, who: Principal, session: str) -> Call | None:
    """Return the call that the session's flow waits for. Raises NotFound."""
    call = waiting(tx, head_of(tx, who, session).key)
    return msgspec.convert(call, Call) if call is not None else None


def waiting(tx: Transaction, key: SessionKey) -> dict[str, Json] | None:
    """Return what is kept of the tool call that the session's flow waits for, None when it waits for none."""
    return flow_call(tx.pending.get(key))


def keep(tx: Transaction, key: SessionKey, call: Mapping[str, Json] | None) -> None:
    """Let the flow wait for `call`, or for none, in the place of the one before."""
    tx.pending.drop(key, FLOW_TOOL)
    if call is not None:
        tx.pending.put(key, of_flow(call))


def start(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    attempt: int,
    approved: str = "",
    error: str = "",
    operation: Operation,
    token: FencingToken,
    expect: int,
    limits: Limits = NO_LIMITS,
) -> int:
    """Record that the pending call is about to be started; return the journal's length.

    `approved` says by whom, at the first start; `error` what the start before came to, when it is tried again. Raises
    as `flows.record` does.
    """
    who.may_write()
    head = head_of(tx, who, session)
    fence(tx, head, token)
    accept_writes(head, "steps")
    expect_head(head, expect)
    have_room(tx, head, 1, limits)
    call = waiting(tx, head.key)
    assert call is not None, "a call that is started was asked for"
    data: dict[str, Json] = {"node": call["node"], "name": call["name"], "attempt": attempt}
    data |= {"approved": approved} if approved else {}
    data |= {"error": error} if error else {}
    moved = append(tx, who, head, [new_event(kinds.TOOL_STARTED, encode(data))], operation, token=token)
    tx.pending.put(head.key, of_flow(started(call, data)))
    tx.state.put(head.key, {SYS: tx.state.value(head.key, SYS)}, seq=moved.seq)
    return moved.seq


def wanted(tx: Transaction, who: Principal, head: Head, call: Call, visits: int) -> dict[str, Json]:
    """Return the data of the event that asks for `call`, made after `visits` nodes, with its idempotency key."""
    epoch = tx.transfers.epochs(head.key)[-1]
    uid = epoch.uid if epoch.epoch > 1 or epoch.reused else ""
    keyed = msgspec.structs.replace(call, key=idempotency_key(head.id, uid, call, visits))
    data: dict[str, Json] = msgspec.to_builtins(keyed)
    return data


def ended(returned: Returned, at: Position, step: Step) -> NewEvent:
    """Return the event that says what came of the call `at` the position; its keys are among those `step` sets."""
    call, came = at.call, returned.came
    assert call is not None, "a result is of a call"
    data: dict[str, Json] = {"node": call.node, "name": call.name, "key": call.key}
    if call.id:
        data["id"] = call.id
    if call.undo:
        data["undo"] = True
    if call.attempt:
        data["attempt"] = call.attempt
    match came.outcome:
        case "done":
            data["result"] = came.result
        case "failed":
            data["error"] = came.text
        case "denied":
            data["denied"] = came.text
    if returned.save_to and not call.undo:
        data["save_to"] = returned.save_to
    if not step.visits and not call.undo:
        data["status"] = step.status
    return new_event(kinds.TOOL_RESULT, encode(data))


def system_after(at: Position, step: Step, came: str | None) -> dict[str, Json]:
    """Return what the state keeps for the flow itself after `step`."""
    over = step.status == "finished"
    rollback = None if over else step.rollback or at.rollback
    kept = msgspec.to_builtins(rollback) if rollback is not None else None
    return system_state(step.ans, None if over else came, kept)


def in_system(
    system: Json, call: Mapping[str, Any] | None, found: Sequence[Event], wanted: Wanted | None
) -> dict[str, Json]:
    """Return what stays of the call and the rollback under way when `found` is forgotten, and what is `wanted`.

    Empty when nothing of them is forgotten.
    """
    kept: dict[str, Any] = system if isinstance(system, dict) else {}
    rollback = kept.get("rollback")
    taken = {event.type for event in found}
    cleared: dict[str, Json] = {}
    if call is not None:
        asked = any(event.type == kinds.TOOL_CALL and _asks_for(event.value(), call) for event in found)
        hit = asked or (wanted is not None and holds(call.get("args"), wanted))
        if hit or kinds.TOOL_STARTED in taken:
            cleared["call"] = {**call, "args": REDACTED, "secrets": {}} if hit else {**call}
    if rollback is not None and (
        taken & {kinds.FLOW_ROLLBACK, kinds.TOOL_RESULT} or (wanted is not None and holds(rollback, wanted))
    ):
        cleared["rollback"] = _cleared(rollback, wanted)
    return cleared


def _asks_for(data: Mapping[str, Any], call: Mapping[str, Any]) -> bool:
    """Return whether an event asked for the call that is under way. In a fork that one has another key."""
    same = all(data.get(name) == call.get(name) for name in ("node", "name", "args"))
    return same or data.get("key") == call["key"]


def _cleared(rollback: Mapping[str, Any], wanted: Wanted | None) -> dict[str, Json]:
    def said(text: str) -> str:
        return REDACTED if text and (wanted is None or wanted(text)) else text

    through: list[Json] = [[node, tool, said(error)] for node, tool, error in rollback.get("through", ())]
    return {**rollback, "cause": said(rollback.get("cause", "")), "through": through}
