"""What of a foreign object the parts of a message cannot say, and its way back."""

from __future__ import annotations

from collections.abc import Mapping

from retoma.errors import Invalid
from retoma.model.codec import JsonField, encode
from retoma.model.exact import check_value

Shape = dict[str, JsonField]


def mapping(given: object, number: int) -> Shape:
    """Return a message as a dictionary; an SDK's object is converted. Raises Invalid for what JSON would alter."""
    convert = getattr(given, "model_dump", None)
    found = convert(mode="json", exclude_unset=True) if callable(convert) else given
    if not isinstance(found, Mapping):
        raise Invalid(f"Message {number} is a {type(given).__name__}, not a mapping.", code="bad_message")
    check_value(dict(found), f"Message {number}")
    return dict(found)


def needed(message: Shape, name: str, number: int) -> str:
    """Return the text under a key that a message must have."""
    value = message.get(name)
    if not isinstance(value, str):
        raise Invalid(f"'{name}' of message {number} is {value!r:.60}, not a text.", code="bad_message")
    return value


def left_over(given: Shape, shown: Shape) -> Shape:
    """Return what makes `given` of `shown`; nothing where they are the same."""
    sets = {
        name: value
        for name, value in given.items()
        if name not in shown or encode(shown[name]) != encode(value)
    }
    without = [name for name in shown if name not in given]
    return ({"set": sets} if sets else {}) | ({"without": without} if without else {})


def applied(shown: Shape, left: JsonField) -> Shape:
    """Return `shown` with a difference that `left_over` returned."""
    if not isinstance(left, Mapping):
        return shown
    kept = {name: value for name, value in shown.items() if name not in left.get("without", ())}
    return kept | dict(left.get("set", {}))


def said(result: JsonField, error: str) -> JsonField:
    """Return the result of a tool as the interfaces take it: a text, or a list of blocks."""
    if error and result is None:
        return error
    blocks = isinstance(result, list) and all(isinstance(one, dict) and "type" in one for one in result)
    return result if isinstance(result, str) or (blocks and result) else encode(result).decode()
