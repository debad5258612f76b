"""Events → state: what a session is, from its journal alone.

The store keeps the same facts as rows; they must agree at every moment, which the conformance suite asserts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from retoma.model import call as calls
from retoma.model import event as kinds
from retoma.model.call import Came
from retoma.model.codec import Json
from retoma.model.event import Event
from retoma.model.redaction import REDACTED

_SYS: Final = "sys"
TOKENS: Final = ("tokens_in", "tokens_out", "tokens_cached")
"""What the usage of a message counts."""


class Folded(msgspec.Struct):
    """What a journal says. `state` holds the keys of the running epoch, `history` the nodes its flow visited.

    `partial`: events were erased, and what they changed beside the state is not known from here.
    """

    status: str = "active"
    reason: str = ""
    epoch: int = 1
    messages: int = 0
    state: dict[str, Json] = {}
    flow: str | None = None
    flow_status: str | None = None
    history: list[str] = []
    ans: Json = None
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    call: dict[str, Json] | None = None
    came: str | None = None
    rollback: dict[str, Json] | None = None
    partial: bool = False

    @property
    def system(self) -> dict[str, Json]:
        """What the state keeps for the flow itself."""
        return calls.system_state(self.ans, self.call, self.came, self.rollback)


def fold(events: Iterable[Event], start: Folded | None = None) -> Folded:
    """Return what `events`, in order, make of `start` (a new session when there is none)."""
    folded = start or Folded()
    for event in events:
        apply(folded, event, event.value())
    return folded


def deleted_by(event: Event) -> dict[str, int]:
    """Return the keys of the state that the event takes away, each with the event that did it first."""
    data = event.value()
    if event.type == kinds.ERASED:
        said = data.get("deleted")
        return (
            {name: seq for name, seq in said.items() if isinstance(seq, int)}
            if isinstance(said, dict)
            else {}
        )
    names = data.get("delete")
    return {str(name): event.seq for name in names} if isinstance(names, list) else {}


def nodes_of(event: Event) -> dict[str, str]:
    """Return the nodes that the event says a flow entered, each under the seq of its step."""
    data = event.value()
    if event.type == kinds.ERASED:
        said = data.get("nodes")
        return {seq: str(node) for seq, node in said.items()} if isinstance(said, dict) else {}
    return {str(event.seq): str(data["node"])} if event.type == kinds.FLOW_STEP and "node" in data else {}


def apply(folded: Folded, event: Event, data: dict[str, Json]) -> None:
    """Change `folded` by one event, whose data is `data`."""
    match event.type:
        case kinds.MESSAGE:
            folded.messages += 1
            _count(folded, data)
        case kinds.ERASED:
            _forget(folded, data)
        case _ if event.erased:
            folded.partial = True
            _lose(folded, event.type)
        case kinds.STATUS:
            folded.status, folded.reason = str(data.get("to")), str(data.get("reason", ""))
        case kinds.RESET:
            _reset(folded, data)
        case kinds.FORKED:
            folded.status, folded.reason = "active", ""
            if folded.call is not None and "call_key" in data:
                folded.call = calls.forked(folded.call, str(data["call_key"]))
        case kinds.STATE:
            _change(folded, data)
            _answer(folded)
        case _:
            _apply_flow(folded, event.type, data)


def _apply_flow(folded: Folded, kind: str, data: dict[str, Json]) -> None:
    match kind:
        case kinds.FLOW_STARTED:
            folded.flow, folded.flow_status = str(data.get("flow")), "active"
            _change(folded, data)
        case kinds.FLOW_INPUT:
            folded.ans, folded.came = data.get("answer", data.get("input")), None
            folded.flow_status = str(data.get("status", folded.flow_status))
            _change(folded, data)
        case kinds.FLOW_STEP:
            folded.history.append(str(data["node"]))
            folded.flow_status = str(data.get("status", "active"))
            folded.came = None
            _change(folded, data)
        case kinds.FLOW_END:
            folded.flow_status = "finished"
            if data.get("rolled_back"):
                folded.history = []
            folded.call = folded.came = folded.rollback = None
        case kinds.FLOW_VERSION:
            # A session that was imported without its flow's name has it from the first version that it runs.
            folded.flow = folded.flow or str(data.get("flow"))
            folded.flow_status = str(data.get("status", folded.flow_status))
            if "node" in data and folded.history:
                folded.history[-1] = str(data["node"])
        case _:
            _apply_tool(folded, kind, data)


def _apply_tool(folded: Folded, kind: str, data: dict[str, Json]) -> None:
    match kind:
        case kinds.TOOL_CALL:
            folded.call = dict(data)
            folded.flow_status = "rolling_back" if data.get("undo") else "waiting_for_tool"
            if isinstance(at := data.get("at"), int):
                del folded.history[at:]
        case kinds.TOOL_STARTED if folded.call is not None:
            folded.call = calls.started(folded.call, data)
        case kinds.TOOL_RESULT:
            folded.call = None
            if data.get("undo"):
                folded.rollback = calls.through(folded.rollback or {}, data)
                del folded.history[-1:]
                return
            came = Came(
                outcome=calls.outcome_of(data), result=data.get("result"), text=str(data.get("error", ""))
            )
            folded.ans = folded.ans if came.outcome == "denied" else came.value
            folded.came = came.outcome if data.get("status") == "active" else None
            folded.flow_status = str(data.get("status", folded.flow_status))
            folded.state |= calls.result_sets(data)
        case kinds.FLOW_ROLLBACK:
            folded.rollback, folded.flow_status = dict(data), "rolling_back"
            del folded.history[-1:]
        case _:
            pass  # created, updated, signals (their steps follow) and types of a later version change none of these


def _answer(folded: Folded) -> None:
    """Take the last input out of the state's keys, where an import has it."""
    system = folded.state.pop(_SYS, None)
    if isinstance(system, dict):
        folded.ans = system.get("ans")


