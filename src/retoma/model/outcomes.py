"""What becomes of sessions when something is done to them, or to several: what `--json` prints, and Python reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from retoma.model.codec import JsonField
from retoma.model.instant import Instant
from retoma.model.message import Message
from retoma.model.plain import Mapped
from retoma.model.session import Status
from retoma.model.shapes import Hex

if TYPE_CHECKING:
    from retoma.model import session
    from retoma.model.retention import Entry

T = TypeVar("T")


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


class Differs(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """A key of the state that is not the same in both; null in a session that does not have it."""

    key: str
    where: Literal["a", "b", "both"]
    a: JsonField = None
    b: JsonField = None


class Difference(msgspec.Struct, Mapped, frozen=True, kw_only=True):
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


class Pruned(msgspec.Struct, Mapped, frozen=True, kw_only=True):
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


class LogEntry(msgspec.Struct, Mapped, frozen=True, kw_only=True):
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


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What a command that failed prints on standard error."""

    error: Error


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
