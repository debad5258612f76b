"""A session: its fields, its four states and the ways between them."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import msgspec

from retoma.errors import Invalid, Refused
from retoma.model.codec import JsonMap
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
_VERBS: Final[dict[Status, str]] = {
    "active": "resume",
    "suspended": "pause",
    "completed": "end",
    "failed": "fail",
}

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
    token given out; `listed_at` when lists last moved this session.
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
    flow: str | None = None
    flow_path: str | None = None
    flow_version: bytes | None = None
    flow_node: str | None = None
    flow_status: str | None = None
    flow_visits: int = 0


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is only read when one session is looked at: kept apart so that an append never rewrites it."""

    description: str = ""
    metadata: JsonMap = {}
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller may say of a session to be made. `id` None: one is generated."""

    id: str | None = None
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


def change_status(head: Head, to: Status) -> None:
    """Raise Refused, naming both states and what is allowed, unless the session may change to `to`."""
    if to in _WAYS[head.status]:
        return
    allowed = _WAYS[head.status]
    if head.status == to:
        message = f"Session '{head.id}' is {to} already."
    else:
        message = f"Session '{head.id}' is {head.status}, it cannot become {to}."
    hint = (
        f"From {head.status} it can become {', '.join(allowed)}."
        if allowed
        else "That state is final: the session can be read, exported and deleted; "
        "a new epoch begins with `retoma run FLOW --session ID --fresh`."
    )
    raise Refused(message, code="status", hint=hint, status=head.status, wanted=to, allowed=list(allowed))


def accept_writes(head: Head, what: str) -> None:
    """Raise Refused unless the session takes messages, steps and state: only an active one does."""
    if head.status == "active":
        return
    hint = (
        f"Take it up again first: retoma session resume {head.id}"
        if head.status == "suspended"
        else "It is read-only now: read it, export it, or begin a new session."
    )
    raise Refused(
        f"Session '{head.id}' is {head.status} and takes no {what}.",
        code="not_active",
        hint=hint,
        status=head.status,
    )


def verb_of(status: Status) -> str:
    """Return the command that leads to `status`."""
    return _VERBS[status]


def statuses(word: str) -> tuple[Status, ...]:
    """Return the states that `word` means: a state's own name, or a word that people bring (paused, encerrada …)."""
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
    _at_most("A title", new.title, TITLE_LENGTH)
    _at_most("A description", new.description, DESCRIPTION_LENGTH)
    for name in ("agent", "model", "channel"):
        _at_most(f"The {name}", getattr(new, name), 500)
    for tag in new.tags:
        _label("tag", tag)
    for kind, ref in new.contexts:
        _label("context's kind", kind)
        _label("context's reference", ref, 1_000)
    if new.ttl_ms is not None and new.ttl_ms <= 0:
        raise Invalid(
            "A time to live is more than nothing.", code="bad_ttl", hint="For example 30m, 5h or 1d."
        )
    return msgspec.structs.replace(
        new,
        thinking=thinking(new.thinking) if new.thinking else "",
        tags=tuple(sorted(set(new.tags))),
        contexts=tuple(sorted(set(new.contexts))),
    )


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
            f"{what} has at most {length:,} characters; this one has {len(text):,}.", code="too_long"
        )


def _label(what: str, text: str, length: int = 100) -> None:
    if not text.strip() or any(ord(c) < 32 for c in text):
        raise Invalid(
            f"{text!r} cannot be a {what}: it is empty or holds a control character.", code="bad_label"
        )
    _at_most(f"A {what}", text, length)
