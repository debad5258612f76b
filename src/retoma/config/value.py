"""One value of a configuration file: what its key takes, and what it is then."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from retoma.config.keys import BACKENDS, Kind
from retoma.errors import Invalid
from retoma.model.times import SECOND, duration

__all__ = ["WANTED", "Value", "commands_in", "parsed"]

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value] | float"

WANTED: Mapping[Kind, str] = {
    "text": "a text that is not empty",
    "texts": "a list of texts",
    "count": "a whole number above 0",
    "bytes": "a number of bytes, 0 or more",
    "duration": "a duration such as '30m', '5h' or '2w'",
    "seconds": "a whole number of seconds above 0",
    "flag": "true or false",
    "backend": "'memory', 'sled' or 'sqlite'",
    "table": "a table of what JSON can hold",
    "tools": "a list of names, or of tables with a name",
    "any": "a value",
}


def parsed(kind: Kind, value: object) -> Value | None:
    """Return what `value` means: durations in milliseconds; None when it is not what a key of this kind takes."""
    return _PARSED[kind](value)


def commands_in(kind: Kind, value: Value) -> bool:
    """Return whether a value names a command that would be run."""
    return kind == "tools" and isinstance(value, list) and any(isinstance(tool, dict) for tool in value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> Value | None:
    fits = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
    return _json(value) if fits else None


def _whole(value: object, least: int) -> int | None:
    number = isinstance(value, int) and not isinstance(value, bool)
    return value if number and isinstance(value, int) and value >= least else None


def _duration(value: object) -> int | None:
    try:
        return (duration(value) or None) if isinstance(value, str) else None
    except Invalid:
        return None


def _seconds(value: object) -> int | None:
    whole = _whole(value, 1)
    return None if whole is None else whole * SECOND


def _tools(value: object) -> Value | None:
    known = _json(value)
    return known if isinstance(known, list) and all(map(_is_tool, known)) else None


def _is_tool(value: Value) -> bool:
    name = value.get("name") if isinstance(value, dict) else value
    return isinstance(name, str) and bool(name)


def _anything(value: object) -> Value:
    known = _json(value)
    return str(value) if known is None else known


def _json(value: object) -> Value | None:
    """Return `value` as what JSON can hold, None when it cannot: TOML has dates and infinite numbers besides."""
    if isinstance(value, dict):
        table = {str(name): _json(one) for name, one in value.items()}
        return (
            None if None in table.values() else {name: one for name, one in table.items() if one is not None}
        )
    if isinstance(value, list):
        items = [_json(one) for one in value]
        return None if None in items else [one for one in items if one is not None]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool) else None


_PARSED: Mapping[Kind, Callable[[object], Value | None]] = {
    "text": _text,
    "texts": _texts,
    "count": lambda value: _whole(value, 1),
    "bytes": lambda value: _whole(value, 0),
    "duration": _duration,
    "seconds": _seconds,
    "flag": lambda value: value if isinstance(value, bool) else None,
    "backend": lambda value: BACKENDS.get(value) if isinstance(value, str) else None,
    "table": lambda value: _json(value) if isinstance(value, dict) else None,
    "tools": _tools,
    "any": _anything,
}
