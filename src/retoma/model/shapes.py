"""The JSON shapes as types: what `--json` prints, and what the JSON Schema of them is made from.

A time is RFC 3339 in UTC with `Z`. Every key is there in every object of its shape, null when it has no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Generic, Literal, NotRequired, TypeAlias, TypedDict, TypeVar

from msgspec import Meta

from retoma.model.codec import JsonField
from retoma.model.message import Part, Role
from retoma.model.session import Status

T = TypeVar("T")

Time: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$", extra_json_schema={"format": "date-time"}),
]
Hex: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]*$")]


class Usage(TypedDict):
    """Tokens, and cost in millionths of the provider's currency unit, of the running epoch."""

    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_micros: int


class Flow(TypedDict):
    """Where a session's flow stands. `version` is the hash of its files; `visits` counts the nodes it entered."""

    name: str
    path: str | None
    version: Hex | None
    status: str | None
    node: str | None
    visits: int


class Session(TypedDict):
    """A session, as lists show it."""

    id: str
    status: Status
    reason: str
    title: str
    agent: str | None
    model: str | None
    thinking: str | None
    channel: str | None
    template: str | None
    parent: str | None
    fork_of: str | None
    fork_seq: int | None
    epoch: int
    events: int
    messages: int
    pinned: bool
    archived: bool
    trashed_at: Time | None
    ephemeral: bool
    expired: bool
    expires_at: Time | None
    created_at: Time
    updated_at: Time
    usage: Usage
    flow: Flow | None


class Context(TypedDict):
    """What a session is about."""

    kind: str
    ref: str


class Holder(TypedDict):
    """The process that drives a session."""

    host: str
    pid: int
    command: str
    user: str


class Lease(TypedDict):
    """Who drives a session, and until when."""

    holder: Holder
    token: int
    acquired_at: Time
    expires_at: Time


class Whole(Session):
    """A session with all that is said of it."""

    description: str
    tags: list[str]
    contexts: list[Context]
    metadata: Mapping[str, JsonField]
    lease: Lease | None


class Note(TypedDict):
    """A remark; `text` is null once it was erased."""

    seq: int
    at: Time
    actor: str
    text: str | None


class ToolCall(TypedDict):
    """A tool that a flow waits for; with `undo` it takes back what the node did."""

    node: str
    name: str
    id: str | None
    args: JsonField
    undo: bool
    key: str
    approved: str | None
    attempt: int


class Shown(Whole):
    """What `session show` prints."""

    notes: list[Note]
    pending_tool_call: ToolCall | None


class Tree(Session):
    """A session with those below it."""

    children: list[Tree]
    forks: list[Tree]


class Sys(TypedDict):
    """What templates of flows see as `sys`."""

    ans: JsonField


class State(TypedDict):
    """The state of a session, at its event `seq`."""

    id: str
    status: Status
    reason: str
    seq: int
    epoch: int
    flow: str | None
    flow_status: str | None
    current_node: str | None
    context: Mapping[str, JsonField]
    history: list[str]
    sys: Sys
    pending_tool_call: ToolCall | None


class Trellis(TypedDict):
    """The four fields of the session guide."""

    CurrentNodeID: str
    Status: Status
    Context: Mapping[str, JsonField]
    History: list[str]


class Message(TypedDict):
    """A message of a conversation. `role` is empty for one that was erased; `parts` null for a text alone."""

    seq: int
    at: Time
    role: Role | str
    sender: str | None
    text: str
    parts: list[Part] | None
    epoch: int


class Event(TypedDict):
    """An event of a journal; `data` is null once it was erased."""

    seq: int
    type: str
    at: Time
    actor: str
    cause: int | None
    operation: Hex | None
    data: Mapping[str, JsonField] | None
    hash: Hex


Changed = TypedDict("Changed", {"id": str, "from": Status, "to": Status, "reason": str})
Renamed = TypedDict("Renamed", {"id": str, "from": str})


class Written(TypedDict):
    """The event that a message or a note became."""

    id: str
    seq: int


