"""What a node asks of the context before it is entered: keys that must be there, and their types."""

from __future__ import annotations

from retoma.flows.answer import SECRET
from retoma.flows.model import Node
from retoma.model.codec import Json, JsonMap

_NAMES = {bool: "bool", int: "int", float: "float", str: "string", list: "list", dict: "mapping"}


def unmet(node: Node, context: JsonMap, *, hint: str = "") -> str | None:
    """Return what `context` lacks for `node`, in a sentence naming node and keys; None when all is met.

    `hint` follows it when a key is missing.
    """
    missing = [key for key in node.required_context if not _has(context, key)]
    missing += [key for key in node.context_schema if key not in context and key not in missing]
    if missing:
        keys = ", ".join(repr(key) for key in missing)
        return f"The node {node.id!r} needs {keys} in the context.{hint}"
    wrong = [
        f"{key!r} must be {expected}, not {_got(context[key])}"
        for key, expected in node.context_schema.items()
        if not _fits(context[key], expected)
    ]
    return f"At the node {node.id!r} the context is not valid: {'; '.join(wrong)}." if wrong else None


def _has(context: JsonMap, key: str) -> bool:
    if key in context:
        return True
    found: Json = dict(context)
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def _fits(value: Json, expected: str) -> bool:
    if expected.startswith("["):
        return isinstance(value, list) and all(_fits(item, expected[1:-1]) for item in value)
    if isinstance(value, bool):
        return expected == "bool"
    match expected:
        case "string":
            # A secret is text, whatever stands for it here.
            return isinstance(value, str) or value == SECRET
        case "int":
            return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        case "float":
            return isinstance(value, int | float)
    return False


def _got(value: Json) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(sorted({_got(item) for item in value})) + "]"
    return "null" if value is None else _NAMES[type(value)]
