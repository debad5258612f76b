"""What another tool kept of a session, on its way in: drafts of events with an identity of their own.

A reader of a format turns each of its records into drafts. A record has the same identity each time that it is read, so
`arriving` can tell what is here already. Nothing here writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, Literal, TypeAlias, get_args

import msgspec
from blake3 import blake3

from retoma.errors import Integrity, Invalid
from retoma.model.codec import Json, encode
from retoma.model.event import MAX_DATA_BYTES, MESSAGE, RECORD
from retoma.model.ids import ID_LENGTH
from retoma.model.message import Opaque, Part, Text
from retoma.model.times import instant

Tool: TypeAlias = Literal["trellis", "copilot", "claude-code", "codex", "openai-agents"]
TOOLS: Final[tuple[Tool, ...]] = get_args(Tool)

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_:@+=~-]+")
_TITLE = 200
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_NO_ZONE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?")
_SECONDS, _MILLISECONDS = 100_000_000, 10_000_000_000_000  # the years 1973 to 2286


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message cost in tokens; `tokens_in` has the cached ones too."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A message of another tool."""

    role: str
    parts: tuple[Part, ...]
    sender: str = ""
    usage: Usage | None = None

    def data(self) -> bytes:
        """Return the data of the event that it becomes."""
        plain = self.parts[0].text if len(self.parts) == 1 and isinstance(self.parts[0], Text) else None
        data: dict[str, object] = {"role": self.role, "content": self.parts if plain is None else plain}
        if self.sender:
            data["sender"] = self.sender
        if self.usage is not None:
            data["usage"] = self.usage
        return encode(data)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be. `id` (16 bytes) is the same whenever the record is read.

    A message has `said`, everything else `data`. Messages that follow each other with the same `reply` are one.
    """

    id: bytes
    kind: str
    at: int
    data: bytes = b""
    said: Said | None = None
    reply: str = ""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the session. It may change from one copy of the file to the next."""

    title: str = ""
    model: str = ""
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    metadata: dict[str, Json] = {}


class Foreign(msgspec.Struct, frozen=True, kw_only=True):
    """A session of another tool. `id` is its id there; `parent` the id there of the one that it belongs to.

    `drafts` begins anew each time that it is called; they come in order, those of one reply together.
    """

    tool: Tool
    id: str
    created_at: int
    drafts: Callable[[], Iterator[Draft]]
    parent: str | None = None
    profile: Profile = Profile()

    @property
    def name(self) -> str:
        """The id that it would have here."""
        return named(self.id)

    def uid(self, name: str | None = None) -> bytes:
        """Return what tells it from every other session; with `name`, kept apart from one of the same id."""
        return identity(self.tool, self.id, *(() if name is None else ("as", name)))

    def record_id(self, *key: str | bytes) -> bytes:
        """Return the identity of one of its records."""
        return identity(self.tool, self.id, "record", *key)


def identity(*key: str | bytes) -> bytes:
    """Return 16 bytes that stand for exactly this sequence of texts and bytes."""
    digest = blake3(b"retoma import 1\n")
    for part in key:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest(16)


def named(id: str) -> str:
    """Return `id` as a session may be called here: with a digest, when something in it cannot stand in an id."""
    plain = _NOT_IN_IDS.sub("-", id)
    if plain == id and plain and len(plain) <= ID_LENGTH and (plain[0].isalnum() or plain[0] == "_"):
        return id
    plain = plain.lstrip(":@+=~-")[: ID_LENGTH - 9].rstrip("-") or "session"
    return f"{plain}-{identity('name', id)[:4].hex()}"


def nothing_whole(shown: str) -> Integrity:
    """Return the error for a file of which nothing can be kept."""
    return Integrity(
        f"{shown} has no complete record.",
        code="damaged_import",
        hint="Nothing was changed. Copy the file from its source again, or restore it from a backup.",
    )


def one_too_many(shown: str, count: int) -> Invalid:
    """Return the error for a file of several sessions where one was to be named."""
    return Invalid(
        f"{shown} has {count:,} sessions; --as works with one.",
        code="usage",
        hint="Import it without --as; `retoma session set-id` changes an id afterwards.",
    )


def title_of(text: str) -> str:
    """Return `text` as a title: one line without control characters, cut where it is too long."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text[: 8 * _TITLE]).split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"


def model_of(text: str) -> str:
    """Return `text` as the name of a model."""
    return "".join(filter(str.isprintable, text))[:500]


def label(kind: str, ref: str) -> tuple[tuple[str, str], ...]:
    """Return a context, or nothing when `ref` cannot be one."""
    fits = ref.strip() and len(ref) <= 1_000 and not any(ord(letter) < 32 for letter in ref)
    return ((kind, ref),) if fits else ()


def mapping(value: Json) -> dict[str, Json]:
    """Return `value` when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: Json) -> list[Json]:
    """Return `value` when it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def words(value: Json) -> str:
    """Return `value` when it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def moment(value: Json) -> int | None:
    """Return the instant that a text, or a number of seconds or milliseconds, says; None when it says none.

    A text without a zone is read as UTC.
    """
    if isinstance(value, str) and _DATE.match(value):
        with suppress(Invalid):
            return instant(value if not _NO_ZONE.fullmatch(value) else f"{value}Z", now_ms=0)
    elif isinstance(value, int | float) and not isinstance(value, bool) and _SECONDS < value < _MILLISECONDS:
        return int(value if value > _SECONDS * 1_000 else value * 1_000)
    return None


