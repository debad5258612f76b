"""A condition that was read, decided: by look-up and comparison, within a budget."""

from __future__ import annotations

import ast

from retoma.model.codec import Json
from retoma.model.redaction import REDACTED
from retoma.template.budget import Budget
from retoma.template.functions import composed, equal, folded, kind, number

CONSTANTS: dict[str, Json] = {"true": True, "false": False, "null": None, "none": None, "nil": None}


class NoOrder(Exception):
    """Two values are compared that cannot be."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Decision:
    """One condition being decided with what `names` stand for."""

    def __init__(self, names: dict[str, Json], budget: Budget) -> None:
        self._names = names
        self._budget = budget
        self.redacted = False
        """Whether an order was asked of a value that was redacted since: then it is not met."""

    def value(self, tree: ast.expr) -> Json:
        """Return what `tree` comes to. Raises NoOrder, Exhausted."""
        self._budget.spend(1)
        found: Json
        match tree:
            case ast.Name(id=name):
                found = self._names[name] if name in self._names else CONSTANTS[name]
            case ast.Constant(value=value):
                found = value if isinstance(value, str | bool | int | float) else None
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                found = not self.value(operand)
            case ast.UnaryOp(op=sign, operand=ast.Constant(value=int() | float() as value)):
                found = -value if isinstance(sign, ast.USub) else value
            case ast.BoolOp(op=op, values=values):
                found = self._joined(isinstance(op, ast.Or), values)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                found = [self.value(item) for item in items]
            case ast.Attribute(value=inner, attr=key):
                found = _look_up(self.value(inner), key)
            case ast.Subscript(value=inner, slice=ast.Constant(value=str() | int() as key)):
                found = _look_up(self.value(inner), key)
            case ast.Compare():
                found = self._compared(tree)
            case _:
                raise NoOrder("This condition has an unsupported expression.")
        return found

    def _joined(self, wanted: bool, values: list[ast.expr]) -> Json:
        found: Json = None
        for value in values:
            found = self.value(value)
            if bool(found) is wanted:
                break
        return found

    def _compared(self, tree: ast.Compare) -> bool:
        left, about_input = self.value(tree.left), is_named(tree.left, "input")
        for op, other in zip(tree.ops, tree.comparators, strict=True):
            right = self.value(other)
            loose = about_input or is_named(other, "input")
            if not self._relation(op, left, right, loose):
                return False
            left, about_input = right, is_named(other, "input")
        return True

    def _relation(self, op: ast.cmpop, left: Json, right: Json, loose: bool) -> bool:
        self._budget.weigh(left)
        match op:
            case ast.Eq():
                return _same(left, right, loose)
            case ast.NotEq():
                return not _same(left, right, loose)
            case ast.In():
                return self._within(left, right, loose)
            case ast.NotIn():
                return not self._within(left, right, loose)
            case _:
                try:
                    return _ordered(op, left, right, loose)
                except NoOrder:
                    if REDACTED not in (left, right):
                        raise
                    self.redacted = True
                    return False

    def _within(self, left: Json, right: Json, loose: bool) -> bool:
        self._budget.weigh(right)
        match right:
            case str():
                if not isinstance(left, str):
                    return False
                form = folded if loose else composed
                return form(left) in form(right)
            case list() | dict():
                # What Python's equality does not find is not there; what it finds may be true for 1.
                if not loose and isinstance(right, list) and not isinstance(left, str) and left not in right:
                    return False
                self._budget.spend(len(right))
                return any(_same(left, item, loose) for item in right)
            case None:
                return False
            case _:
                raise NoOrder(
                    f"'in' does not work with {kind(right)}.", "Use 'in' with a list, a map or a text."
                )


def is_named(tree: ast.expr, name: str) -> bool:
    """Return whether `tree` is this name alone."""
    return isinstance(tree, ast.Name) and tree.id == name


def _look_up(found: Json, key: str | int) -> Json:
    if isinstance(found, dict) and isinstance(key, str):
        return found.get(key)
    if isinstance(found, list) and isinstance(key, int):
        return found[key] if -len(found) <= key < len(found) else None
    return None


def _same(left: Json, right: Json, loose: bool) -> bool:
    if not loose:
        if isinstance(left, str) and isinstance(right, str):
            return composed(left) == composed(right)
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
            return folded(value)
        case int() | float():
            return number(value)
        case _:
            return None


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
    raise NoOrder(
        f"{kind(left)} and {kind(right)} cannot be compared.".capitalize(),
        "Save the input with input_type: int, or compare with a text.",
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
