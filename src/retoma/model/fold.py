"""Events → state: what a session is, from its journal alone.

The store keeps the same facts as rows; they must agree at every moment, which the conformance suite asserts.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from retoma.model import event as kinds
from retoma.model.codec import Json
from retoma.model.event import Event
from retoma.model.redaction import REDACTED


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
    partial: bool = False


def fold(events: Iterable[Event], start: Folded | None = None) -> Folded:
    """Return what `events`, in order, make of `start` (a new session when there is none)."""
    folded = start or Folded()
    for event in events:
        _apply(folded, event)
    return folded


def _apply(folded: Folded, event: Event) -> None:
    data = event.value()
    match event.type:
        case kinds.MESSAGE:
            folded.messages += 1
        case kinds.ERASED:
            _forget(folded, data)
        case _ if event.erased:
            folded.partial = True
        case kinds.STATUS:
            folded.status, folded.reason = str(data.get("to")), str(data.get("reason", ""))
        case kinds.RESET:
            _reset(folded, data)
        case kinds.FORKED:
            folded.status, folded.reason = "active", ""
        case kinds.STATE:
            _change(folded, data)
        case _:
            _apply_flow(folded, event.type, data)


def _apply_flow(folded: Folded, kind: str, data: dict[str, Json]) -> None:
    match kind:
        case kinds.FLOW_STARTED:
            folded.flow, folded.flow_status = str(data.get("flow")), "active"
            _change(folded, data)
        case kinds.FLOW_INPUT:
            folded.ans = data.get("answer", data.get("input"))
            folded.flow_status = str(data.get("status", folded.flow_status))
            _change(folded, data)
        case kinds.FLOW_STEP:
            folded.history.append(str(data["node"]))
            folded.flow_status = str(data.get("status", "active"))
            _change(folded, data)
        case kinds.FLOW_END:
            folded.flow_status = "finished"
        case kinds.FLOW_VERSION:
            folded.flow_status = str(data.get("status", folded.flow_status))
            if "node" in data and folded.history:
                folded.history[-1] = str(data["node"])
        case _:
            pass  # created, updated, signals (their steps follow) and types of a later version change none of these


def _forget(folded: Folded, data: dict[str, Json]) -> None:
    keys = data.get("keys")
    for key in keys if isinstance(keys, list) else ():
        folded.state[str(key)] = REDACTED
    if data.get("ans"):
        folded.ans = REDACTED


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
    folded.flow = folded.flow_status = None
