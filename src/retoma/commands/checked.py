"""The plain fields of a command, compared with their types: what is not a text is not stored as one."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import TypeAlias

import msgspec

from retoma.errors import Invalid

_Field: TypeAlias = tuple[str, tuple[type, ...], str]

_PLAIN: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "str | None": ((str, NoneType), "a text or None"),
    "int": ((int,), "an integer"),
    "int | None": ((int, NoneType), "an integer or None"),
    "bool": ((bool,), "true or false"),
}
_KNOWN: dict[type, tuple[_Field, ...]] = {}


class Checked(msgspec.Struct, frozen=True):
    """A struct whose plain fields are compared with their types."""

    def __post_init__(self) -> None:
        check(self)


def check(one: msgspec.Struct) -> None:
    """Raise Invalid for the first plain field of a struct that is of another type, or cannot be kept."""
    kind = type(one)
    fields = _KNOWN.get(kind)
    for name, types, what in _fields_of(kind) if fields is None else fields:
        value = getattr(one, name)
        if isinstance(value, str):
            if types[0] is str and value.isascii() and "\0" not in value:
                continue
        elif isinstance(value, types):
            continue
        check_value(name, value, types, what)


def check_texts(name: str, values: Iterable[object]) -> None:
    """Raise Invalid for the first of `values` that is not a text."""
    for value in values:
        check_value(name, value, *_PLAIN["str"])


def check_value(name: str, value: object, types: tuple[type, ...], what: str) -> None:
    """Raise Invalid unless `value` is of one of `types`, and can be kept by every database."""
    if not isinstance(value, types):
        raise Invalid(f"{name} is {what}, not {value!r:.60}.", code="bad_type", argument=name)
    if isinstance(value, str) and not _can_be_kept(value):
        raise Invalid(
            f"{name} cannot be kept: {value!r:.60} contains a character that is not valid text.",
            code="bad_text",
            hint="Remove NUL characters and unpaired surrogates.",
            argument=name,
        )


def _fields_of(kind: type) -> tuple[_Field, ...]:
    said: dict[str, object] = {}
    for base in reversed(kind.__mro__):
        said |= vars(base).get("__annotations__", {})
    found = tuple((name, *_PLAIN[str(said[name])]) for name in said if str(said[name]) in _PLAIN)
    _KNOWN[kind] = found
    return found


def _can_be_kept(text: str) -> bool:
    """Return whether every database keeps it: PostgreSQL has no NUL in a text, UTF-8 no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
