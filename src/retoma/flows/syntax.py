"""What a template says, as a tree: the subset of Go's text/template that the flow format names.

Parsing only. The grammar has no definition, no include and no method call, so a tree can do nothing but look up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeAlias

import msgspec

from retoma.errors import Invalid

MAX_DEPTH = 50

# name → fewest and most arguments (a pipe's left side counts as the last one)
FUNCTIONS: dict[str, tuple[int, int]] = {
    "eq": (2, 99), "ne": (2, 2), "lt": (2, 2), "le": (2, 2), "gt": (2, 2), "ge": (2, 2),
    "and": (1, 99), "or": (1, 99), "not": (1, 1), "len": (1, 1), "index": (1, 99), "printf": (1, 99),
    "default": (1, 2), "coalesce": (1, 99), "toJson": (1, 1),
}  # fmt: skip


class TemplateError(Invalid):
    """A template does not parse, or rendering it passed a limit. `line` counts from 1 in the template's text."""

    def __init__(self, message: str, line: int, hint: str = "") -> None:
        super().__init__(message, code="flow_template", hint=hint)
        self.line = line


class Literal(msgspec.Struct, frozen=True):
    value: None | bool | int | float | str


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


def parse(template: str) -> list[Part]:
    """Return the tree of `template`. Raises TemplateError with the line."""
    return _Parser(list(_pieces(template))).parts()


def actions(template: str) -> Iterator[tuple[str, int]]:
    """Yield the inside of each action with its line."""
    for piece in _pieces(template):
        if isinstance(piece, tuple):
            yield piece


def _pieces(template: str) -> Iterator[Text | tuple[str, int]]:
    """Cut the template into literal text and (inside of an action, line); trim markers and comments are applied."""
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
    comment = re.compile(r"\s*/\*").match(template, start)
    if comment:
        close = template.find("*/", comment.end())
        end = re.compile(r"(\s+-)?\s*\}\}").match(template, close + 2) if close >= 0 else None
        if end is None:
            raise TemplateError("This comment is not closed.", line, "End it with */}}.")
        return None, end.end(), left, end.group(1) is not None
    end_at = _close(template, start)
    if end_at < 0:
        raise TemplateError("This {{ is not closed.", line, "End it with }}.")
    inside = template[start:end_at]
    right = inside.endswith("-") and inside[-2:-1].isspace()
    return (inside[:-1] if right else inside), end_at + 2, left, right


def _close(template: str, at: int) -> int:
    # Braces inside quotes do not close. A quote that is never closed is left to the tokens to complain about.
    for mark in _QUOTED.finditer(template, at):
        if mark.group() == "}}":
            return mark.start()
        if mark.group() == "{{":
            return -1
    return -1


_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|\}\}|\{\{')


def _tokens(inside: str, line: int) -> list[Token]:
    found, at = [], 0
    while at < len(inside):
        match = _TOKEN.match(inside, at)
        here = line + inside.count("\n", 0, at)
        if match is None or match.lastgroup is None:
            raise TemplateError(f"Unexpected {inside[at : at + 12].strip()!r} in {{{{{inside}}}}}.", here)
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), here))
        at = match.end()
    return found


