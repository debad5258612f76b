"""What callers give: instants and durations in the types that Python has, contexts, and what was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from retoma.commands import entries
from retoma.commands.checked import check_texts
from retoma.errors import Invalid
from retoma.model import times
from retoma.model.codec import Json, JsonField
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
NewMessage: TypeAlias = "tuple[str, Sayable] | Mapping[str, Sayable]"
"""A message to append: (role, content), or a mapping with `role`, `content` and perhaps `sender`."""


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
    """Return the content of a message as JSON: a text, or parts."""
    if isinstance(what, str):
        return what
    found: Json = msgspec.to_builtins(list(what) if isinstance(what, Sequence) else [what])
    return found


def new_message(given: NewMessage) -> entries.NewMessage:
    """Return a message to append. Raises Invalid for what is none."""
    if isinstance(given, Mapping):
        unknown = set(given) - {"role", "content", "sender"}
        by, what, sender = given.get("role"), given.get("content"), given.get("sender", "")
        if not unknown and isinstance(by, str) and what is not None and isinstance(sender, str):
            return entries.NewMessage(by, plain(what), sender)
    elif not isinstance(given, str) and len(given) == 2:
        return entries.NewMessage(given[0], plain(given[1]))
    raise Invalid(
        f"{given!r:.80} is not a message.",
        code="bad_message",
        hint='Write ("user", "Hello") or {"role": "user", "content": "Hello"}, perhaps with a "sender".',
    )


def _no_type(value: object, what: str) -> Invalid:
    return Invalid(f"{value!r:.60} is not {what}.", code="bad_type")


def _milliseconds(given: timedelta) -> int:
    return given // timedelta(milliseconds=1)
