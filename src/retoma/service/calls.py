"""A flow's tool calls: wanted, started, ended. Each is in the journal before what follows from it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from retoma.model import event as kinds
from retoma.model.call import Call, Came, Rollback, idempotency_key, started, system_state
from retoma.model.codec import Json, encode
from retoma.model.event import Event, NewEvent, new_event
from retoma.model.flow import Position, Step
from retoma.model.ids import Operation
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


def position(session: Session, state: dict[str, Json]) -> Position:
    """Return where a flow stands, from its session's row and its state."""
    context = dict(state)
    system = context.pop(SYS, None)
    kept: dict[str, Any] = system if isinstance(system, dict) else {}
    return Position(
        node=session.flow_node,
        status=session.flow_status or "active",
        context=context,
        ans=kept.get("ans"),
        visits=session.flow_visits,
        call=msgspec.convert(kept["call"], Call) if "call" in kept else None,
        came=kept.get("came"),
        rollback=msgspec.convert(kept["rollback"], Rollback) if "rollback" in kept else None,
    )


def pending(tx: Transaction, who: Principal, session: str) -> Call | None:
    """Return the call that the session's flow waits for. Raises NotFound."""
    system = tx.state.value(head_of(tx, who, session).key, SYS)
    call = system.get("call") if isinstance(system, dict) else None
    return msgspec.convert(call, Call) if call is not None else None


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
    system = tx.state.value(head.key, SYS)
    kept: dict[str, Any] = dict(system) if isinstance(system, dict) else {}
    call = kept["call"]
    data: dict[str, Json] = {"node": call["node"], "name": call["name"], "attempt": attempt}
    data |= {"approved": approved} if approved else {}
    data |= {"error": error} if error else {}
    kept["call"] = started(call, data)
    moved = append(tx, who, head, [new_event(kinds.TOOL_STARTED, encode(data))], operation, token=token)
    tx.state.put(head.key, {SYS: kept}, seq=moved.seq)
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


def system_after(
    at: Position, step: Step, call: Mapping[str, Json] | None, came: str | None
) -> dict[str, Json]:
    """Return what the state keeps for the flow itself after `step`, whose call is `call`."""
    over = step.status == "finished"
    rollback = None if over else step.rollback or at.rollback
    kept = msgspec.to_builtins(rollback) if rollback is not None else None
    return system_state(step.ans, None if over else call, None if over else came, kept)


def in_system(system: Json, found: Sequence[Event], wanted: Wanted | None) -> dict[str, Json]:
    """Return what stays of the call and the rollback under way when `found` is forgotten, and what is `wanted`.

    Empty when nothing of them is forgotten.
    """
    kept: dict[str, Any] = system if isinstance(system, dict) else {}
    call, rollback = kept.get("call"), kept.get("rollback")
    taken = {event.type for event in found}
    cleared: dict[str, Json] = {}
    if call is not None:
        asked = any(event.type == kinds.TOOL_CALL and _asks_for(event.value(), call) for event in found)
        hit = asked or (wanted is not None and holds(call.get("args"), wanted))
        if hit or kinds.TOOL_STARTED in taken:
            cleared["call"] = {**call, "args": REDACTED, "secrets": {}} if hit else call
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
