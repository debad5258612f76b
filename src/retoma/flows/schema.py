"""The JSON Schema of a node, for editors: of front matter, and of nodes that are YAML or JSON as a whole."""

from __future__ import annotations

from typing import Final, TypeAlias

from retoma.flows.keys import (
    INPUT_TYPES,
    KEYS,
    MESSAGE_KEYS,
    NODE_TYPES,
    VALUE_TYPES,
    WAY_KEYS,
    Key,
    Shape,
)
from retoma.model.codec import Json
from retoma.model.times import TIMEOUT

Schema: TypeAlias = "dict[str, Json]"

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
_TEXT: Final[Schema] = {"type": ["string", "number", "boolean", "null"]}
"""What is read as a text: YAML makes numbers and truth values of words that look so, and null of nothing."""
_LEADS: Final[list[Json]] = [{"required": [name]} for name in ("to", "to_node_id", "jump_to")]


def schema() -> Schema:
    """Return the schema of a node's keys."""
    return {
        "$schema": _DRAFT,
        "title": "A node of a flow",
        "type": "object",
        "properties": {name: _of(key) for name, key in KEYS.items()},
        "additionalProperties": False,
    }


def _of(key: Key) -> Schema:
    return {**_SHAPES[key.shape], "description": key.says}


def _table(*names: str, **more: Json) -> Schema:
    return {
        "type": "object",
        "properties": dict.fromkeys(names, _TEXT),
        "additionalProperties": False,
        **more,
    }


def _list_of(item: Json) -> Schema:
    return {"type": ["array", "null"], "items": item}


def _one_of(*names: str) -> Schema:
    return {"enum": [*names, None]}


_TYPE_NAMES: Final[list[Json]] = [*VALUE_TYPES, *(f"[{name}]" for name in VALUE_TYPES)]
_ELEMENT: Final[Schema] = {
    "type": "array",
    "items": {"enum": [*VALUE_TYPES]},
    "minItems": 1,
    "maxItems": 1,
}
"""`[string]` without quotes is a list of one to YAML."""

_SHAPES: Final[dict[Shape, Schema]] = {
    "text": _TEXT,
    "flag": {"anyOf": [{"type": ["boolean", "null"]}, {"enum": ["yes", "no", "on", "off"]}]},
    "texts": _list_of(_SCALAR),
    "data": {"type": ["object", "null"]},
    "text_map": {"type": ["object", "null"], "additionalProperties": _SCALAR},
    "transitions": _list_of(_table(*WAY_KEYS, anyOf=_LEADS)),
    "options": _list_of({"anyOf": [_SCALAR, _table(*WAY_KEYS, required=["text"])]}),
    "node_type": _one_of(*NODE_TYPES),
    "input_type": _one_of(*INPUT_TYPES),
    "duration": {
        "anyOf": [
            {"type": "string", "pattern": rf"^\s*(?=.*[1-9]){TIMEOUT}\s*$"},
            {"type": "null"},
        ]
    },
    "types": {
        "type": ["object", "null"],
        "additionalProperties": {"anyOf": [{"enum": _TYPE_NAMES}, _ELEMENT]},
    },
    "messages": {
        "type": ["object", "null"],
        "additionalProperties": _list_of({"anyOf": [_SCALAR, _table(*MESSAGE_KEYS, required=["text"])]}),
    },
    "call": {"anyOf": [_TEXT, {"type": "object", "properties": {"name": _SCALAR}, "required": ["name"]}]},
    "list": {"type": ["array", "null"]},
    "agent": {"type": ["string", "number", "boolean", "null", "object"]},
}