class _Parser:
    """Recursive descent over the pieces; `depth` bounds blocks and parentheses together."""

    def __init__(self, pieces: list[Text | tuple[str, int]]) -> None:
        self._pieces = pieces
        self._at = 0
        self._depth = 0
        self._loops = 0
        self._names: list[str] = ["$"]

    def parts(self) -> list[Part]:
        parts, stop = self._block()
        if stop is not None:
            raise TemplateError(f"{{{{ {stop[0].text} }}}} has no block to belong to.", stop[0].line)
        return parts

    def _block(self) -> tuple[list[Part], list[Token] | None]:
        """Read until `end` or `else`; return what was read and that action's tokens, None at the end of text."""
        parts: list[Part] = []
        known = len(self._names)
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, Text):
                parts.append(piece)
                continue
            tokens = _tokens(*piece)
            if not tokens:
                raise TemplateError("This {{ }} is empty.", piece[1], "Name a key: {{ .name }}.")
            if tokens[0].text in ("end", "else"):
                del self._names[known:]
                return parts, tokens
            parts.append(self._part(tokens))
        del self._names[known:]
        return parts, None

    def _part(self, tokens: list[Token]) -> Part:
        first = tokens[0]
        match first.text:
            case "if" | "with":
                return self._nested(lambda: self._branch(tokens))
            case "range":
                return self._nested(lambda: self._range(tokens))
            case "break" | "continue" if len(tokens) == 1:
                if not self._loops:
                    raise TemplateError(f"{{{{ {first.text} }}}} stands outside a range.", first.line)
                return Jump(first.text, first.line)
            case "template" | "define" | "block":
                raise TemplateError(f"{{{{ {first.text} }}}} is not part of a flow's templates.", first.line)
        if first.kind == "variable" and len(tokens) > 1 and tokens[1].text in (":=", "="):
            return self._assign(tokens)
        return Show(self._pipeline(tokens), first.line)

    def _assign(self, tokens: list[Token]) -> Assign:
        name, declares = tokens[0].text, tokens[1].text == ":="
        value = self._pipeline(tokens[2:], after=tokens[1])
        self._variable(name, tokens[0].line, declare=declares)
        return Assign(name, value, declares, tokens[0].line)

    def _variable(self, name: str, line: int, *, declare: bool) -> None:
        if "." in name or name == "$":
            raise TemplateError(f"{name} cannot be set.", line, "Name a variable: $x := …")
        if declare:
            self._names.append(name)
        elif name not in self._names:
            raise TemplateError(f"{name} is not declared.", line, f"Declare it first: {{{{ {name} := … }}}}.")

    def _nested(self, read: Callable[[], Part]) -> Part:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _too_deep(self._line())
        known = len(self._names)
        part = read()
        del self._names[known:]
        self._depth -= 1
        return part

    def _line(self) -> int:
        piece = self._pieces[self._at - 1]
        return 1 if isinstance(piece, Text) else piece[1]

    def _branch(self, tokens: list[Token]) -> Branch:
        word = tokens[0]
        variable, rest = "", tokens[1:]
        if len(rest) > 1 and rest[0].kind == "variable" and rest[1].text == ":=":
            variable, rest = rest[0].text, rest[2:]
        value = self._pipeline(rest, after=word)
        if variable:
            self._variable(variable, word.line, declare=True)
        then, stop = self._block()
        otherwise = self._otherwise(word, stop, chain=(word.text,) if word.text == "with" else ("if",))
        return Branch(value, then, otherwise, word.text == "with", variable, word.line)

    def _range(self, tokens: list[Token]) -> Range:
        word, rest = tokens[0], tokens[1:]
        names: list[str] = []
        signs = [token.text for token in rest[:4]]
        if ":=" in signs:
            cut = signs.index(":=")
            names = [token.text for token in rest[:cut] if token.text != ","]
            if cut != 2 * len(names) - 1 or len(names) > 2:
                raise TemplateError(
                    "A range sets one or two variables.", word.line, "Write range $i, $x := .list."
                )
            rest = rest[cut + 1 :]
        value = self._pipeline(rest, after=word)
        for name in names:
            self._variable(name, word.line, declare=True)
        self._loops += 1
        body, stop = self._block()
        self._loops -= 1
        return Range(value, body, self._otherwise(word, stop, chain=()), tuple(names), word.line)

    def _otherwise(self, word: Token, stop: list[Token] | None, chain: tuple[str, ...]) -> list[Part]:
        """Read what follows the first block, up to and with its `end`."""
        if stop is None:
            raise TemplateError(
                f"This {{{{ {word.text} }}}} has no {{{{ end }}}}.", word.line, "Add {{ end }}."
            )
        if stop[0].text == "end":
            _nothing_after(stop)
            return []
        if len(stop) > 1 and stop[1].text in chain:
            return [self._nested(lambda: self._branch(stop[1:]))]
        _nothing_after(stop)
        parts, last = self._block()
        if last is None:
            raise TemplateError(
                f"This {{{{ {word.text} }}}} has no {{{{ end }}}}.", word.line, "Add {{ end }}."
            )
        if last[0].text != "end":
            raise TemplateError("A second {{ else }} cannot follow.", last[0].line)
        _nothing_after(last)
        return parts

    def _pipeline(self, tokens: list[Token], after: Token | None = None) -> Expression:
        if not tokens:
            line = after.line if after else 1
            raise TemplateError(f"Something is missing after {after.text if after else '{{'!r}.", line)
        reader = _Expressions(tokens, self._names, self._depth)
        value = reader.pipeline()
        if (left := reader.peek()) is not None:
            raise TemplateError(f"Unexpected {left.text!r}.", left.line)
        return value


