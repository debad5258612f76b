"""The JSON Schema of a `retoma.toml`, for editors: made from the same table by which files are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from retoma.config.keys import KNOWN, NAME, Key, Kind, Table
from retoma.config.value import TYPES
from retoma.model.codec import Json
from retoma.model.times import DURATION

__all__ = ["DRAFT", "schema"]

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
"""The draft that editors know, of YAML and of TOML alike."""
Schema: TypeAlias = "dict[str, Json]"

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_WRITTEN: Final[Mapping[Kind, Schema]] = {
    "duration": {"type": "string", "pattern": rf"^\s*(?=.*[1-9]){DURATION}\s*$"},
    "tools": {
        "type": "array",
        "items": {"anyOf": [_TEXT, {"type": "object", "required": ["name"], "properties": {"name": _TEXT}}]},
    },
    "any": {},
}
"""What a type does not say; of all other kinds msgspec knows the schema."""


def schema() -> Schema:
    """Return the schema of a whole file."""
    return {"$schema": DRAFT, "title": "retoma.toml", **_table(KNOWN)}


def _table(known: Table) -> Schema:
    named: Schema = {name: _of(one) for name, one in known.items() if name != "*"}
    table: Schema = {"type": "object", "additionalProperties": False}
    if named:
        table["properties"] = named
    if "*" in known:
        table["patternProperties"] = {f"^{NAME.pattern}$": _of(known["*"])}
    return table


def _of(one: Key | Table) -> Schema:
    if not isinstance(one, Key):
        return _table(one)
    later = "" if one.used else " This version does not use it."
    kind = _WRITTEN[one.kind] if one.kind in _WRITTEN else msgspec.json.schema(TYPES[one.kind])
    return {**kind, "description": one.says + later}
