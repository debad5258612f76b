"""The one shape of each thing: what commands return and Python reads, and as JSON what `--json` prints.

Every key is there in every object of its shape, null when it has no value. A `Name` is null when it is empty, and
Python reads it as a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from retoma.model.codec import JsonField, JsonMap
from retoma.model.instant import Instant
from retoma.model.plain import Mapped
from retoma.model.session import Status

if TYPE_CHECKING:
    from retoma.model import session
    from retoma.model.call import Call
    from retoma.model.event import Event as Linked
    from retoma.model.flow import Position
    from retoma.model.lease import Lease as Term

T = TypeVar("T")

Hex: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]*$")]


class Usage(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """Tokens, and cost in millionths of the provider's currency unit, of the running epoch.

    >>> session.usage.tokens_in
    0
    """

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_micros: int = 0

    @classmethod
    def of(cls, row: session.Session) -> Usage:
        """Return what a session used."""
        return Usage(**{name: getattr(row, name) for name in cls.__struct_fields__})


class Flow(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """Where a session's flow stands. `version` is the hash of its files; `visits` counts the nodes it entered.

    >>> session.flow is None
    True
    """

    name: str
    path: str | None
    version: Hex | None
    status: str | None
    node: str | None
    visits: int

    @classmethod
    def of(cls, row: session.Session) -> Flow | None:
        """Return where a session's flow stands, None when it runs none."""
        if row.flow is None:
            return None
        return Flow(
            name=row.flow, path=row.flow_path, version=row.flow_version.hex() if row.flow_version else None,
            status=row.flow_status, node=row.flow_node, visits=row.flow_visits,
        )  # fmt: skip


class Session(msgspec.Struct, Mapped, frozen=True, kw_only=True):
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
    trashed_at: Instant | None
    ephemeral: bool
    expired: bool
    expires_at: Instant | None
    created_at: Instant
    updated_at: Instant
    usage: Usage
    flow: Flow | None

    @classmethod
    def of(cls, row: session.Session, now_ms: int) -> Session:
        """Return the session that a row is, at that instant."""
        return Session(**_facts(row, now_ms))


class Context(msgspec.Struct, frozen=True):
    """What a session is about."""

    kind: str
    ref: str


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The process that drives a session."""

    host: str
    pid: int
    command: str
    user: str


class Lease(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """Who drives a session, and until when. `token` only grows: of two drivers the one with the lower is the earlier.

    >>> session.driver is None
    True
    """

    holder: Holder
    token: int
    acquired_at: Instant
    expires_at: Instant

    @classmethod
    def of(cls, term: Term | None, now_ms: int) -> Lease | None:
        """Return who drove at that instant, None when nobody did or the term was over."""
        if term is None or term.expires_at <= now_ms:
            return None
        by = term.holder
        return Lease(
            holder=Holder(host=by.host, pid=by.pid, command=by.command, user=by.user), token=term.token,
            acquired_at=Instant.of(term.acquired_at), expires_at=Instant.of(term.expires_at),
        )  # fmt: skip

    @property
    def host(self) -> str:
        """The machine of the process."""
        return self.holder.host

    @property
    def pid(self) -> int:
        """The number of the process on that machine."""
        return self.holder.pid

    @property
    def command(self) -> str:
        """What the process was started as."""
        return self.holder.command

    @property
    def user(self) -> str:
        """The user of the process."""
        return self.holder.user


class Whole(Session, frozen=True, kw_only=True):
    """A session with all that is said of it."""

    description: str
    tags: Sequence[str]
    contexts: Sequence[Context]
    metadata: Mapping[str, JsonField]
    lease: Lease | None


class Note(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """A remark; `text` is null once it was erased.

    >>> session.note("Waits for the new data.")
    2
    >>> session.notes()[0].text
    'Waits for the new data.'
    """

    seq: int
    at: Instant
    actor: str
    text: str | None

    @classmethod
    def of(cls, event: Linked) -> Note:
        """Return the note that an event is."""
        text = event.value().get("text")
        said = text if isinstance(text, str) else None
        return Note(seq=event.seq, at=Instant.of(event.at), actor=event.actor, text=said)


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that a flow waits for; with `undo` it takes back what the node did."""

    node: str
    name: str
    id: str | None
    args: JsonField
    undo: bool
    key: str
    approved: str | None
    attempt: int

    @classmethod
    def of(cls, call: Call | None) -> ToolCall | None:
        """Return the call that a flow waits for. The texts of secrets are not in it."""
        if call is None:
            return None
        return ToolCall(
            node=call.node, name=call.name, id=call.id or None, args=call.args, undo=call.undo, key=call.key,
            approved=call.approved or None, attempt=call.attempt,
        )  # fmt: skip


