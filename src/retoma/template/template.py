"""Rendering: templates over plain data, evaluated by look-up alone.

A look-up goes through maps by key and nothing else, so no attribute of a Python object can be reached. Each
render has its limits (`MAX_OUTPUT`, `MAX_ITERATIONS`, the node's Budget); past one the node fails, not the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from retoma.model.codec import Json, JsonMap
from retoma.template.blocks import parse
from retoma.template.budget import Budget, Exhausted
from retoma.template.functions import FUNCTIONS, FunctionError, kind, show
from retoma.template.scope import Scope
from retoma.template.syntax import (
    MAX_ACTION,
    MAX_ACTIONS,
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

__all__ = ["TemplateError", "check", "paths", "render", "value"]

MAX_OUTPUT = 1 << 20
MAX_ITERATIONS = 10_000
# What is parsed is kept, but for what is as large as a file may be: its node is not shown that often.
_KEPT = 16_384
# They go through all of what they are given.
_THOROUGH = ("eq", "ne", "lt", "le", "gt", "ge", "printf", "toJson")


def render(template: str, data: JsonMap, *, budget: Budget | None = None) -> str:
    """Return `template` with its actions replaced. Raises TemplateError with the line, also for a `budget` used up.

    >>> render("Hello {{ .name }}{{ if gt .visits 1 }} again{{ end }}!", {"name": "Ada", "visits": 2})
    'Hello Ada again!'
    """
    if "{{" not in template:
        return template
    run = _Run(data, budget or Budget())
    run.parts(_parsed(template), run.root)
    return "".join(run.output)


def value(template: str, data: JsonMap, *, budget: Budget | None = None) -> Json:
    """Return the value of a template that is exactly one `{{ … }}`, with its type; else the rendered text."""
    parts = _parsed(template.strip()) if "{{" in template else []
    if len(parts) == 1 and isinstance(parts[0], Show):
        run = _Run(data, budget or Budget())
        return run.guarded(parts[0].value, run.root, parts[0].line)
    return render(template, data, budget=budget)


def check(template: str) -> None:
    """Raise TemplateError when `template` has a syntax error."""
    _parsed(template)


def paths(template: str) -> list[tuple[str, int]]:
    """Return each key that is printed bare at the top, with its line: what would be empty if missing."""
    bare = [*_BARE.finditer(template)]
    if (
        len(bare) == template.count("{{") <= MAX_ACTIONS
        and "{{{" not in template
        and len(template) <= MAX_ACTION
    ):
        # Nothing else is in most templates, and to parse them took a fifth of what it takes to load a flow.
        return [(found[1], 1 + template.count("\n", 0, found.start())) for found in bare]
    return [
        (part.value.path[0], part.line)
        for part in parse(template)
        if isinstance(part, Show) and isinstance(part.value, Field) and part.value.path
        if part.value.variable in ("", "$")
    ]


_BARE = re.compile(r"\{\{ *\.(\w+)(?:\.\w+)* *\}\}")
"""An action that is a key alone, as `blocks` reads it."""


def _parsed(template: str) -> Sequence[Part]:
    return _kept(template) if len(template) <= _KEPT else parse(template)


@lru_cache(maxsize=512)
def _kept(template: str) -> Sequence[Part]:
    return tuple(parse(template))


class _Break(Exception):
    """A `{{ break }}` or `{{ continue }}` on its way to its range."""

    def __init__(self, word: str) -> None:
        self.word = word


class _Run:
    """One rendering: its output, its variables and what is left of its budget."""

    def __init__(self, data: JsonMap, budget: Budget) -> None:
        self.root: Json = dict(data)
        self.output: list[str] = []
        self._size = 0
        self._budget = budget
        self._iterations = 0
        self._variables: Scope[Json] = Scope()
        self._variables.declare("$", self.root)

    def parts(self, parts: Sequence[Part], dot: Json) -> None:
        known = len(self._variables)
        for part in parts:
            self._part(part, dot)
        self._variables.leave(known)

    def _part(self, part: Part, dot: Json) -> None:
        self._spend(1, 1 if isinstance(part, Text) else part.line)
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
                "The rendered text is over 1 MiB.", line or 1, "Show less, or store the text in an artifact."
            )
        self.output.append(text)

    def _assign(self, part: Assign, found: Json) -> None:
        if part.declares:
            self._variables.declare(part.variable, found)
        else:
            self._variables.assign(part.variable, found)

    def _branch(self, part: Branch, dot: Json) -> None:
        found = self.guarded(part.value, dot, part.line)
        known = len(self._variables)
        if part.variable:
            self._variables.declare(part.variable, found)
        if found:
            self.parts(part.then, found if part.moves else dot)
        else:
            self.parts(part.otherwise, dot)
        self._variables.leave(known)

    def _range(self, part: Range, dot: Json) -> None:
        found = self.guarded(part.value, dot, part.line)
        if isinstance(found, dict):
            self._spend(len(found) // 2, part.line)  # its keys are sorted
        pairs = _pairs(found, part.line)
        if not found or (isinstance(found, int) and found < 0):
            self.parts(part.otherwise, dot)
        known = len(self._variables)
        for key, item in pairs:
            self._iterations += 1
            if self._iterations > MAX_ITERATIONS:
                raise TemplateError(f"The ranges repeated more than {MAX_ITERATIONS:,} times.", part.line)
            values = (key, item) if len(part.variables) > 1 else (item,)
            for name, value in zip(part.variables, values, strict=False):
                self._variables.declare(name, value)
            try:
                self.parts(part.body, item)
            except _Break as jump:
                if jump.word == "break":
                    break
            finally:
                self._variables.leave(known)

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
        try:
            self._budget.spend(work)
        except Exhausted as error:
            raise _too_much(line) from error

    def _start(self, variable: str, dot: Json) -> Json:
        if not variable:
            return dot
        return self._variables.get(variable)

    def _call(self, call: Call, dot: Json) -> Json:
        if call.function in ("and", "or"):
            return self._shortcut(call, dot)
        given = [self._evaluate(one, dot, call.line) for one in call.arguments]
        if call.function in _THOROUGH:
            for value in given:
                if isinstance(value, str | list | dict):
                    self._weigh(value, call.line)
        return FUNCTIONS[call.function](*given)

    def _weigh(self, value: Json, line: int) -> None:
        try:
            self._budget.weigh(value)
        except Exhausted as error:
            raise _too_much(line) from error

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


def _too_much(line: int) -> TemplateError:
    return TemplateError("This template takes too much work to render.", line, "Use smaller ranges or texts.")


def _pairs(found: Json, line: int) -> Iterable[tuple[Json, Json]]:
    match found:
        case None:
            return ()
        case list():
            return enumerate(found)
        case dict():
            return ((key, found[key]) for key in sorted(found))
        case int() if not isinstance(found, bool):
            return ((at, at) for at in range(min(found, MAX_ITERATIONS + 1)))
        case _:
            raise TemplateError(f"A range cannot iterate over {kind(found)}.", line)
