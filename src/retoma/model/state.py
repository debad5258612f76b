"""What a session's state may hold: names, and values that JSON gives back as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Final

from retoma.errors import Invalid
from retoma.model.codec import Json

SYS: Final = "sys"
"""The key that holds what templates of flows see as `sys`; nobody else writes it."""
KEY_LENGTH: Final = 200
_DEEPEST: Final = 100


def check_keys(names: Iterable[str]) -> None:
    """Raise Invalid for the first that cannot be a key of the state."""
    for name in names:
        if (
            not isinstance(name, str)
            or not 1 <= len(name) <= KEY_LENGTH
            or "\0" in name
            or not _is_text(name)
        ):
            raise Invalid(
                f"{name!r:.60} cannot be a key of the state.",
                code="bad_key",
                hint=f"A key must be a text of 1 to {KEY_LENGTH} characters.",
            )
        if name == SYS:
            raise Invalid(
                f"The key '{SYS}' of the state is reserved for flows.",
                code="bad_key",
                hint="Choose another key.",
            )


def check_values(values: Mapping[str, Json]) -> None:
    """Raise Invalid for the first value that JSON would not give back as it is, naming its key."""
    for name, value in values.items():
        if not isinstance(name, str):
            raise Invalid(f"{name!r:.60} cannot be a key: a key must be a text.", code="bad_key")
        if said := _unlike_json(value):
            raise Invalid(
                f"The value of '{name}' is not JSON: it holds {said}.",
                code="not_json",
                hint="JSON values are texts, finite numbers, true, false, null, lists, and mappings with text keys.",
                key=name,
            )


def _is_text(value: str) -> bool:
    """Return whether UTF-8 can hold it: half of a surrogate pair it cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unlike_json(value: object, depth: int = 0) -> str:
    """Return what in `value` JSON has not; nothing when it has all of it."""
    if depth > _DEEPEST:
        return f"more than {_DEEPEST} levels"
    match value:
        case list():
            inner: Iterable[object] = value
        case dict():
            if wrong := [key for key in value if not isinstance(key, str) or not _is_text(key)]:
                return f"the key {wrong[0]!r:.60}"
            inner = value.values()
        case _:
            return _unlike_plain(value)
    return next((said for one in inner if (said := _unlike_json(one, depth + 1))), "")


def _unlike_plain(value: object) -> str:
    match value:
        case int() if not -(1 << 63) <= value < 1 << 64:
            return "an integer of more than 64 bits"
        case float() if not isfinite(value):
            return repr(value)
        case str() if not _is_text(value):
            return "a text that is not Unicode"
        case None | str() | int() | float():
            return ""
        case _:
            return f"a {type(value).__name__}"
