"""The template functions, and how a value is printed. Pure look-up and comparison: none can run anything."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from unicodedata import normalize

from retoma.errors import Invalid
from retoma.model.codec import Json, encode

MAX_TEXT = 1 << 20
MAX_WIDTH = 1_000
MAX_NUMBER = 10**300

_VERB = re.compile(r"%([-+ #0]*)(\d*)(?:\.(\d*))?(.)", re.DOTALL)


class FunctionError(ValueError):
    """A function was given what it cannot take."""


def show(value: Json) -> str:
    """Return `value` as a template prints it: plain digits, nothing for null, JSON for maps and lists."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return number(value)
        case _:
            return to_json(value)


def number(value: int | float) -> str:
    """Return a number in plain digits: 1000000, 0.5; a whole float has no fraction."""
    if isinstance(value, int):
        # Python refuses to write out more digits than this, and no data from JSON has them.
        return str(value) if abs(value) < MAX_NUMBER else "∞"
    if not math.isfinite(value):
        return str(value)
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_json(value: Json) -> str:
    try:
        data = encode(value)
    except Invalid as error:
        raise FunctionError(error.message) from error
    if len(data) > MAX_TEXT:
        raise FunctionError("This value is over 1 MiB as JSON.")
    return data.decode()


def compare(function: str, left: Json, right: Json) -> bool:
    """Say whether `left lt right` and its like hold; a missing side makes it false."""
    if left is None or right is None:
        return False
    match left, right:
        case (bool(), _) | (_, bool()):
            pass
        case (int() | float() as a, int() | float() as b):
            return _ordered(function, (a > b) - (a < b))
        case str(), str():
            return _ordered(function, (left > right) - (left < right))
    raise FunctionError(f"{function} cannot compare {kind(left)} with {kind(right)}.")


def _ordered(function: str, sign: int) -> bool:
    return {"lt": sign < 0, "le": sign <= 0, "gt": sign > 0, "ge": sign >= 0}[function]


def composed(text: str) -> str:
    """Return `text` with each letter and its marks as one character, where Unicode has it (NFC)."""
    return text if text.isascii() else normalize("NFC", text)


def folded(text: str) -> str:
    """Return `text` as it is compared without regard to case."""
    return composed(composed(text).casefold())


def equal(left: Json, right: Json) -> bool:
    """Equality of data: a truth value is no number, as in JSON."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return left == right


def length(value: Json) -> int:
    if value is None:
        return 0
    if isinstance(value, str | list | dict):
        return len(value)
    raise FunctionError(f"len cannot count {kind(value)}.")


def index(value: Json, *path: Json) -> Json:
    """Walk `path` into maps and lists; what is not there is null."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and not isinstance(step, bool):
            value = value[step] if 0 <= step < len(value) else None
        elif value is not None:
            raise FunctionError(f"index cannot look up {kind(step)} in {kind(value)}.")
    return value


def default(fallback: Json, value: Json = None) -> Json:
    return value if value else fallback


def coalesce(*values: Json) -> Json:
    return next((value for value in values if value), None)


def printf(form: Json, *values: Json) -> str:
    """Format as Go's printf does for %s %v %d %f %g %e %q %t %x %X %%, with flags, width and precision."""
    if not isinstance(form, str):
        raise FunctionError(f"printf needs a text first, not {kind(form)}.")
    left = list(values)
    size = 0

    def one(match: re.Match[str]) -> str:
        nonlocal size
        if match.group(4) == "%":
            return "%"
        if not left:
            return f"%!{match.group(4)}(MISSING)"
        text = _formatted(match, left.pop(0))
        size += len(text)
        if size > MAX_TEXT:
            raise FunctionError("printf made more than 1 MiB.")
        return text

    return _VERB.sub(one, form)


def _formatted(match: re.Match[str], value: Json) -> str:
    flags, width, digits, verb = match.groups()
    if len(width) > 4 or len(digits or "") > 4 or max(int(width or 0), int(digits or 0)) > MAX_WIDTH:
        raise FunctionError(f"printf pads to at most {MAX_WIDTH:,} columns.")
    precision = int(digits or 0) if digits is not None else None
    text = _verb(verb, value, precision)
    if text is None:
        return f"%!{verb}({show(value)})"
    if "+" in flags and verb in "dfge" and not text.startswith("-"):
        text = f"+{text}"
    if "-" in flags:
        return text.ljust(int(width or 0))
    if "0" in flags and verb in "dfgexX":
        return text.zfill(int(width or 0))
    return text.rjust(int(width or 0))


def _verb(verb: str, value: Json, precision: int | None) -> str | None:
    """Return `value` as `verb` writes it, None when the two do not go together."""
    text: str | None = None
    number_like = isinstance(value, int | float) and not isinstance(value, bool)
    match verb, value:
        case "s" | "v", _:
            text = show(value)[:precision]
        case "q", _:
            text = to_json(show(value))
        case "t", bool():
            text = show(value)
        case "d" | "x" | "X", int() if number_like:
            text = format(value, verb)
        case "d", float() if value.is_integer():
            text = str(int(value))
        case "g", int() | float() if number_like and precision is None:
            text = number(value)
        case "f" | "e" | "g", int() | float() if number_like and abs(value) < MAX_NUMBER:
            text = format(float(value), f".{6 if precision is None else precision}{verb}")
    return text


_KINDS = {
    bool: "true or false",
    int: "an int",
    float: "a float",
    str: "a text",
    list: "a list",
    dict: "a map",
}


def kind(value: Json) -> str:
    """Name the type for a sentence."""
    return "nothing" if value is None else _KINDS[type(value)]


def _any_equal(first: Json, *others: Json) -> bool:
    return any(equal(first, other) for other in others)


# `and` and `or` are not here: they stop at the first value that decides, so they are the evaluator's.
FUNCTIONS: dict[str, Callable[..., Json]] = {
    "eq": _any_equal,
    "ne": lambda left, right: not equal(left, right),
    "lt": partial(compare, "lt"),
    "le": partial(compare, "le"),
    "gt": partial(compare, "gt"),
    "ge": partial(compare, "ge"),
    "not": lambda value: not value,
    "len": length,
    "index": index,
    "printf": printf,
    "default": default,
    "coalesce": coalesce,
    "toJson": to_json,
}
