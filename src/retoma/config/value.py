"""One value of a configuration file: what its key takes, and what it is then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from retoma.config.keys import BACKENDS, Kind
from retoma.errors import Invalid
from retoma.model.times import SECOND, duration

__all__ = ["TYPES", "WANTED", "Value", "commands_in", "parsed"]

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value] | float"

_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class _Tool(msgspec.Struct):
    name: _Text


TYPES: Final[Mapping[Kind, object]] = {
    "text": _Text,
    "texts": list[_Text],
    "count": Annotated[int, msgspec.Meta(ge=1)],
    "bytes": Annotated[int, msgspec.Meta(ge=0)],
    "duration": str,
    "seconds": Annotated[int, msgspec.Meta(ge=1)],
    "flag": bool,
    "backend": Literal["memory", "sled", "sqlite"],
    "table": dict,
    "tools": list[_Text | _Tool],
}
"""What a key of each kind takes; `any` takes anything."""

WANTED: Final[Mapping[Kind, str]] = {
    "text": "a non-empty text",
    "texts": "a list of texts",
    "count": "a whole number above 0",
    "bytes": "a number of bytes, 0 or more",
    "duration": "a duration such as '30m', '5h' or '2w'",
    "seconds": "a whole number of seconds above 0",
    "flag": "true or false",
    "backend": "'memory', 'sled' or 'sqlite'",
    "table": "a table of JSON values",
    "tools": "a list of names, or of tables with a name",
    "any": "a value",
}


def parsed(kind: Kind, value: object) -> Value | None:
    """Return what `value` means: durations in milliseconds; None when it is not what a key of this kind takes."""
    known = _json(value)
    if kind == "any":
        return str(value) if known is None else known
    try:
        msgspec.convert(known, TYPES[kind])
        if kind == "duration":
            return duration(str(known)) or None
    except (msgspec.ValidationError, Invalid):
        return None
    if kind == "backend":
        return BACKENDS[str(known)]
    return known * SECOND if kind == "seconds" and isinstance(known, int) else known


def commands_in(kind: Kind, value: Value) -> bool:
    """Return whether a value names a command that would be run."""
    return kind == "tools" and isinstance(value, list) and any(isinstance(tool, dict) for tool in value)


def _json(value: object) -> Value | None:
    """Return `value` as what JSON can hold, None when it cannot: TOML has dates and infinite numbers besides."""
    if isinstance(value, dict):
        table = {str(name): one for name, item in value.items() if (one := _json(item)) is not None}
        return table if len(table) == len(value) else None
    if isinstance(value, list):
        items = [one for item in value if (one := _json(item)) is not None]
        return items if len(items) == len(value) else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool) else None