class _Expressions:
    """One action's pipeline: commands joined by `|`, each an operand or a function with operands."""

    def __init__(self, tokens: list[Token], names: list[str], depth: int) -> None:
        self._tokens = tokens
        self._names = names
        self._depth = depth
        self._at = 0

    def peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def pipeline(self) -> Expression:
        value = self._command(None)
        while (token := self.peek()) is not None and token.text == "|":
            self._at += 1
            value = self._command(value)
        return value

    def _command(self, piped: Expression | None) -> Expression:
        token = self.peek()
        if token is None:
            raise TemplateError("Something is missing after '|'.", self._tokens[-1].line)
        if token.kind == "name" and token.text in FUNCTIONS:
            self._at += 1
            arguments = list(self._operands())
            if arguments or piped is not None:
                return _call(token, arguments if piped is None else [*arguments, piped])
            return Field((token.text,))
        value = self._operand()
        following = self.peek()
        if piped is not None or (following is not None and following.text not in ("|", ")")):
            known = ", ".join(FUNCTIONS)
            raise TemplateError(f"{token.text!r} is not a function.", token.line, f"There are: {known}.")
        return value

    def _operands(self) -> Iterator[Expression]:
        while (token := self.peek()) is not None and token.text not in ("|", ")"):
            yield self._operand()

    def _operand(self) -> Expression:
        token = self._tokens[self._at]
        self._at += 1
        match token.kind:
            case "string":
                return Literal(_unquote(token))
            case "number":
                return Literal(_number(token))
            case "field":
                return Field(tuple(part for part in token.text.split(".") if part))
            case "variable":
                name, *path = token.text.split(".")
                if name not in self._names:
                    raise TemplateError(
                        f"{name} is not declared.", token.line, f"Declare it: {{{{ {name} := … }}}}."
                    )
                return Field(tuple(path), name)
            case "name":
                return _named(token)
        if token.text == "(":
            return self._parenthesis(token)
        raise TemplateError(f"Unexpected {token.text!r}.", token.line)

    def _parenthesis(self, token: Token) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _too_deep(token.line)
        value = self.pipeline()
        close = self.peek()
        if close is None or close.text != ")":
            raise TemplateError("This ( is not closed.", token.line)
        self._at += 1
        self._depth -= 1
        following = self.peek()
        if following is not None and following.kind == "field" and following.text != ".":
            self._at += 1
            return Walk(value, tuple(following.text.split(".")[1:]))
        return value


def _call(token: Token, arguments: list[Expression]) -> Call:
    fewest, most = FUNCTIONS[token.text]
    if not fewest <= len(arguments) <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} or more"
        raise TemplateError(f"{token.text} takes {wanted} values, not {len(arguments)}.", token.line)
    return Call(token.text, arguments, token.line)


def _named(token: Token) -> Expression:
    words: dict[str, bool | None] = {"true": True, "false": False, "nil": None}
    if token.text in words:
        return Literal(words[token.text])
    return Field(tuple(token.text.split(".")))


def _unquote(token: Token) -> str:
    if token.text.startswith("`"):
        return token.text[1:-1]
    try:
        return str(json.loads(token.text, strict=False))
    except ValueError as error:
        raise TemplateError(
            f"The text {token.text} holds an escape that is not known.", token.line
        ) from error


def _number(token: Token) -> int | float:
    if len(token.text) > 40:
        raise TemplateError("This number is too long.", token.line)
    try:
        return int(token.text)
    except ValueError:
        return float(token.text)


def _nothing_after(tokens: list[Token]) -> None:
    if len(tokens) > 1:
        raise TemplateError(f"Nothing may follow {tokens[0].text!r} here.", tokens[1].line)


def _too_deep(line: int) -> NoReturn:
    raise TemplateError(f"This is nested more than {MAX_DEPTH} deep.", line)
