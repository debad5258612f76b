"""A session: its fields, its four states and the ways between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from retoma.errors import Invalid, Refused
from retoma.model.codec import JsonMap
from retoma.model.flow import FlowStatus
from retoma.model.ids import SessionId, SessionKey

Status: TypeAlias = Literal["active", "suspended", "completed", "failed"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
FINAL: Final[tuple[Status, ...]] = ("completed", "failed")

_WAYS: Final[dict[Status, tuple[Status, ...]]] = {
    "active": ("suspended", "completed", "failed"),
    "suspended": ("active", "completed", "failed"),
    "completed": (),
    "failed": (),
}
_WORDS: Final[dict[str, tuple[Status, ...]]] = {
    "paused": ("suspended",),
    "pausada": ("suspended",),
    "ativa": ("active",),
    "ended": FINAL,
    "encerrada": FINAL,
}

SHOWN: Final = 0
ARCHIVED: Final = 1
TRASHED: Final = 2
"""The shelves that a person can put a session on; lists show one at a time."""

LISTED_EVERY_MS: Final = 1_000
"""Lists follow a session's writes at most this often: an index that moved on every append would double its cost."""

PROPERTIES: Final = ("title", "agent", "model", "thinking", "channel")
"""The texts in a session's row that can be changed. The fragments `properties…` of the statements have them, too."""

TITLE_LENGTH: Final = 200
DESCRIPTION_LENGTH: Final = 4_000
Thinking: TypeAlias = Literal["off", "low", "medium", "high"]
_THINKING: Final[dict[str, Thinking]] = {
    "off": "off",
    "low": "low",
    "medium": "medium",
    "normal": "medium",
    "high": "high",
    "verbose": "high",
}


class Head(msgspec.Struct, frozen=True):
    """What a write needs to know of a session; read and checked in the transaction that writes.

    `seq` and `hash` are the journal's end; `epoch_seq` the first event of the running epoch; `fence` the last fencing
    token given out; `listed_at` when lists last moved this session; `base` the last event that was cut off
    the journal's beginning, 0 when it is whole.
    """

    key: SessionKey
    id: SessionId
    status: Status
    epoch: int
    epoch_seq: int
    seq: int
    hash: bytes
    fence: int
    listed_at: int
    messages: int
    labels: int
    shelf: int = SHOWN
    base: int = 0

    @property
    def trashed(self) -> bool:
        return self.shelf == TRASHED


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it stands. Instants are milliseconds UTC; cost is millionths of the provider's currency unit."""

    key: SessionKey
    id: SessionId
    uid: bytes
    status: Status
    reason: str = ""
    title: str = ""
    agent: str = ""
    model: str = ""
    thinking: str = ""
    channel: str = ""
    parent: str | None = None
    epoch: int = 1
    seq: int = 0
    hash: bytes = b""
    messages: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_micros: int = 0
    created_at: int = 0
    updated_at: int = 0
    expires_at: int | None = None
    pinned: bool = False
    archived: bool = False
    trashed_at: int | None = None
    flow: str | None = None
    flow_path: str | None = None
    flow_version: bytes | None = None
    flow_node: str | None = None
    flow_status: FlowStatus | None = None
    flow_visits: int = 0
    template: str = ""
    fork_of: str | None = None
    fork_seq: int | None = None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is only read when one session is looked at: kept apart so that an append never rewrites it."""

    description: str = ""
    metadata: JsonMap = {}
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller may say of a session to be made. `id` None: one is generated.

    `template` is the one that the rest was completed from, if any.
    """

    id: str | None = None
    template: str = ""
    title: str = ""
    description: str = ""
    agent: str = ""
    model: str = ""
    thinking: str = ""
    channel: str = ""
    parent: str | None = None
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    metadata: JsonMap = {}
    ttl_ms: int | None = None


def properties(of: object) -> tuple[str, ...]:
    """Return the PROPERTIES of a row, a new session or a record of one."""
    return tuple(getattr(of, name) for name in PROPERTIES)


