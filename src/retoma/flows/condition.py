"""Conditions: one safe expression over `input`, `context` and `sys` that says whether a way is open.

Read with Python's own parser and an allow-list of its nodes, then decided here by look-up and comparison:
nothing is compiled, called or reached as an attribute. What a condition means:

- Texts compare without regard to case when `input` is one of the sides.
- What is missing is null. `==` and `!=` may test for null; every order (`<`, `>=`, …) and every `in` with a
  missing side is false.
- An input that was typed as text orders as a number when the other side is one; if it is none, that is false.
- Two values of kinds that have no order (a text and a number of the context) are a ConditionError, not false.
- `and`, `or` and a bare look-up go by emptiness: null, false, 0, "" and empty lists and maps do not hold.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from retoma.errors import Invalid
from retoma.flows.functions import equal, kind, number
from retoma.model.codec import Json, JsonMap

MAX_LENGTH = 1_000
MAX_DEPTH = 50
NAMES = ("input", "context", "sys")

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONSTANTS: dict[str, Json] = {"true": True, "false": False, "null": None, "none": None, "nil": None}


class ConditionError(Invalid):
    """A condition does not parse, or compares what has no order. `column` counts from 1.

    `line` is the line of the node's file, set by whoever knows it.
    """

    def __init__(self, message: str, column: int = 1, hint: str = "") -> None:
        super().__init__(message, code="flow_condition", hint=hint)
        self.column = column
        self.line = 1


def check(condition: str) -> None:
    """Raise ConditionError when `condition` does not parse, and say where."""
    _parsed(condition)


@lru_cache(maxsize=1024)
def keys(condition: str) -> frozenset[str]:
    """Return the keys of the context that `condition` names; none when it does not parse."""
    try:
        parts = list(ast.walk(_parsed(condition)))
    except ConditionError:
        return frozenset()
    of_context = [part for part in parts if isinstance(part, ast.Attribute | ast.Subscript)]
    return frozenset(_key(part) for part in of_context if _is_named(part.value, "context"))


def _key(part: ast.Attribute | ast.Subscript) -> str:
    if isinstance(part, ast.Attribute):
        return part.attr
    return str(part.slice.value) if isinstance(part.slice, ast.Constant) else ""


def _is_named(tree: ast.expr, name: str) -> bool:
    return isinstance(tree, ast.Name) and tree.id == name


def holds(condition: str, *, input: Json, context: JsonMap, ans: Json = None) -> bool:
    """Say whether `condition` holds; an empty one does. Raises ConditionError.

    >>> holds("input == 'yes' and context.age >= 18", input="YES", context={"age": 20})
    True
    """
    if not condition.strip():
        return True
    names: dict[str, Json] = {"input": input, "context": dict(context), "sys": {"ans": ans}}
    return bool(_value(_parsed(condition), names))


@lru_cache(maxsize=1024)
def _parsed(condition: str) -> ast.expr:
    text = condition.strip()
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"This condition is longer than {MAX_LENGTH:,} characters.")
    try:
        tree = ast.parse(_ESCAPE.sub(_escaped, text.replace("\n", " ")), mode="eval").body
    except SyntaxError as error:
        raise ConditionError(
            f"The condition {text!r} does not parse at column {error.offset or 1}.",
            error.offset or 1,
            _hint(text),
        ) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise ConditionError(f"The condition {text!r} does not parse.") from error
    _allow(tree, text, 0)
    return tree


def _escaped(match: re.Match[str]) -> str:
    # A backslash before anything else means itself: Python would say so with a warning.
    return match.group() if match.group(1) in "\\'\"nrt" else f"\\\\{match.group(1)}"


def _hint(text: str) -> str:
    for sign, word in (("&&", "and"), ("||", "or"), ("!", "not"), ("=", "==")):
        if sign in text.replace("!=", "").replace("==", "").replace("<=", "").replace(">=", ""):
            return f"Write {word!r} for {sign!r}."
    return "There are == != < <= > >= in and or not ( ), literals, input, context.KEY and sys.ans."


def _allow(tree: ast.expr, text: str, depth: int) -> None:
    """Raise ConditionError for the first part of `tree` that is not on the list."""
    if depth > MAX_DEPTH:
        raise ConditionError(f"This condition is nested more than {MAX_DEPTH} deep.", tree.col_offset + 1)
    match tree:
        case ast.Name(id=name) if name in NAMES or name in _CONSTANTS:
            parts: list[ast.expr] = []
        case ast.Name(id=name):
            raise ConditionError(
                f"The condition {text!r} names {name!r}, which is not known.", tree.col_offset + 1,
                f"Write context.{name}, or '{name}' for a text."
            )  # fmt: skip
        case ast.Constant(value=str() | bool() | int() | float() | None):
            parts = []
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float())):
            parts = []
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            parts = [operand]
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            pass
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, _ORDERS) for op in ops
        ):
            parts = [left, *others]
        case ast.Attribute(value=ast.Name() | ast.Attribute() | ast.Subscript() as inner):
            parts = [inner]
        case ast.Subscript(
            value=ast.Name() | ast.Attribute() | ast.Subscript() as inner,
            slice=ast.Constant(value=str() | int()),
        ):
            parts = [inner]
        case _:
            column = tree.col_offset + 1
            raise ConditionError(
                f"The condition {text!r} may not do what is at column {column}.", column, _hint(text)
            )
    for part in parts:
        _allow(part, text, depth + 1)


_ORDERS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)


def _value(tree: ast.expr, names: dict[str, Json]) -> Json:
    found: Json
    match tree:
        case ast.Name(id=name):
            found = names[name] if name in names else _CONSTANTS[name]
        case ast.Constant(value=value):
            found = value if isinstance(value, str | bool | int | float) else None
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            found = not _value(operand, names)
        case ast.UnaryOp(op=sign, operand=ast.Constant(value=int() | float() as value)):
            found = -value if isinstance(sign, ast.USub) else value
        case ast.BoolOp(op=op, values=values):
            found = _joined(isinstance(op, ast.Or), values, names)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            found = [_value(item, names) for item in items]
        case ast.Attribute(value=inner, attr=key):
            found = _look_up(_value(inner, names), key)
        case ast.Subscript(value=inner, slice=ast.Constant(value=str() | int() as key)):
            found = _look_up(_value(inner, names), key)
        case ast.Compare():
            found = _compared(tree, names)
        case _:
            raise ConditionError("This condition holds something that is not on the list.")
    return found


def _joined(wanted: bool, values: list[ast.expr], names: dict[str, Json]) -> Json:
    found: Json = None
    for value in values:
        found = _value(value, names)
        if bool(found) is wanted:
            break
    return found


def _look_up(found: Json, key: str | int) -> Json:
    if isinstance(found, dict) and isinstance(key, str):
        return found.get(key)
    if isinstance(found, list) and isinstance(key, int):
        return found[key] if -len(found) <= key < len(found) else None
    return None


def _compared(tree: ast.Compare, names: dict[str, Json]) -> bool:
    left, about_input = _value(tree.left, names), _is_named(tree.left, "input")
    for op, other in zip(tree.ops, tree.comparators, strict=True):
        right = _value(other, names)
        loose = about_input or _is_named(other, "input")
        if not _relation(op, left, right, loose):
            return False
        left, about_input = right, _is_named(other, "input")
    return True


def _relation(op: ast.cmpop, left: Json, right: Json, loose: bool) -> bool:
    match op:
        case ast.Eq():
            return _same(left, right, loose)
        case ast.NotEq():
            return not _same(left, right, loose)
        case ast.In():
            return _within(left, right, loose)
        case ast.NotIn():
            return not _within(left, right, loose)
        case _:
            return _ordered(op, left, right, loose)


def _same(left: Json, right: Json, loose: bool) -> bool:
    if not loose:
        return equal(left, right)
    texts = [_text(side) for side in (left, right)]
    if None in texts:
        return equal(left, right)
    return texts[0] == texts[1]


def _text(value: Json) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value.casefold()
        case int() | float():
            return number(value)
        case _:
            return None


def _within(left: Json, right: Json, loose: bool) -> bool:
    match right:
        case str():
            if not isinstance(left, str):
                return False
            return left.casefold() in right.casefold() if loose else left in right
        case list():
            return any(_same(left, item, loose) for item in right)
        case dict():
            return any(_same(left, key, loose) for key in right)
        case None:
            return False
        case _:
            raise ConditionError(
                f"Nothing can be in {kind(right)}.", hint="Use in with a list, a map or a text."
            )


def _ordered(op: ast.cmpop, left: Json, right: Json, loose: bool) -> bool:
    if loose:
        left, right = _numbered(left, right), _numbered(right, left)
    if left is None or right is None:
        return False
    match left, right:
        case (bool(), _) | (_, bool()):
            pass
        case (int() | float() as a, int() | float() as b):
            return _holds_order(op, a < b, a > b)
        case (str() as c, str() as d):
            return _holds_order(op, c < d, c > d)
    raise ConditionError(
        f"{kind(left)} and {kind(right)} have no order.".capitalize(),
        hint="Save the input with input_type: int, or compare with a text.",
    )


def _numbered(side: Json, other: Json) -> Json:
    """Return a typed text as a number when it meets one; a text that is none is missing."""
    if not isinstance(side, str) or not isinstance(other, int | float):
        return side
    try:
        return float(side)
    except ValueError:
        return None


def _holds_order(op: ast.cmpop, before: bool, after: bool) -> bool:
    match op:
        case ast.Lt():
            return before
        case ast.LtE():
            return not after
        case ast.Gt():
            return after
        case _:
            return not before
