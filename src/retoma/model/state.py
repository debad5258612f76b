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
        if not isinstance(name, str) or not 1 <= len(name) <= KEY_LENGTH:
            raise Invalid(
                f"{name!r:.60} cannot be a key of the state.",
                code="bad_key",
                hint=f"A key is a text of 1 to {KEY_LENGTH} characters.",
            )
        if name == SYS:
            raise Invalid(
                f"The key '{SYS}' of the state is a flow's own.", code="bad_key", hint="Choose another one."
            )


def check_values(values: Mapping[str, Json]) -> None:
    """Raise Invalid for the first value that JSON would not give back as it is, naming its key."""
    for name, value in values.items():
        if said := _unlike_json(value):
            raise Invalid(
                f"The value of '{name}' is not JSON: it holds {said}.",
                code="not_json",
                hint="JSON has texts, finite numbers, true, false, null, lists, and mappings with texts as keys.",
                key=name,
            )


def _unlike_json(value: object, depth: int = 0) -> str:
    """Return what in `value` JSON has not; nothing when it has all of it."""
    if depth > _DEEPEST:
        return f"more than {_DEEPEST} levels"
    inner: Iterable[object] = ()
    match value:
        case None | str() | int():
            pass
        case float():
            return "" if isfinite(value) else repr(value)
        case list():
            inner = value
        case dict():
            if wrong := [key for key in value if not isinstance(key, str)]:
                return f"the key {wrong[0]!r:.60}"
            inner = value.values()
        case _:
            return f"a {type(value).__name__}"
    return next((said for one in inner if (said := _unlike_json(one, depth + 1))), "")