def change_status(head: Head, to: Status) -> None:
    """Raise Refused, naming both states and what is allowed, unless the session may change to `to`."""
    if to in _WAYS[head.status]:
        return
    allowed = _WAYS[head.status]
    if head.status == to:
        message = f"Session '{head.id}' is already {to}."
    else:
        message = f"Session '{head.id}' is {head.status} and cannot become {to}."
    hint = (
        f"From {head.status} it can become {', '.join(allowed)}."
        if allowed
        else "The session has ended: it can be read, exported and deleted. "
        f"`retoma session reset {head.id}` starts a new epoch; for a flow, "
        f"`retoma run FLOW --session {head.id} --fresh`."
    )
    raise Refused(message, code="status", hint=hint, status=head.status, wanted=to, allowed=list(allowed))


def accept_writes(head: Head, what: str) -> None:
    """Raise Refused unless the session takes messages, steps and state: only an active one does."""
    if head.shelf == TRASHED:
        raise in_trash(head.id)
    if head.status == "active":
        return
    hint = (
        f"Resume it first: retoma session resume {head.id}"
        if head.status == "suspended"
        else "It is read-only now: read it, export it, or create a new session."
    )
    raise Refused(
        f"Session '{head.id}' is {head.status} and accepts no {what}.",
        code="not_active",
        hint=hint,
        status=head.status,
    )


def in_trash(session: str) -> Refused:
    """Return the error for a write to a session that was put in the trash."""
    return Refused(
        f"Session '{session}' is in the trash.",
        code="trashed",
        hint=f"Take it out first: retoma session restore {session}",
        session=session,
    )


def statuses(word: str) -> tuple[Status, ...]:
    """Return the states that `word` means: a state's own name, or a word that people bring (paused, encerrada …).

    Several words are separated by commas.
    """
    if "," in word:
        found = [one for part in word.split(",") for one in statuses(part)]
        return tuple(dict.fromkeys(found))
    lowered = word.strip().lower()
    if lowered in STATUSES:
        return (lowered,)
    if lowered in _WORDS:
        return _WORDS[lowered]
    raise Invalid(
        f"{word!r} is not a status.",
        code="bad_status",
        hint=f"Statuses: {', '.join(STATUSES)}; also {', '.join(_WORDS)}.",
    )


def checked(new: NewSession) -> NewSession:
    """Return `new` with its words normalised. Raises Invalid for the first field that cannot be."""
    check_texts({name: getattr(new, name) for name in TEXTS})
    check_labels(new.tags, new.contexts)
    if new.template:
        _label("template's name", new.template)
    if new.ttl_ms is not None and new.ttl_ms <= 0:
        raise Invalid(
            "The time to live must be more than 0.", code="bad_ttl", hint="For example 30m, 5h or 1d."
        )
    return msgspec.structs.replace(
        new,
        thinking=thinking(new.thinking) if new.thinking else "",
        tags=tuple(sorted(set(new.tags))),
        contexts=tuple(sorted(set(new.contexts))),
    )


TEXTS: Final[dict[str, int]] = {
    "title": TITLE_LENGTH,
    "description": DESCRIPTION_LENGTH,
    "agent": 500,
    "model": 500,
    "channel": 500,
}
"""How many characters a session's texts may have."""


def check_texts(texts: Mapping[str, str]) -> None:
    """Raise Invalid for the first of a session's texts that is too long."""
    for name, text in texts.items():
        _at_most(f"A session's {name}", text, TEXTS[name])


def check_labels(tags: Iterable[str], contexts: Iterable[tuple[str, str]]) -> None:
    """Raise Invalid for the first tag or context that cannot be one."""
    for tag in tags:
        _label("tag", tag)
    for kind, ref in contexts:
        _label("context's kind", kind)
        _label("context's reference", ref, 1_000)


def thinking(word: str) -> Thinking:
    """Return the level that `word` means; normal is medium, verbose is high."""
    try:
        return _THINKING[word.lower()]
    except KeyError:
        raise Invalid(
            f"{word!r} is not a thinking level.", code="bad_thinking", hint="Levels: off, low, medium, high."
        ) from None


def _at_most(what: str, text: str, length: int) -> None:
    if len(text) > length:
        raise Invalid(
            f"{what} may have at most {length:,} characters; this one has {len(text):,}.", code="too_long"
        )


def _label(what: str, text: str, length: int = 100) -> None:
    if not text.strip() or any(ord(c) < 32 for c in text):
        raise Invalid(
            f"{text!r} cannot be a {what}: it is empty or contains a control character.", code="bad_label"
        )
    _at_most(f"A {what}", text, length)
