"""Conditions: one safe expression over `input`, `context` and `sys` that says whether a way is open.

Read with Python's own parser and an allow-list of its nodes, then decided here by look-up and comparison:
nothing is compiled, called or reached as an attribute. What a condition means:

- Texts compare without regard to case when `input` is one of the sides.
- What is missing is null. `==` and `!=` may test for null; every order (`<`, `>=`, …) and every `in` with a
  missing side is false.
- An input that was typed as text orders as a number when the other side is one; if it is none, that is false.
- Two values of kinds that have no order (a text and a number of the context) are a ConditionError, not false; with
  a redacted value, it is false.
- `and`, `or` and a bare look-up go by emptiness: null, false, 0, "" and empty lists and maps do not hold.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from retoma.errors import Invalid
from retoma.model.codec import Json, JsonMap
from retoma.template.budget import Budget, Exhausted
from retoma.template.decision import CONSTANTS, Decision, NoOrder, is_named

MAX_LENGTH = 1_000
MAX_DEPTH = 50
NAMES = ("input", "context", "sys")

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


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
    """Return the keys of the context that `condition` names; none when it has a syntax error."""
    try:
        parts = list(ast.walk(_parsed(condition)))
    except ConditionError:
        return frozenset()
    of_context = [part for part in parts if isinstance(part, ast.Attribute | ast.Subscript)]
    return frozenset(_key(part) for part in of_context if is_named(part.value, "context"))


def _key(part: ast.Attribute | ast.Subscript) -> str:
    if isinstance(part, ast.Attribute):
        return part.attr
    return str(part.slice.value) if isinstance(part.slice, ast.Constant) else ""


def holds(
    condition: str,
    *,
    input: Json,
    context: JsonMap,
    ans: Json = None,
    budget: Budget | None = None,
    remarks: list[str] | None = None,
) -> bool:
    """Say whether `condition` holds; an empty one does. Raises ConditionError, also when the `budget` is used up.

    When it does not hold because a value was redacted, a sentence is added to `remarks`.

    >>> holds("input == 'yes' and context.age >= 18", input="YES", context={"age": 20})
    True
    """
    if not condition.strip():
        return True
    names: dict[str, Json] = {"input": input, "context": dict(context), "sys": {"ans": ans}}
    decision = Decision(names, budget or Budget())
    try:
        found = bool(decision.value(_parsed(condition)))
        if decision.redacted and remarks is not None:
            remarks.append(
                f"The condition {condition.strip()[:200]!r} is not met: a value in it was redacted."
            )
        return found
    except NoOrder as error:
        raise ConditionError(str(error), hint=error.hint) from error
    except Exhausted as error:
        message = f"The condition {condition.strip()[:200]!r} compares too much data."
        raise ConditionError(message, hint="Compare less data, or use smaller lists.") from error


@lru_cache(maxsize=1024)
def _parsed(condition: str) -> ast.expr:
    text = condition.strip()
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"This condition is longer than {MAX_LENGTH:,} characters.")
    try:
        tree = ast.parse(_ESCAPE.sub(_escaped, text.replace("\n", " ")), mode="eval").body
    except SyntaxError as error:
        raise ConditionError(
            f"The condition {text!r} has a syntax error at column {error.offset or 1}.",
            error.offset or 1,
            _hint(text),
        ) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise ConditionError(f"The condition {text!r} has a syntax error.") from error
    _allow(tree, text, 0)
    return tree


def _escaped(match: re.Match[str]) -> str:
    # A backslash before anything else means itself: Python would say so with a warning.
    return match.group() if match.group(1) in "\\'\"nrt" else f"\\\\{match.group(1)}"


def _hint(text: str) -> str:
    for sign, word in (("&&", "and"), ("||", "or"), ("!", "not"), ("=", "==")):
        if sign in text.replace("!=", "").replace("==", "").replace("<=", "").replace(">=", ""):
            return f"Write {word!r} for {sign!r}."
    return "Supported: == != < <= > >= in and or not ( ), literals, input, context.KEY and sys.ans."


def _allow(tree: ast.expr, text: str, depth: int) -> None:
    """Raise ConditionError for the first part of `tree` that is not on the list."""
    if depth > MAX_DEPTH:
        raise ConditionError(f"This condition is nested more than {MAX_DEPTH} deep.", tree.col_offset + 1)
    match tree:
        case ast.Name(id=name) if name in NAMES or name in CONSTANTS:
            parts: list[ast.expr] = []
        case ast.Name(id=name):
            raise ConditionError(
                f"The condition {text!r} names {name!r}, which is unknown.", tree.col_offset + 1,
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
                f"The condition {text!r} has an unsupported expression at column {column}.",
                column,
                _hint(text),
            )
    for part in parts:
        _allow(part, text, depth + 1)


_ORDERS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
