"""From the pieces of a template to its tree: blocks, their ends, and the variables that live in them."""

from __future__ import annotations

import re
from collections.abc import Callable

from retoma.template.expressions import Expressions, too_deep
from retoma.template.scope import Scope
from retoma.template.syntax import (
    MAX_ACTIONS,
    MAX_DEPTH,
    Assign,
    Branch,
    Expression,
    Field,
    Jump,
    Part,
    Range,
    Show,
    TemplateError,
    Text,
    Token,
    pieces,
)
from retoma.template.syntax import tokens as tokens_of


def parse(template: str) -> list[Part]:
    """Return the tree of `template`. Raises TemplateError with the line."""
    if template.count("{{") > MAX_ACTIONS:
        raise TemplateError(
            f"This has more than {MAX_ACTIONS:,} actions.", 1, "Split the node into several nodes."
        )
    return _Parser(list(pieces(template))).parts()


# By far the most of what templates say: `{{ .key }}`.
_KEY = re.compile(r" *((?:\.\w+)+) *")


class _Parser:
    """Recursive descent over the pieces; `depth` bounds blocks and parentheses together."""

    def __init__(self, pieces: list[Text | tuple[str, int]]) -> None:
        self._pieces = pieces
        self._at = 0
        self._depth = 0
        self._loops = 0
        self._names: Scope[None] = Scope()
        self._names.declare("$", None)

    def parts(self) -> list[Part]:
        parts, stop = self._block()
        if stop is not None:
            raise TemplateError(f"{{{{ {stop[0].text} }}}} is outside a block.", stop[0].line)
        return parts

    def _block(self) -> tuple[list[Part], list[Token] | None]:
        """Read until `end` or `else`; return what was read and that action's words, None at the end."""
        parts: list[Part] = []
        known = len(self._names)
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, Text):
                parts.append(piece)
                continue
            if (key := _KEY.fullmatch(piece[0])) is not None:
                parts.append(Show(Field(tuple(key[1].split(".")[1:])), piece[1]))
                continue
            tokens = tokens_of(*piece)
            if not tokens:
                raise TemplateError("This {{ }} is empty.", piece[1], "Give a key: {{ .name }}.")
            if tokens[0].text in ("end", "else"):
                self._names.leave(known)
                return parts, tokens
            parts.append(self._part(tokens))
        self._names.leave(known)
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
                    raise TemplateError(f"{{{{ {first.text} }}}} is outside a range.", first.line)
                return Jump(first.text, first.line)
            case "template" | "define" | "block":
                raise TemplateError(
                    f"{{{{ {first.text} }}}} is not supported in the templates of flows.", first.line
                )
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
            raise TemplateError(f"{name} cannot be set.", line, "Give a variable: $x := …")
        if declare:
            self._names.declare(name, None)
        elif name not in self._names:
            raise TemplateError(f"{name} is not declared.", line, f"Declare it first: {{{{ {name} := … }}}}.")

    def _nested(self, read: Callable[[], Part]) -> Part:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            too_deep(self._line())
        known = len(self._names)
        part = read()
        self._names.leave(known)
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
                    "A range sets one or two variables, not more.", word.line, "Write range $i, $x := .list."
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
            raise TemplateError("There is a second {{ else }}.", last[0].line)
        _nothing_after(last)
        return parts

    def _pipeline(self, tokens: list[Token], after: Token | None = None) -> Expression:
        if not tokens:
            line = after.line if after else 1
            raise TemplateError(f"An expression is missing after {after.text if after else '{{'!r}.", line)
        reader = Expressions(tokens, self._names, self._depth)
        value = reader.pipeline()
        if (left := reader.peek()) is not None:
            raise TemplateError(f"Unexpected {left.text!r}.", left.line)
        return value


def _nothing_after(tokens: list[Token]) -> None:
    if len(tokens) > 1:
        raise TemplateError(f"Nothing may follow {tokens[0].text!r} here.", tokens[1].line)
