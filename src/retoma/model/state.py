"""What a session's state may hold: names, and values that JSON gives back as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from retoma.errors import Invalid
from retoma.model.codec import Json
from retoma.model.exact import check_value, is_text

SYS: Final = "sys"
"""The key that holds what templates of flows see as `sys`; nobody else writes it."""
KEY_LENGTH: Final = 200


def check_keys(names: Iterable[str]) -> None:
    """Raise Invalid for the first that cannot be a key of the state."""
    for name in names:
        if not isinstance(name, str) or not 1 <= len(name) <= KEY_LENGTH or "\0" in name or not is_text(name):
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
        check_value(value, f"The value of '{name}'")
