"""A flow in its session: started, its inputs and signals, the nodes it enters, its versions, its end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Raw

from retoma.model import event as kinds
from retoma.model.codec import Json, Name
from retoma.model.event import Event
from retoma.model.events.kind import (
    Data,
    Kind,
    Said,
    Version,
    as_deleted,
    as_set,
    partial,
)
from retoma.model.events.message import text_of
from retoma.model.events.state import State, change
from retoma.model.flow import FlowStatus
from retoma.model.instant import Instant
from retoma.model.message import Message
from retoma.model.state import SYS

if TYPE_CHECKING:
    from retoma.model.fold import Folded
    from retoma.model.ledger import Ledger

HISTORY: Final = frozenset({"history", "flow_node", "flow_visits"})
STATUS: Final = frozenset({"flow_status"})


class _Flow(State, frozen=True, kw_only=True):
    def __post_init__(self) -> None:
        if SYS in self.set or SYS in self.delete:
            raise ValueError(f"the key '{SYS}' is reserved for the flow")


class Started(_Flow, frozen=True, kw_only=True):
    """`flow.started`."""

    flow: str
    version: Version = ""


class Input(_Flow, frozen=True, kw_only=True):
    """`flow.input`."""

    node: str | None = None
    input: Raw = Raw(b"null")
    answer: Raw = Raw(b"null")
    notice: str = ""
    status: FlowStatus = "active"


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """`flow.signal`."""

    node: str | None = None
    name: str = ""
    to: str = ""


class Step(_Flow, frozen=True, kw_only=True):
    """`flow.step`: a node was entered."""

    node: str
    content: str = ""
    status: FlowStatus = "active"


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """`flow.version`."""

    flow: str
    version: Version
    node: str = ""
    status: FlowStatus = "active"


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """`flow.end`."""

    node: str | None = None
    status: Literal["finished", "failed"] = "finished"
    failure: str = ""
    rolled_back: bool = False


# Started


def _start(folded: Folded, data: Data) -> None:
    folded.flow, folded.flow_status = str(data.get("flow")), "active"
    change(folded, data)


def _started(ledger: Ledger, _: Event, data: Data) -> None:
    ledger.flow_version = str(data.get("version", ""))
    ledger.unknown -= {"flow", "flow_version"}


# An input


def _input(folded: Folded, data: Data) -> None:
    folded.ans, folded.came = data.get("answer", data.get("input")), None
    folded.flow_status = str(data.get("status", folded.flow_status))
    change(folded, data)


def _answer(data: Data) -> tuple[Json, ...]:
    answer = data.get("answer", data.get("input"))
    return () if answer is None else (answer,)


def _typed(event: Event, data: Data) -> Message:
    text, sender = text_of(data.get("input", "")), str(data.get("node"))
    return Message(seq=event.seq, at=Instant.of(event.at), role="user", text=text, sender=Name(sender))


def _searched_input(data: Data) -> Said:
    # In the place of a secret stands a mapping.
    typed = data.get("input", "")
    return Said("user", "" if isinstance(typed, dict) else text_of(typed), str(data.get("node")))


# A node is entered


def _step(folded: Folded, data: Data) -> None:
    folded.history.append(str(data["node"]))
    folded.flow_status = str(data.get("status", "active"))
    folded.came = None
    change(folded, data)


def _lost_step(folded: Folded) -> None:
    partial(folded)
    folded.came = None


def _entered(ledger: Ledger, _: Event, data: Data) -> None:
    ledger.history.append(sys.intern(str(data["node"])))
    ledger.unknown -= STATUS


def _missed_step(ledger: Ledger, event: Event) -> None:
    ledger.untold[str(len(ledger.history))] = event.seq
    ledger.history.append(None)


def _node(event: Event, data: Data) -> dict[str, str]:
    return {str(event.seq): str(data["node"])} if "node" in data else {}


def _content(event: Event, data: Data) -> Message | None:
    if not data.get("content"):
        return None
    text, sender = str(data["content"]), str(data.get("node"))
    return Message(seq=event.seq, at=Instant.of(event.at), role="assistant", text=text, sender=Name(sender))


def _searched_step(data: Data) -> Said:
    return (
        Said("assistant", str(data["content"]), str(data.get("node")))
        if data.get("content")
        else Said("", "")
    )


# Another version


def _version(folded: Folded, data: Data) -> None:
    # A session that was imported without its flow's name has it from the first version that it runs.
    folded.flow = folded.flow or str(data.get("flow"))
    folded.flow_status = str(data.get("status", folded.flow_status))
    if "node" in data and folded.history:
        folded.history[-1] = str(data["node"])


def _changed_version(ledger: Ledger, _: Event, data: Data) -> None:
    ledger.flow_version = str(data.get("version", ""))
    ledger.unknown.discard("flow_version")
    if "node" in data and ledger.history:
        ledger.history[-1] = str(data["node"])


# Its end


def _end(folded: Folded, data: Data) -> None:
    folded.flow_status = "finished"
    if data.get("rolled_back"):
        folded.history = []
    folded.call = folded.came = folded.rollback = None


def _lost_end(folded: Folded) -> None:
    partial(folded)
    folded.call = folded.came = folded.rollback = None


def _ended(ledger: Ledger, _: Event, data: Data) -> None:
    ledger.unknown -= STATUS
    if ledger.rolls and data.get("rolled_back"):
        ledger.history = []
        ledger.unknown -= HISTORY


def missed_unwinding(ledger: Ledger, _: Event) -> None:
    """Follow an erased event that may have shortened the history, in a rollback."""
    if ledger.rolls:
        ledger.unknown |= HISTORY


KINDS: Final = (
    Kind(
        name=kinds.FLOW_STARTED, payload=Started, fold=_start, learn=_started, sets=as_set, deletes=as_deleted,
        loses=frozenset({"flow", "flow_version"}) | STATUS, hashes=("version",), step=True,
    ),
    Kind(
        name=kinds.FLOW_INPUT, payload=Input, fold=_input, sets=as_set, deletes=as_deleted, loses=STATUS,
        answer=_answer, answers=True, said=_typed, role="user", searched=_searched_input, step=True,
    ),
    Kind(name=kinds.FLOW_SIGNAL, payload=Signal, step=True),
    Kind(
        name=kinds.FLOW_STEP, payload=Step, fold=_step, lost=_lost_step, learn=_entered, missed=_missed_step,
        sets=as_set, deletes=as_deleted, nodes=_node, loses=STATUS, said=_content, role="assistant",
        searched=_searched_step, step=True,
    ),
    Kind(
        name=kinds.FLOW_VERSION, payload=NewVersion, fold=_version, learn=_changed_version, fixed=True, step=True
    ),
    Kind(
        name=kinds.FLOW_END, payload=Ended, fold=_end, lost=_lost_end, learn=_ended, missed=missed_unwinding,
        loses=STATUS, step=True,
    ),
)  # fmt: skip
