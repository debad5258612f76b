"""The one shape of each thing: what commands return and Python reads, and as JSON what `--json` prints.

Every key is there in every object of its shape, null when it has no value. A `Name` is null when it is empty, and
Python reads it as a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from retoma.model.codec import JsonField, JsonMap, NameField
from retoma.model.instant import Instant
from retoma.model.message import Message
from retoma.model.session import Status

if TYPE_CHECKING:
    from retoma.model import session
    from retoma.model.call import Call
    from retoma.model.event import Event as Linked
    from retoma.model.flow import Position
    from retoma.model.lease import Lease as Term
    from retoma.model.retention import Entry

T = TypeVar("T")

Hex: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]*$")]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
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


class Flow(msgspec.Struct, frozen=True, kw_only=True):
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


class Session(msgspec.Struct, frozen=True, kw_only=True):
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


class Lease(msgspec.Struct, frozen=True, kw_only=True):
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


class Note(msgspec.Struct, frozen=True, kw_only=True):
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


class Branch(msgspec.Struct, frozen=True):
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


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a journal; `data` is null once it was erased.

    `cause` is the seq of the event that led to it; `operation` and `hash` are hexadecimal. Events of a type that this
    version does not know are returned as they are.

    >>> event = next(session.events())
    >>> event.seq, event.type, event.data
    (1, 'session.created', {'id': 'demo', 'title': 'A demonstration'})
    """

    seq: int
    type: str
    at: Instant
    actor: str
    cause: int | None
    operation: Hex | None
    data: Mapping[str, JsonField] | None
    hash: Hex

    @classmethod
    def of(cls, event: Linked) -> Event:
        """Return an event of the chain."""
        return Event(
            seq=event.seq, type=event.type, at=Instant.of(event.at), actor=event.actor, cause=event.cause,
            operation=event.operation.hex() if event.operation else None,
            data=None if event.erased else event.value(), hash=event.hash.hex(),
        )  # fmt: skip


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    old: Status = msgspec.field(name="from")
    new: Status = msgspec.field(name="to")
    reason: str