def count(value: Json) -> int:
    """Return `value` when it is a number of things, else 0."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    return value if whole and isinstance(value, int) else 0


def rest(kind: str, value: dict[str, Json], *taken: str) -> tuple[Part, ...]:
    """Return a part with what of a record no other part stands for; nothing when that is nothing."""
    left = {key: inner for key, inner in value.items() if key not in taken}
    return (Opaque(kind, left),) if left else ()


# Records

_PIECE: Final = 384 << 10  # as a JSON text it may grow to twice its size
_MOST: Final = MAX_DATA_BYTES - 1_024


def record(id: bytes, at: int, tool: str, kind: str, raw: bytes) -> Iterator[Draft]:
    """Yield drafts that keep a record as it is: `raw` is its JSON on one line. A large one comes in pieces."""
    data = b'{"from":%b,"type":%b,"raw":%b}' % (encode(tool), encode(kind), raw)
    if len(data) <= _MOST:
        yield Draft(id=id, kind=RECORD, at=at, data=data)
    else:
        yield from pieces(id, at, tool, kind, raw)


def pieces(id: bytes, at: int, tool: str, kind: str, raw: bytes) -> Iterator[Draft]:
    """Yield drafts that keep `raw` as text, cut up; what is no UTF-8 as base64."""
    cuts = _cuts(raw)
    for number, (start, end) in enumerate(cuts, 1):
        data: dict[str, object] = {"from": tool, "type": kind}
        if len(cuts) > 1:
            data |= {"piece": number, "of": len(cuts)}
        try:
            data["text"] = raw[start:end].decode()
        except UnicodeDecodeError:
            data["base64"] = raw[start:end]
        own = id if number == 1 else identity(id, b"piece", str(number))
        yield Draft(id=own, kind=RECORD, at=at, data=encode(data))


def message(id: bytes, at: int, said: Said, *, tool: str, raw: bytes, reply: str = "") -> Iterator[Draft]:
    """Yield the draft of a message. One that is too large is shortened, and its record kept behind it in pieces."""
    if len(said.data()) <= _MOST:
        yield Draft(id=id, kind=MESSAGE, at=at, said=said, reply=reply)
        return
    for most in (64 << 10, 16 << 10, 2 << 10, 256):
        short = msgspec.structs.replace(said, parts=_shortened(said.parts, most))
        if len(short.data()) <= _MOST:
            break
    else:
        note = "This message is too large to show. The full text is in the imported records."
        short = msgspec.structs.replace(said, parts=(Text(note),))
    yield Draft(id=id, kind=MESSAGE, at=at, said=short)
    yield from pieces(identity(id, b"whole"), at, tool, "whole", raw)


def joined(drafts: Sequence[Draft]) -> Draft:
    """Return the one message that the parts of a reply are."""
    first = drafts[0]
    if len(drafts) == 1 or first.said is None:
        return first
    saids = [draft.said for draft in drafts if draft.said is not None]
    parts = tuple(part for said in saids for part in said.parts)
    usages = [said.usage for said in saids if said.usage is not None]
    said = msgspec.structs.replace(first.said, parts=parts, usage=usages[-1] if usages else None)
    return msgspec.structs.replace(first, said=said)


def fits(drafts: Sequence[Draft]) -> bool:
    """Return whether the parts of a reply, joined, are not larger than an event may be."""
    return sum(len(draft.said.data()) for draft in drafts if draft.said is not None) <= _MOST


def _cuts(raw: bytes) -> list[tuple[int, int]]:
    """Return where to cut `raw`, never inside a letter."""
    cuts, start = [], 0
    while start < len(raw):
        end = min(start + _PIECE, len(raw))
        while end < len(raw) and end > start + 1 and raw[end] & 0xC0 == 0x80:
            end -= 1
        cuts.append((start, end))
        start = end
    return cuts


def _shortened(parts: tuple[Part, ...], most: int) -> tuple[Part, ...]:
    value: Json = msgspec.to_builtins(parts)
    return msgspec.convert(_short(value, most), tuple[Part, ...])


def _short(value: Json, most: int) -> Json:
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]}… ({len(value) - most:,} more characters: the full text is in the imported records)"
    if isinstance(value, list):
        return [_short(inner, most) for inner in value]
    if isinstance(value, dict):
        return {key: _short(inner, most) for key, inner in value.items()}
    return value
