"""Rendering: templates over plain data, evaluated by look-up alone.

A look-up goes through maps by key and nothing else, so no attribute of a Python object can be reached. Each
render has a budget (`MAX_OUTPUT`, `MAX_ITERATIONS`, `MAX_WORK`); past it the node fails, not the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from retoma.flows.blocks import parse
from retoma.flows.functions import FUNCTIONS, FunctionError, kind, show
from retoma.flows.syntax import (
    Assign,
    Branch,
    Call,
    Expression,
    Field,
    Jump,
    Literal,
    Part,
    Range,
    Show,
    TemplateError,
    Text,
    Walk,
)
from retoma.model.codec import Json, JsonMap

__all__ = ["TemplateError", "check", "paths", "render", "value"]

MAX_OUTPUT = 1 << 20
MAX_ITERATIONS = 10_000
# One for each action, and one more for each 64 characters that a function makes.
MAX_WORK = 500_000


def render(template: str, data: JsonMap) -> str:
    """Return `template` with its actions replaced. Raises TemplateError with the line.

    >>> render("Hello {{ .name }}{{ if gt .visits 1 }} again{{ end }}!", {"name": "Ada", "visits": 2})
    'Hello Ada again!'
    """
    if "{{" not in template:
        return template
    run = _Run(data)
    run.parts(_parsed(template), run.root)
    return "".join(run.output)


def value(template: str, data: JsonMap) -> Json:
    """Return the value of a template that is exactly one `{{ … }}`, with its type; else the rendered text."""
    parts = _parsed(template.strip()) if "{{" in template else []
    if len(parts) == 1 and isinstance(parts[0], Show):
        run = _Run(data)
        return run.guarded(parts[0].value, run.root, parts[0].line)
    return render(template, data)


def check(template: str) -> None:
    """Raise TemplateError when `template` does not parse."""
    _parsed(template)


def paths(template: str) -> list[tuple[str, int]]:
    """Return each key that is printed bare at the top, with its line: what would be empty if missing."""
    return [
        (part.value.path[0], part.line)
        for part in _parsed(template)
        if isinstance(part, Show) and isinstance(part.value, Field) and part.value.path
        if part.value.variable in ("", "$")
    ]


@lru_cache(maxsize=512)
def _parsed(template: str) -> Sequence[Part]:
    return tuple(parse(template))


class _Break(Exception):
    """A `{{ break }}` or `{{ continue }}` on its way to its range."""

    def __init__(self, word: str) -> None:
        self.word = word


class _Run:
    """One rendering: its output, its variables and what is left of its budget."""

    def __init__(self, data: JsonMap) -> None:
        self.root: Json = dict(data)
        self.output: list[str] = []
        self._size = 0
        self._work = 0
        self._iterations = 0
        self._variables: list[tuple[str, Json]] = [("$", self.root)]

    def parts(self, parts: Sequence[Part], dot: Json) -> None:
        known = len(self._variables)
        for part in parts:
            self._part(part, dot)
        del self._variables[known:]

    def _part(self, part: Part, dot: Json) -> None:
        match part:
            case Text():
                self._write(part.text, 0)
            case Show():
                self._show(part, dot)
            case Assign():
                self._assign(part, self.guarded(part.value, dot, part.line))
            case Branch():
                self._branch(part, dot)
            case Range():
                self._range(part, dot)
            case Jump():
                raise _Break(part.word)

    def _show(self, part: Show, dot: Json) -> None:
        found = self.guarded(part.value, dot, part.line)
        try:
            self._write(show(found), part.line)
        except FunctionError as error:
            raise TemplateError(str(error), part.line) from error

    def _write(self, text: str, line: int) -> None:
        self._size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self._size > MAX_OUTPUT:
            raise TemplateError(
                "The rendered text is over 1 MiB.", line or 1, "Show less, or put it in an artifact."
            )
        self.output.append(text)

    def _assign(self, part: Assign, found: Json) -> None:
        if part.declares:
            self._variables.append((part.variable, found))
            return
        for at in range(len(self._variables) - 1, -1, -1):
            if self._variables[at][0] == part.variable:
                self._variables[at] = (part.variable, found)
                return

    def _branch(self, part: Branch, dot: Json) -> None:
        found = self.guarded(part.value, dot, part.line)
        known = len(self._variables)
        if part.variable:
            self._variables.append((part.variable, found))
        if found:
            self.parts(part.then, found if part.moves else dot)
        else:
            self.parts(part.otherwise, dot)
        del self._variables[known:]

    def _range(self, part: Range, dot: Json) -> None:
        pairs = _pairs(self.guarded(part.value, dot, part.line), part.line)
        if not pairs:
            self.parts(part.otherwise, dot)
        known = len(self._variables)
        for key, item in pairs:
            self._iterations += 1
            if self._iterations > MAX_ITERATIONS:
                raise TemplateError(f"The ranges went round more than {MAX_ITERATIONS:,} times.", part.line)
            named = part.variables[-1:] if len(part.variables) < 2 else part.variables
            self._variables += (
                zip(named, (item,) if len(named) < 2 else (key, item), strict=True) if named else ()
            )
            try:
                self.parts(part.body, item)
            except _Break as jump:
                if jump.word == "break":
                    break
            finally:
                del self._variables[known:]

    def guarded(self, expression: Expression, dot: Json, line: int) -> Json:
        try:
            return self._evaluate(expression, dot, line)
        except FunctionError as error:
            raise TemplateError(str(error), line) from error

    def _evaluate(self, expression: Expression, dot: Json, line: int) -> Json:
        self._spend(1, line)
        match expression:
            case Literal():
                return expression.value
            case Field():
                return _walk(self._start(expression.variable, dot), expression.path)
            case Walk():
                return _walk(self._evaluate(expression.of, dot, line), expression.path)
            case Call():
                found = self._call(expression, dot)
                if isinstance(found, str):
                    self._spend(len(found) // 64, line)
                return found

    def _spend(self, work: int, line: int) -> None:
        self._work += work
        if self._work > MAX_WORK:
            raise TemplateError(
                "This template does too much work.", line, "Make its ranges or its texts smaller."
            )

    def _start(self, variable: str, dot: Json) -> Json:
        if not variable:
            return dot
        return next((found for name, found in reversed(self._variables) if name == variable), None)

    def _call(self, call: Call, dot: Json) -> Json:
        if call.function in ("and", "or"):
            return self._shortcut(call, dot)
        return FUNCTIONS[call.function](*(self._evaluate(one, dot, call.line) for one in call.arguments))

    def _shortcut(self, call: Call, dot: Json) -> Json:
        found: Json = None
        for argument in call.arguments:
            found = self._evaluate(argument, dot, call.line)
            if bool(found) is (call.function == "or"):
                break
        return found


def _walk(found: Json, path: tuple[str, ...]) -> Json:
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def _pairs(found: Json, line: int) -> list[tuple[Json, Json]]:
    match found:
        case None:
            return []
        case list():
            return list(enumerate(found))
        case dict():
            return [(key, found[key]) for key in sorted(found)]
        case int() if not isinstance(found, bool):
            return [(at, at) for at in range(min(found, MAX_ITERATIONS + 1))]
        case _:
            raise TemplateError(f"A range cannot go through {kind(found)}.", line)
