"""The words of a template (the subset of Go's text/template that flows have), its pieces and its tree.

The tree has no definition, no include and no method call: it can do nothing but look up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from retoma.errors import Invalid

MAX_DEPTH = 50
MAX_ACTION = 4_000
MAX_ACTIONS = 10_000

# name → fewest and most arguments (a pipe's left side counts as the last one)
FUNCTIONS: dict[str, tuple[int, int]] = {
    "eq": (2, 99), "ne": (2, 2), "lt": (2, 2), "le": (2, 2), "gt": (2, 2), "ge": (2, 2),
    "and": (1, 99), "or": (1, 99), "not": (1, 1), "len": (1, 1), "index": (1, 99), "printf": (1, 99),
    "default": (1, 2), "coalesce": (1, 99), "toJson": (1, 1),
}  # fmt: skip


class TemplateError(Invalid):
    """A template does not parse, or rendering it passed a limit. `line` counts from 1 in its text."""

    def __init__(self, message: str, line: int, hint: str = "") -> None:
        super().__init__(message, code="flow_template", hint=hint)
        self.line = line


class Literal(msgspec.Struct, frozen=True):
    value: bool | int | float | str | None


class Field(msgspec.Struct, frozen=True):
    """A look-up of `path` from a variable (`$` is the root) or, when `variable` is empty, from the dot."""

    path: tuple[str, ...]
    variable: str = ""


class Call(msgspec.Struct, frozen=True):
    function: str
    arguments: list[Expression]
    line: int


class Walk(msgspec.Struct, frozen=True):
    """A look-up of `path` in the value of a parenthesis."""

    of: Expression
    path: tuple[str, ...]


Expression: TypeAlias = Literal | Field | Call | Walk


class Text(msgspec.Struct, frozen=True):
    text: str


class Show(msgspec.Struct, frozen=True):
    value: Expression
    line: int


class Assign(msgspec.Struct, frozen=True):
    variable: str
    value: Expression
    declares: bool
    line: int


class Branch(msgspec.Struct, frozen=True):
    """`if` and `with`; `with` moves the dot to the value."""

    value: Expression
    then: list[Part]
    otherwise: list[Part]
    moves: bool
    variable: str
    line: int


class Range(msgspec.Struct, frozen=True):
    """`variables` are none, (element) or (index or key, element)."""

    value: Expression
    body: list[Part]
    otherwise: list[Part]
    variables: tuple[str, ...]
    line: int


class Jump(msgspec.Struct, frozen=True):
    """`break` or `continue`."""

    word: str
    line: int


Part: TypeAlias = Text | Show | Assign | Branch | Range | Jump

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\\n]|\\.)*" | `[^`]*`)
      | (?P<number>[-+]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.]))
      | (?P<variable>\$\w*(?:\.\w+)*)
      | (?P<field>(?:\.\w+)+ | \.)
      | (?P<name>[^\W\d]\w*(?:\.\w+)*)
      | (?P<sign>:=|[()|,=])""",
    re.VERBOSE,
)


class Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    line: int


def pieces(template: str) -> Iterator[Text | tuple[str, int]]:
    """Cut the template into literal text and (inside of an action, line), trimmed as its markers say."""
    at, trim = 0, False
    counted, line = 0, 1
    while True:
        begin = template.find("{{", at)
        text = template[at : begin if begin >= 0 else len(template)]
        if trim:
            text = text.lstrip()
        if begin < 0:
            if text:
                yield Text(text)
            return
        line, counted = line + template.count("\n", counted, begin), begin
        inside, at, left, trim = _action(template, begin, line)
        if left:
            text = text.rstrip()
        if text:
            yield Text(text)
        if inside is not None:
            yield inside, line


def _action(template: str, begin: int, line: int) -> tuple[str | None, int, bool, bool]:
    """Return (inside or None for a comment, where the text goes on, trims left, trims right)."""
    start = begin + 2
    left = template.startswith("-", start) and template[start + 1 : start + 2].isspace()
    start += left
    comment = _COMMENT.match(template, start)
    if comment:
        close = template.find("*/", comment.end())
        end = _COMMENT_END.match(template, close + 2) if close >= 0 else None
        if end is None:
            raise TemplateError("This comment is not closed.", line, "End it with */}}.")
        return None, end.end(), left, end.group(1) is not None
    end_at = _close(template, start)
    if end_at < 0:
        raise TemplateError(
            "This {{ is not closed.", line, f"End it with }}}}, within {MAX_ACTION:,} characters."
        )
    inside = template[start:end_at]
    right = inside.endswith("-") and inside[-2:-1].isspace()
    return (inside[:-1] if right else inside), end_at + 2, left, right


def _close(template: str, at: int) -> int:
    # Braces inside quotes do not close. A quote that is never closed is left to the tokens to complain about.
    for mark in _QUOTED.finditer(template, at, at + MAX_ACTION):
        if mark.group() == "}}":
            return mark.start()
        if mark.group() == "{{":
            return -1
    return -1


_COMMENT = re.compile(r"\s*/\*")
_COMMENT_END = re.compile(r"(\s+-)?\s*\}\}")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|\}\}|\{\{')


def tokens(inside: str, line: int) -> list[Token]:
    """Return the words of an action that begins at `line`."""
    found, at = [], 0
    while at < len(inside):
        match = _TOKEN.match(inside, at)
        if match is None or match.lastgroup is None:
            raise TemplateError(f"Unexpected {inside[at : at + 12].strip()!r} in a template.", line)
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    return found