def _count(folded: Folded, data: dict[str, Json]) -> None:
    usage = data.get("usage")
    for name in TOKENS if isinstance(usage, dict) else ():
        count = usage.get(name) if isinstance(usage, dict) else None
        if isinstance(count, int):
            setattr(folded, name, getattr(folded, name) + count)


def _lose(folded: Folded, kind: str) -> None:
    """Follow what an erased event's type alone says."""
    if kind in (kinds.TOOL_RESULT, kinds.FLOW_END):
        folded.call = folded.came = None
    if kind == kinds.FLOW_END:
        folded.rollback = None
    if kind == kinds.FLOW_STEP:
        folded.came = None


def _forget(folded: Folded, data: dict[str, Json]) -> None:
    keys = data.get("keys")
    for key in keys if isinstance(keys, list) else ():
        folded.state[str(key)] = REDACTED
    deleted = data.get("deleted")
    for key in deleted if isinstance(deleted, dict) else ():
        folded.state.pop(key, None)
    if data.get("ans"):
        folded.ans = REDACTED
    call, rollback = data.get("call"), data.get("rollback")
    folded.call = call if isinstance(call, dict) else folded.call
    folded.rollback = rollback if isinstance(rollback, dict) else folded.rollback


def _change(folded: Folded, data: dict[str, Json]) -> None:
    sets, removed = data.get("set"), data.get("delete")
    if isinstance(sets, dict):
        folded.state |= sets
    if isinstance(removed, list):
        for key in removed:
            folded.state.pop(str(key), None)


def _reset(folded: Folded, data: dict[str, Json]) -> None:
    epoch = data.get("epoch")
    folded.epoch = epoch if isinstance(epoch, int) else folded.epoch + 1
    folded.status, folded.reason, folded.messages = "active", "", 0
    folded.state, folded.history, folded.ans = {}, [], None
    folded.call = folded.came = folded.rollback = None
    folded.flow = folded.flow_status = None
    folded.tokens_in = folded.tokens_out = folded.tokens_cached = 0
