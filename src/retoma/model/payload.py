"""The data of each known event as a type: what folds and reads rely on. Fields that a later version adds are ignored.

An event of an unknown type has any JSON: it is kept, shown, and never interpreted.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw

from retoma.errors import Integrity
from retoma.model import event as kinds
from retoma.model.call import Call, Rollback
from retoma.model.codec import JsonField
from retoma.model.event import Event
from retoma.model.flow import FlowStatus
from retoma.model.session import Status
from retoma.model.state import SYS

Uid: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Version: TypeAlias = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Pairs: TypeAlias = tuple[tuple[str, str], ...]
Names: TypeAlias = tuple[str, ...]
Values: TypeAlias = dict[str, Raw]


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Created(_Payload, frozen=True, kw_only=True):
    """`session.created`."""

    id: str = ""
    template: str = ""
    title: str = ""
    description: str = ""
    agent: str = ""
    model: str = ""
    thinking: str = ""
    channel: str = ""
    parent: str | None = None
    tags: Names = ()
    contexts: Pairs = ()
    metadata: Values = {}
    ttl_ms: Number | None = None


class Fields(_Payload, frozen=True, kw_only=True):
    """What a `session.updated` sets."""

    id: str = ""
    title: str = ""
    description: str = ""
    agent: str = ""
    model: str = ""
    thinking: str = ""
    channel: str = ""
    pinned: bool = False
    archived: bool = False
    trashed: bool = False


class Updated(_Payload, frozen=True, kw_only=True):
    """`session.updated`."""

    set: Fields = Fields()
    tag: Names = ()
    untag: Names = ()
    link: Pairs = ()
    unlink: Pairs = ()
    metadata: Values = {}
    forget: Names = ()


class Changed(_Payload, frozen=True, kw_only=True):
    """`session.status`."""

    to: Status
    reason: str = ""


class Reset(_Payload, frozen=True, kw_only=True):
    """`session.reset`: a new epoch."""

    epoch: Annotated[int, Meta(ge=1, le=1 << 31)]
    uid: Uid
    erased: Number | None = None


class Forked(_Payload, frozen=True, kw_only=True):
    """`session.forked`."""

    uid: Uid
    of: Uid
    seq: Number
    epoch_uid: Uid
    call_key: str = ""


class Note(_Payload, frozen=True, kw_only=True):
    """`session.note`."""

    text: str


class Erased(_Payload, frozen=True, kw_only=True):
    """`session.erased`: which events were erased, and what that left of the session."""

    events: tuple[Number, ...] = ()
    keys: Names = ()
    deleted: dict[str, Number] = {}
    nodes: dict[str, str] = {}
    fields: Names = ()
    ans: bool = False
    call: Call | None = None
    rollback: Rollback | None = None


class Usage(_Payload, frozen=True, kw_only=True):
    """What a message took."""

    tokens_in: Number | None = None
    tokens_out: Number | None = None
    tokens_cached: Number | None = None


class Said(_Payload, frozen=True, kw_only=True):
    """`message`. Content that is no text and no known parts is shown as its JSON."""

    role: str
    content: Raw
    sender: str = ""
    usage: Usage | None = None


class _Changing(_Payload, frozen=True, kw_only=True):
    """What changes keys of the state."""

    set: Values = {}
    delete: Names = ()


class State(_Changing, frozen=True, kw_only=True):
    """`state`. Imported sessions have their last input in it, under `sys`."""


class _Flow(_Changing, frozen=True, kw_only=True):
    def __post_init__(self) -> None:
        if SYS in self.set or SYS in self.delete:
            raise ValueError(f"the key '{SYS}' is the flow's own")


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


class Signal(_Payload, frozen=True, kw_only=True):
    """`flow.signal`."""

    node: str | None = None
    name: str = ""
    to: str = ""


class Step(_Flow, frozen=True, kw_only=True):
    """`flow.step`: a node was entered."""

    node: str
    content: str = ""
    status: FlowStatus = "active"


class Ended(_Payload, frozen=True, kw_only=True):
    """`flow.end`."""

    node: str | None = None
    status: Literal["finished", "failed"] = "finished"
    failure: str = ""
    rolled_back: bool = False


class NewVersion(_Payload, frozen=True, kw_only=True):
    """`flow.version`."""

    flow: str
    version: Version
    node: str = ""
    status: FlowStatus = "active"


class Asked(Call, frozen=True, kw_only=True):
    """`flow.tool_call`."""

    def __post_init__(self) -> None:
        if self.at < 0 or self.attempt < 0 or self.failures < 0:
            raise ValueError("a count of a tool call is below 0")


class Attempted(_Payload, frozen=True, kw_only=True):
    """`flow.tool_started`."""

    attempt: Number
    approved: str = ""
    error: str = ""


class Returned(_Payload, frozen=True, kw_only=True):
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
            raise ValueError(f"the key '{SYS}' is the flow's own")


_TYPES: Final[dict[str, type[msgspec.Struct]]] = {
    kinds.CREATED: Created,
    kinds.UPDATED: Updated,
    kinds.STATUS: Changed,
    kinds.RESET: Reset,
    kinds.FORKED: Forked,
    kinds.NOTE: Note,
    kinds.ERASED: Erased,
    kinds.MESSAGE: Said,
    kinds.STATE: State,
    kinds.FLOW_STARTED: Started,
    kinds.FLOW_INPUT: Input,
    kinds.FLOW_SIGNAL: Signal,
    kinds.FLOW_STEP: Step,
    kinds.FLOW_END: Ended,
    kinds.FLOW_VERSION: NewVersion,
    kinds.TOOL_CALL: Asked,
    kinds.TOOL_STARTED: Attempted,
    kinds.TOOL_RESULT: Returned,
    kinds.FLOW_ROLLBACK: Rollback,
    kinds.RECORD: _Payload,
}
KNOWN: Final = frozenset(_TYPES)
"""The types of events that this version knows."""

_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def prove(event: Event) -> None:
    """Raise Integrity unless the event's data is what its type has. Erased data, and an unknown type's, is anything."""
    if event.data is None or event.type not in _TYPES:
        return
    if event.type not in _decoders:
        _decoders[event.type] = msgspec.json.Decoder(_TYPES[event.type])
    try:
        _decoders[event.type].decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Integrity(
            f"Event {event.seq:,} ({event.type}) is damaged: {str(error) or 'it is nested too deep'}.",
            code="damaged_event",
            hint="Restore a backup, or look at what is whole with `retoma session log`.",
            seq=event.seq,
        ) from error
