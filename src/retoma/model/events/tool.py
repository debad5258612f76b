"""A flow's tool calls: wanted, started, ended, and the rollback that undoes what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from retoma.model import call as calls
from retoma.model import event as kinds
from retoma.model.call import Call, Came, Rollback, result_sets
from retoma.model.codec import Json, JsonField
from retoma.model.event import Event
from retoma.model.events.flow import STATUS, missed_unwinding
from retoma.model.events.kind import Data, Kind, Number, partial
from retoma.model.flow import FlowStatus
from retoma.model.state import SYS

if TYPE_CHECKING:
    from retoma.model.fold import Folded
    from retoma.model.ledger import Ledger


class Asked(Call, frozen=True, kw_only=True):
    """`flow.tool_call`."""

    def __post_init__(self) -> None:
        if self.at < 0 or self.attempt < 0 or self.failures < 0:
            raise ValueError("a count of a tool call is below 0")


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """`flow.tool_started`."""

    attempt: Number
    approved: str = ""
    error: str = ""


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """`flow.tool_result`. `denied` and `error` count when they are there, empty or not."""

    node: str
    name: str
    key: str = ""
    id: str = ""
    undo: bool = False
    attempt: Number = 0
    result: JsonField = None
    error: str = ""
    denied: str = ""
    save_to: str = ""
    status: FlowStatus = "active"

    def __post_init__(self) -> None:
        if self.save_to == SYS:
            raise ValueError(f"the key '{SYS}' is reserved for the flow")


# Wanted


def _wanted(folded: Folded, data: Data) -> None:
    folded.call = dict(data)
    folded.flow_status = "rolling_back" if data.get("undo") else "waiting_for_tool"
    if isinstance(at := data.get("at"), int):
        del folded.history[at:]


def _asked(ledger: Ledger, _: Event, data: Data) -> None:
    ledger.unknown -= STATUS
    if ledger.rolls and isinstance(at := data.get("at"), int):
        del ledger.history[at:]


# Started


def _start(folded: Folded, data: Data) -> None:
    if folded.call is not None:
        folded.call = calls.started(folded.call, data)


# Ended


def _result(folded: Folded, data: Data) -> None:
    folded.call = None
    if data.get("undo"):
        folded.rollback = calls.through(folded.rollback or {}, data)
        del folded.history[-1:]
        return
    came = Came(outcome=calls.outcome_of(data), result=data.get("result"), text=str(data.get("error", "")))
    folded.ans = folded.ans if came.outcome == "denied" else came.value
    folded.came = came.outcome if data.get("status") == "active" else None
    folded.flow_status = str(data.get("status", folded.flow_status))
    folded.state |= calls.result_sets(data)


def _lost_result(folded: Folded) -> None:
    partial(folded)
    folded.call = folded.came = None


def _unwound(ledger: Ledger, *_: object) -> None:
    ledger.unknown -= STATUS
    if ledger.rolls:
        del ledger.history[-1:]


def _answer(data: Data) -> tuple[Json, ...]:
    return () if "undo" in data else (data.get("error", data.get("result")),)


# A rollback


def _rollback(folded: Folded, data: Data) -> None:
    folded.rollback, folded.flow_status = dict(data), "rolling_back"
    del folded.history[-1:]


def _rolls(ledger: Ledger, *_: object) -> None:
    ledger.rolls = True
    _unwound(ledger)


def _missed_rollback(ledger: Ledger, event: Event) -> None:
    ledger.rolls = True
    missed_unwinding(ledger, event)


KINDS: Final = (
    Kind(
        name=kinds.TOOL_CALL, payload=Asked, fold=_wanted, learn=_asked, missed=missed_unwinding, loses=STATUS,
        answers=True, hashes=("key",),
    ),
    Kind(name=kinds.TOOL_STARTED, payload=Attempted, fold=_start, answers=True),
    Kind(
        name=kinds.TOOL_RESULT, payload=Returned, fold=_result, lost=_lost_result, learn=_unwound,
        missed=missed_unwinding, sets=result_sets, loses=STATUS, answer=_answer, answers=True, hashes=("key",),
    ),
    Kind(
        name=kinds.FLOW_ROLLBACK, payload=Rollback, fold=_rollback, learn=_rolls, missed=_missed_rollback, answers=True
    ),
)  # fmt: skip
