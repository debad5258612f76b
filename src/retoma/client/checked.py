"""Arguments of the plain types, held against what a verb's signature says: what is no text is not stored as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import TypeAlias

from retoma.errors import Invalid

Check: TypeAlias = Callable[[tuple[object, ...], Mapping[str, object]], None]

_PLAIN: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "str | None": ((str, NoneType), "a text or None"),
    "int": ((int,), "an integer"),
    "int | None": ((int, NoneType), "an integer or None"),
    "bool": ((bool,), "true or false"),
}


def checking(plan: Callable[..., object]) -> Check:
    """Return what raises Invalid for the first argument of `plan`, behind the handle, that is not of its plain type."""
    said, code = plan.__annotations__, plan.__code__
    kinds = {name: _PLAIN[said[name]] for name in said if said[name] in _PLAIN}
    places = code.co_varnames[1 : code.co_argcount]
    rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount] if code.co_flags & 4 else ""

    def check(args: tuple[object, ...], named: Mapping[str, object]) -> None:
        for at, value in enumerate(args):
            name = places[at] if at < len(places) else rest
            if name in kinds:
                _check(name, value, *kinds[name])
        for name, value in named.items():
            if name in kinds:
                _check(name, value, *kinds[name])

    return check


def check_texts(name: str, values: Iterable[object]) -> None:
    """Raise Invalid for the first of `values` that is no text."""
    for value in values:
        _check(name, value, *_PLAIN["str"])


def _check(name: str, value: object, types: tuple[type, ...], what: str) -> None:
    if not isinstance(value, types):
        raise Invalid(f"{name} is {what}, not {value!r:.60}.", code="bad_type", argument=name)
    if isinstance(value, str) and not _can_be_kept(value):
        raise Invalid(
            f"{name} cannot be kept: {value!r:.60} has a character that no text has.",
            code="bad_text",
            hint="Leave NUL and halves of surrogate pairs out.",
            argument=name,
        )


def _can_be_kept(text: str) -> bool:
    """Return whether every database keeps it: PostgreSQL has no NUL in a text, UTF-8 no half of a surrogate pair."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