class Begun(TypedDict):
    """A new epoch, and whether the earlier ones were deleted."""

    id: str
    epoch: int
    erased: bool


class Redacted(TypedDict):
    """What a redaction took, or would take."""

    id: str
    events: list[int]
    keys: list[str]
    fields: list[str]
    branches: list[str]
    done: bool


class Forked(TypedDict):
    """A fork, with the last event that it shares, and the session that has it; null when that one is gone."""

    id: str
    fork_of: str | None
    fork_seq: int


class Undone(TypedDict):
    """A session taken back to its event `seq`; all that was is `kept`, null once deleted."""

    id: str
    seq: int
    kept: str | None


class Side(TypedDict):
    """One of two sessions that are compared, as it was then."""

    id: str
    seq: int
    status: Status
    flow: str | None
    current_node: str | None


class Common(TypedDict):
    """By what two sessions have a beginning in common, and up to which event in each."""

    by: Literal["fork", "content"] | None
    a: int
    b: int


class Alone(TypedDict):
    """The messages that each of two sessions has alone."""

    a: list[Message]
    b: list[Message]


class Differs(TypedDict):
    """A key of the state that is not the same in both; null in a session that does not have it."""

    key: str
    where: Literal["a", "b", "both"]
    a: JsonField
    b: JsonField


class Difference(TypedDict):
    """What two sessions have alone."""

    a: Side
    b: Side
    common: Common
    messages: Alone
    state: list[Differs]


class Pruned(TypedDict):
    """What was put in the trash, or would be: sessions without an event since `before`; `first` names 20 at most."""

    before: Time
    count: int
    by_status: dict[str, int]
    first: list[str]
    done: bool


class Signalled(TypedDict):
    """What a signal did; `to` is null when nothing handles an interrupt."""

    id: str
    signal: str
    node: str | None
    to: str | None
    current_node: str | None
    flow_status: str


class Exported(TypedDict):
    """A file that was written."""

    id: str
    format: str
    file: str
    size_bytes: int
    redacted: bool


class Outcome(TypedDict):
    """What became of one of several sessions: the verb's own word says whether it was done, `code` why not."""

    id: str
    pinned: NotRequired[bool]
    unpinned: NotRequired[bool]
    archived: NotRequired[bool]
    unarchived: NotRequired[bool]
    trashed: NotRequired[bool]
    restored: NotRequired[bool]
    deleted: NotRequired[bool]
    code: NotRequired[str]
    forks: NotRequired[list[str]]
    lines: NotRequired[list[str]]
    shared: NotRequired[int]


class Error(TypedDict):
    """What went wrong: `code` is stable, `facts` depend on it."""

    code: str
    title: str
    detail: str
    hint: str
    facts: Mapping[str, JsonField]


class Notice(TypedDict):
    """What was met in another tool's file: `code` is stable, `line` counts from 1 where a line is meant."""

    code: str
    detail: str
    line: NotRequired[int]


class Imported(TypedDict):
    """What became of a session of a file; of a file with several, an item each. `warnings` stand with the first.

    `kept` events are here and erased where the file comes from; `erased` ones were here until now.
    """

    file: str
    format: str | None
    id: str | None
    events: int | None
    added: int
    kept: int
    erased: int
    outcome: str
    error: Error | None
    warnings: list[Notice]


class Hit(TypedDict):
    """What a search found: a message, a note, or with `seq` null a title. `marks` are [begin, end) in the snippet."""

    session: str
    title: str | None
    seq: int | None
    epoch: int
    at: Time
    role: str
    sender: str | None
    snippet: str
    marks: list[tuple[int, int]]
    score: float


class Found(TypedDict):
    """A page of what was found. `indexed_to` is null unless the index was behind: up to when it holds everything."""

    items: list[Hit]
    next: str | None
    more: bool
    total: int | None
    indexed_to: Time | None


class Page(TypedDict, Generic[T]):
    """A page of a list. `total` is null unless it was asked for."""

    items: list[T]
    next: str | None
    more: bool
    total: int | None