class Shown(Whole, frozen=True, kw_only=True):
    """What `session show` prints."""

    notes: Sequence[Note]
    pending_tool_call: ToolCall | None


class Tree(Session, frozen=True, kw_only=True):
    """A session with those below it."""

    children: list[Tree]
    forks: list[Tree]

    @classmethod
    def above(cls, found: Sequence[tuple[int, session.Session]], now_ms: int) -> Tree:
        """Return the first with the others inside, from (depth, session), parents first."""
        path: list[Tree] = []
        for depth, row in found:
            one = Tree(**_facts(row, now_ms), children=[], forks=[])
            del path[depth:]
            if path:
                (path[-1].forks if is_fork_of(row, path[-1].id) else path[-1].children).append(one)
            path.append(one)
        return path[0]


class Branch(msgspec.Struct, Mapped, frozen=True):
    """A session of a tree. `depth` is 0 for the first; `fork_seq` is the event of `fork_of` up to which it shares.

    >>> client.tree("demo")[0].depth
    0
    """

    depth: int
    id: str
    title: str
    status: str
    parent: str | None
    fork_of: str | None
    fork_seq: int | None

    @classmethod
    def of(cls, found: tuple[int, session.Session]) -> Branch:
        """Return a session of a tree, from its depth and its row."""
        depth, row = found
        return cls(depth, row.id, row.title, row.status, row.parent, row.fork_of, row.fork_seq)


class Sys(msgspec.Struct, frozen=True):
    """What templates of flows see as `sys`."""

    ans: JsonField


class State(msgspec.Struct, frozen=True, kw_only=True):
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
    history: Sequence[str]
    sys: Sys
    pending_tool_call: ToolCall | None

    @classmethod
    def of(cls, row: session.Session, position: Position, history: Sequence[str]) -> State:
        """Return the state of a session."""
        return State(
            id=row.id, status=row.status, reason=row.reason, seq=row.seq, epoch=row.epoch, flow=row.flow,
            flow_status=row.flow_status, current_node=row.flow_node, context=position.context, history=history,
            sys=Sys(position.ans), pending_tool_call=ToolCall.of(position.call),
        )  # fmt: skip


class Trellis(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The four fields of the session guide."""

    current_node_id: str = msgspec.field(name="CurrentNodeID")
    status: Status
    context: Mapping[str, JsonField]
    history: Sequence[str]

    @classmethod
    def of(cls, row: session.Session, position: Position, history: Sequence[str]) -> Trellis:
        """Return the state of a session; its history leaves out the current node."""
        return Trellis(
            current_node_id=row.flow_node or "", status=row.status, context=position.context, history=history[:-1]
        )  # fmt: skip


def whole(row: session.Session, about: session.About, lease: Term | None, now_ms: int) -> Whole:
    """Return a session with all that is said of it."""
    return Whole(**_facts(row, now_ms), **_said(about, lease, now_ms))


def shown(
    row: session.Session, about: session.About, lease: Term | None, notes: Sequence[Note], call: Call | None,
    now_ms: int,
) -> Shown:  # fmt: skip
    """Return what `session show` prints."""
    said = _said(about, lease, now_ms)
    return Shown(**_facts(row, now_ms), **said, notes=notes, pending_tool_call=ToolCall.of(call))


def is_fork_of(row: session.Session, above: str) -> bool:
    """Return whether a session stands below another in a tree because it was forked from it, and is no child."""
    return row.parent != above and row.fork_of == above


_UNSAID = ("agent", "model", "thinking", "channel", "template")


_INSTANTS = ("trashed_at", "expires_at", "created_at", "updated_at")


def _facts(row: session.Session, now_ms: int) -> dict[str, JsonField]:
    """Return the fields of a session: those of its row, and what follows from them."""
    facts: dict[str, JsonField] = {
        name: getattr(row, name) for name in Session.__struct_fields__ if hasattr(row, name)
    }
    facts |= {name: facts[name] or None for name in _UNSAID}
    facts |= {name: Instant.at(facts[name]) for name in _INSTANTS}
    expires = row.expires_at
    ends = {"ephemeral": expires is not None, "expired": expires is not None and expires <= now_ms}
    return facts | ends | {"events": row.seq, "usage": Usage.of(row), "flow": Flow.of(row)}


def _said(about: session.About, lease: Term | None, now_ms: int) -> dict[str, JsonField]:
    contexts = tuple(Context(kind, ref) for kind, ref in about.contexts)
    metadata: JsonMap = about.metadata
    return {
        "description": about.description, "tags": about.tags, "contexts": contexts, "metadata": metadata,
        "lease": Lease.of(lease, now_ms),
    }  # fmt: skip
