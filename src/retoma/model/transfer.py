"""What an export holds: one record of each kind, the same in every format that can be read in again.

Instants are milliseconds UTC, as the hash chain has them; bytes are lower-case hex, files base64.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from retoma.model.event import Event
from retoma.model.session import PROPERTIES, About, Session, Status

FORMAT_VERSION: Final = 1
"""Goes up with every change that an earlier Retoma would misread; it refuses what it does not know."""

Format: TypeAlias = Literal["json", "jsonl", "csv", "md", "html"]

Hash: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Key: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Hex: TypeAlias = Annotated[str, Meta(pattern=r"^([0-9a-f]{2})+\Z", max_length=128)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Instant: TypeAlias = Annotated[int, Meta(ge=-62_135_596_800_000, le=253_402_300_799_999)]  # years 1 to 9999
Seq: TypeAlias = Annotated[int, Meta(ge=0, lt=(1 << 32) - 1)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Link(_Part, frozen=True, kw_only=True):
    """An event's place and its hash. The base is what the first event is chained to; its seq is 0 until a cut."""

    seq: Seq
    hash: Hash


class EpochPart(_Part, frozen=True, kw_only=True):
    """An epoch: `first_seq` is its first event."""

    epoch: Annotated[int, Meta(ge=1, le=1 << 31)]
    uid: Key
    first_seq: Seq
    began_at: Instant
    reused: bool


class ContextPart(_Part, frozen=True, kw_only=True):
    """A context of the session."""

    kind: str
    ref: str


class UsagePart(_Part, frozen=True, kw_only=True):
    """Totals of the running epoch."""

    tokens_in: Count
    tokens_out: Count
    tokens_cached: Count
    cost_micros: Count


class FlowPart(_Part, frozen=True, kw_only=True):
    """Where the session's flow stands."""

    name: str
    path: str | None
    version: Hash | None
    node: str | None
    status: str | None
    visits: Count


class SessionRecord(_Part, tag="session", tag_field="type", frozen=True, kw_only=True):
    """The session as its rows have it, at the head; what drives it is not part of it.

    `redacted` is there when the export was made without what it was not to show: the last record says what that was.
    """

    format_version: Literal[1] = 1
    id: str
    uid: Key
    title: str
    description: str
    status: Status
    reason: str
    archived: bool
    pinned: bool
    agent: str
    model: str
    thinking: str
    channel: str
    parent: str | None
    tags: tuple[str, ...]
    contexts: tuple[ContextPart, ...]
    metadata: dict[str, Any]
    created_at: Instant
    updated_at: Instant
    expires_at: Instant | None
    epochs: Annotated[tuple[EpochPart, ...], Meta(min_length=1)]
    base: Link
    head: Link
    messages: Count
    usage: UsagePart
    flow: FlowPart | None
    redacted: Literal[True] | UnsetType = UNSET
    template: str | UnsetType = UNSET


class EventRecord(_Part, tag="event", tag_field="type", omit_defaults=True, frozen=True, kw_only=True):
    """An event with all that the chain is computed from. `data` and `salt` are absent once erased.

    `data_text` stands for `data` where the exact bytes would be lost in it: JSON that no Retoma wrote.
    """

    seq: Seq
    kind: str
    at: Instant
    actor: str
    cause: Seq | None = None
    operation: Hex | None = None
    request: Hex | None = None
    salt: Hex | None = None
    digest: Hash
    hash: Hash
    erased: bool = False
    data: Raw | UnsetType = UNSET
    data_text: str | UnsetType = UNSET


class StateRecord(_Part, tag="state", tag_field="type", frozen=True, kw_only=True):
    """One key of the state. `seq` is the event that set it."""

    key: str
    seq: Seq
    value: Any


class VisitsRecord(_Part, tag="visits", tag_field="type", frozen=True, kw_only=True):
    """Nodes that the flow entered, in order; `first` is the place of the first of them, from 1."""

    first: Annotated[int, Meta(ge=1, le=1 << 53)]
    nodes: tuple[str, ...]


class FlowRecord(_Part, tag="flow", tag_field="type", frozen=True, kw_only=True):
    """One file of the version of the flow that the session runs."""

    version: Hash
    name: str
    path: str
    content: bytes


class RedactedPart(_Part, frozen=True, kw_only=True):
    """What an export left out beside the data of events: keys of the state, fields of the session, the last input.

    `deleted` are keys that the state does not have, each with the event that is left out and deleted it; `nodes` what
    steps entered that are left out, under their seqs.
    """

    keys: tuple[str, ...] = ()
    deleted: dict[str, int] = {}
    nodes: dict[str, str] = {}
    fields: tuple[str, ...] = ()
    ans: bool = False


class EndRecord(_Part, tag="end", tag_field="type", frozen=True, kw_only=True):
    """The last record. `records` is BLAKE3 over all records but the events, so that a change in them is seen too."""

    events: Count
    head: Hash
    records: Hash
    redacted: RedactedPart | UnsetType = UNSET


Record: TypeAlias = SessionRecord | EventRecord | StateRecord | VisitsRecord | FlowRecord | EndRecord

encoded = msgspec.json.Encoder().encode
decoded = msgspec.json.Decoder(Record).decode


def event_record(event: Event, data: Raw | UnsetType, text: str | UnsetType = UNSET) -> EventRecord:
    """Return the record of `event`, its data as given."""
    operation, request, salt = event.operation, event.request, event.salt
    return EventRecord(
        seq=event.seq,
        kind=event.type,
        at=event.at,
        actor=event.actor,
        cause=event.cause,
        operation=operation.hex() if operation else None,
        request=request.hex() if request else None,
        salt=salt.hex() if salt else None,
        digest=event.digest.hex(),
        hash=event.hash.hex(),
        erased=event.data is None,
        data=data,
        data_text=text,
    )


def session_record(session: Session, about: About, base: Link, epochs: list[EpochPart]) -> SessionRecord:
    """Return the record of a session from what its rows say."""
    return SessionRecord(
        **{name: getattr(session, name) for name in _ROW},
        uid=session.uid.hex(),
        description=about.description,
        tags=about.tags,
        contexts=tuple(ContextPart(kind=kind, ref=ref) for kind, ref in about.contexts),
        metadata=dict(about.metadata),
        epochs=tuple(epochs),
        base=base,
        head=Link(seq=session.seq, hash=session.hash.hex()),
        usage=UsagePart(**{name: getattr(session, name) for name in UsagePart.__struct_fields__}),
        flow=_flow_part(session),
        template=session.template or UNSET,
    )


_ROW: Final = (
    "id", *PROPERTIES, "status", "reason", "archived", "pinned", "parent", "created_at", "updated_at", "expires_at",
    "messages",
)  # fmt: skip
"""What a record has of a row as it is."""


def _flow_part(session: Session) -> FlowPart | None:
    if session.flow is None:
        return None
    return FlowPart(
        name=session.flow,
        path=session.flow_path,
        version=session.flow_version.hex() if session.flow_version else None,
        node=session.flow_node,
        status=session.flow_status,
        visits=session.flow_visits,
    )