class Renamed(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    old: str = msgspec.field(name="from")


class Written(msgspec.Struct, frozen=True):
    """The event that a message or a note became."""

    id: str
    seq: int


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A new epoch, and whether the earlier ones were deleted."""

    id: str
    epoch: int
    erased: bool


class Redacted(msgspec.Struct, frozen=True, kw_only=True):
    """What a redaction took, or would take."""

    id: str
    events: Sequence[int]
    keys: Sequence[str]
    fields: Sequence[str]
    branches: Sequence[str]
    done: bool


class Forked(msgspec.Struct, frozen=True, kw_only=True):
    """A fork, with the last event that it shares, and the session that has it; null when that one is gone."""

    id: str
    of: str | None = msgspec.field(name="fork_of")
    seq: int = msgspec.field(name="fork_seq")


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """A session taken back to its event `seq`; all that was is `kept`, null once deleted."""

    id: str
    seq: int
    kept: str | None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of two sessions that are compared, as it was then."""

    id: str
    seq: int
    status: Status
    flow: str | None
    current_node: str | None

    @classmethod
    def of(cls, row: session.Session) -> Side:
        """Return a session as it is compared."""
        return Side(
            id=row.id, seq=row.seq, status=row.status, flow=row.flow, current_node=row.flow_node
        )  # fmt: skip


class Common(msgspec.Struct, frozen=True):
    """By what two sessions have a beginning in common, and up to which event in each."""

    by: Literal["fork", "content"] | None
    a: int
    b: int


class Alone(msgspec.Struct, frozen=True):
    """The messages that each of two sessions has alone."""

    a: tuple[Message, ...]
    b: tuple[Message, ...]


class Differs(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the state that is not the same in both; null in a session that does not have it."""

    key: str
    where: Literal["a", "b", "both"]
    a: JsonField = None
    b: JsonField = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What two sessions have alone.

    They begin alike up to the seq `to_a` in the one and `to_b` in the other. `by` says why: `fork` when they share
    those events, `content` when the same was said, None when nothing is alike. `only_a` and `only_b` are the messages
    that each has alone, oldest first, and `state` the keys that differ.

    >>> client.diff("demo", "demo").only_a
    ()
    """

    a: Side
    b: Side
    common: Common
    messages: Alone
    state: tuple[Differs, ...]

    by = property(lambda self: self.common.by)
    to_a = property(lambda self: self.common.a)
    to_b = property(lambda self: self.common.b)
    only_a = property(lambda self: self.messages.a)
    only_b = property(lambda self: self.messages.b)


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What was put in the trash, or would be: sessions without an event since `before`; `first` names 20 at most.

    >>> client.prune("90d", dry_run=True).by_status
    {}
    """

    before: Instant
    count: int
    by_status: Mapping[str, int]
    first: tuple[str, ...]
    done: bool

    @classmethod
    def of(
        cls, before: int, by_status: Mapping[Status, int], first: tuple[str, ...], *, done: bool
    ) -> Pruned:
        """Return what went, or would go, of each status."""
        counts = {str(status): count for status, count in by_status.items()}
        count = sum(counts.values())
        return Pruned(before=Instant.of(before), count=count, by_status=counts, first=first, done=done)


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What went in a store without anybody's hand: `action` is `failed`, `trashed`, `erased` or `swept`, `why` the
    rule.

    `count` is how many events the session had, or how many things went; `session` is None once it is deleted. `digest`
    stands for its id, also afterwards.

    >>> client.log().items
    []
    """

    number: int
    at: Instant
    actor: str
    action: str = msgspec.field(name="deed")
    session: str | None
    digest: Hex | None
    count: int
    why: str

    @classmethod
    def of(cls, entry: Entry) -> LogEntry:
        """Return an entry of the store's log."""
        return LogEntry(
            number=entry.number, at=Instant.of(entry.at), actor=entry.actor, action=entry.deed,
            session=entry.id or None, digest=entry.digest.hex() if entry.digest is not None else None,
            count=entry.count, why=entry.why,
        )  # fmt: skip


class Signalled(msgspec.Struct, frozen=True, kw_only=True):
    """What a signal did; `to` is null when nothing handles an interrupt."""

    id: str
    signal: str
    node: str | None
    to: str | None
    current_node: str | None
    flow_status: str


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was written."""

    id: str
    format: str
    file: str
    size_bytes: int
    redacted: bool


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one of several sessions: the verb's own word says whether it was done, `code` why not."""

    id: str
    pinned: bool | UnsetType = UNSET
    unpinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    unarchived: bool | UnsetType = UNSET
    trashed: bool | UnsetType = UNSET
    restored: bool | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET
    code: str | UnsetType = UNSET
    forks: Sequence[str] | UnsetType = UNSET
    lines: Sequence[str] | UnsetType = UNSET
    shared: int | UnsetType = UNSET


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong: `code` is stable, `facts` depend on it."""

    code: str
    title: str
    detail: str
    hint: str
    facts: Mapping[str, JsonField]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What was met in another tool's file: `code` is stable, `line` counts from 1 where a line is meant."""

    code: str
    detail: str
    line: int | UnsetType = UNSET


class Imported(msgspec.Struct, frozen=True, kw_only=True):
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
    warnings: Sequence[Notice]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found: a message, a note, or with `seq` null a title. `marks` are [begin, end) in the snippet.

    `session` is the session's id, `title` its title; the role of a title and its description is `title`, and it is `at`
    the last change. `score` orders the results of one search; the highest is first in each stretch of the index.

    >>> client.search("demonstration").items[0].role
    'title'
    """

    session: str
    title: NameField
    seq: int | None
    epoch: int
    at: Instant
    role: str
    sender: NameField
    snippet: str
    marks: tuple[tuple[int, int], ...]
    score: float


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list. `total` is null unless it was asked for. `next` is the cursor of the page after it.

    >>> page = client.list(limit=10, total=True)
    >>> [one.id for one in page], page.more, page.next, page.total
    (['demo'], False, None, 1)
    """

    items: Sequence[T]
    next: str | None = None
    more: bool = False
    total: int | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "more", self.next is not None)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Found(Page[Hit], frozen=True, kw_only=True):
    """A page of what was found. `indexed_to` is null unless the index was behind: up to when it holds everything.

    `total` is there when all results were looked at for this page. Of what was written since `indexed_to` only the
    newest was searched. The index is built behind those who write, and by `retoma store gc`.

    >>> page = client.search("demonstration", limit=1)
    >>> [hit.session for hit in page], page.more, page.total, page.indexed_to
    (['demo'], False, 1, None)
    """

    indexed_to: Instant | None = None


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
