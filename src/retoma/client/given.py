"""What callers give: instants and durations in the types that Python has, contexts, and what was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, get_args

import msgspec

from retoma.commands import entries
from retoma.commands.checked import check_texts
from retoma.errors import Invalid
from retoma.model import times
from retoma.model.codec import Json, JsonField
from retoma.model.exact import check_value
from retoma.model.message import Part
from retoma.model.state import check_values

Instant: TypeAlias = "datetime | timedelta | str"
"""A moment: a `datetime` with a time zone, how long ago, or a text: `2026-11-21`, RFC 3339, `2h` for two hours ago."""
Duration: TypeAlias = "timedelta | str"
"""How long: a `timedelta`, or a text such as `90s`, `30m`, `1h30m`, `5h`, `1d`, `2w`."""
Contexts: TypeAlias = "Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]"
"""What a session is about: a mapping of kind to one reference or several, or the pairs that a session shows."""
Sayable: TypeAlias = "str | Part | Sequence[Part | Mapping[str, JsonField]]"
"""What a message says: a text, a part of `retoma.types`, or several; a mapping is a part as JSON has it."""
NewMessage: TypeAlias = "tuple[str, Sayable] | Mapping[str, Any]"
"""A message to append: (role, content), or a mapping with `role`, `content` and the options of `append`."""
MESSAGE_KEYS: Final = ("role", "content", "sender", "tokens_in", "tokens_out", "metadata")


def instant(given: Instant | None, now_ms: int) -> int | None:
    """Return a moment as milliseconds UTC. Raises Invalid for a text that says none, and without a time zone."""
    match given:
        case None:
            return None
        case str():
            return times.instant(given, now_ms=now_ms)
        case timedelta():
            return now_ms - _milliseconds(given)
        case datetime() if given.tzinfo is None:
            raise Invalid(
                f"{given.isoformat()} has no time zone, so it is not an exact instant.",
                code="bad_instant",
                hint="Use a datetime with a time zone: datetime.now(UTC), or value.astimezone().",
            )
        case datetime():
            return _milliseconds(given - datetime(1970, 1, 1, tzinfo=UTC))
        case _:
            raise _no_type(given, "a datetime, a timedelta or a text such as 2h")


def duration(given: Duration | None) -> int | None:
    """Return how long, in milliseconds. Raises Invalid for a text that says no duration."""
    match given:
        case None:
            return None
        case str():
            return times.duration(given)
        case timedelta():
            return _milliseconds(given)
        case _:
            raise _no_type(given, "a timedelta or a text such as 30m")


def contexts(given: Contexts | None) -> tuple[tuple[str, str], ...]:
    """Return contexts as pairs of kind and reference."""
    if given is None:
        return ()
    if isinstance(given, Mapping):
        listed = {kind: refs if isinstance(refs, list | tuple) else (refs,) for kind, refs in given.items()}
        pairs = tuple((kind, ref) for kind, refs in listed.items() for ref in refs)
    else:
        pairs = tuple((kind, ref) for kind, ref in given)
    check_texts("a context", (text for pair in pairs for text in pair))
    return pairs


def labels(given: Iterable[str], what: str = "tags") -> tuple[str, ...]:
    """Return tags as they were given. Raises Invalid for one text in the place of several."""
    if isinstance(given, str):
        raise Invalid(
            f"{what} takes a list of texts; {given!r} is one.", code="bad_label", hint=f"Write [{given!r}]."
        )
    found = tuple(given)
    check_texts(what, found)
    return found


def mapping(given: Mapping[str, JsonField] | None) -> dict[str, JsonField]:
    """Return values for programs. Raises Invalid for what is no mapping, and what JSON would not give back as it is."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise _no_type(given, "a mapping")
    check_values(given)
    return dict(given)


def text(name: str, given: str) -> str:
    """Return a text as it was given. Raises Invalid for what is not one."""
    check_texts(name, (given,))
    return given


def types(given: str | Sequence[str] | None) -> frozenset[str] | None:
    """Return types of events, one or several; None for all."""
    return None if given is None else frozenset((given,) if isinstance(given, str) else given)


def plain(what: Sayable) -> Json:
    """Return the content of a message as JSON: a text, or parts. Raises Invalid for what JSON would alter."""
    if isinstance(what, str):
        return what
    parts = what if isinstance(what, Sequence) else [what]
    return [_part(number, one) for number, one in enumerate(parts, 1)]


def _part(number: int, part: object) -> Json:
    if isinstance(part, get_args(Part)):
        for name in part.__struct_fields__:
            check_value(getattr(part, name), f"'{name}' of part {number}")
        found: Json = msgspec.to_builtins(part, enc_hook=str)
        return found
    value = dict(part) if isinstance(part, Mapping) else part
    check_value(value, f"Part {number}")
    kind = value.get("type") if isinstance(value, dict) else "text"
    if kind not in _KINDS:
        raise Invalid(
            f"This is not valid message content: the 'type' of part {number} is {kind!r:.60}.",
            code="bad_content",
            hint=f"Types: {', '.join(_KINDS)}. {_SHAPES}",
        )
    plain: Json = msgspec.to_builtins(value, enc_hook=str)
    return plain


_KINDS: Final = tuple(kind.__struct_config__.tag for kind in get_args(Part))
_SHAPES: Final = (
    "retoma.shapes.openai.load and retoma.shapes.anthropic.load convert the messages of these interfaces."
)


def counted(
    tokens_in: int | None, tokens_out: int | None, metadata: Mapping[str, JsonField] | None
) -> dict[str, JsonField]:
    """Return what is kept beside the content of a message. Raises Invalid for what is not a count or a mapping."""
    counts = {"tokens_in": tokens_in, "tokens_out": tokens_out}
    for name, count in counts.items():
        if count is not None and (type(count) is not int or not 0 <= count < 1 << 53):
            raise Invalid(f"{name} is a number of tokens, not {count!r:.60}.", code="bad_type")
    usage = {name: count for name, count in counts.items() if count is not None}
    found: dict[str, JsonField] = {"usage": usage} if usage else {}
    return found | ({"metadata": mapping(metadata)} if metadata else {})


def new_message(given: NewMessage) -> entries.NewMessage:
    """Return a message to append. Raises Invalid that names what is wrong."""
    if isinstance(given, Mapping):
        for key in given:
            if key not in MESSAGE_KEYS:
                raise _no_message(f"A message has no key {key!r:.60}.")
        for key in ("role", "content"):
            if given.get(key) is None:
                raise _no_message(f"A message needs the key '{key}'.")
        said = counted(given.get("tokens_in"), given.get("tokens_out"), given.get("metadata"))
        return entries.NewMessage(given["role"], plain(given["content"]), given.get("sender", ""), said)
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != 2:
        raise _no_message(f"A message is a pair or a mapping, not {given!r:.60}.")
    return entries.NewMessage(given[0], plain(given[1]))


def _no_message(what: str) -> Invalid:
    keys = f"Keys: {', '.join(MESSAGE_KEYS)}."
    return Invalid(what, code="bad_message", hint=f'Write ("user", "Hello") or a mapping. {keys} {_SHAPES}')


def _no_type(value: object, what: str) -> Invalid:
    return Invalid(f"{value!r:.60} is not {what}.", code="bad_type")


def _milliseconds(given: timedelta) -> int:
    return given // timedelta(milliseconds=1)
