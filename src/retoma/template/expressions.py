"""What stands inside one action of a template, from its words to an expression."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import NoReturn

from retoma.template.scope import Scope
from retoma.template.syntax import (
    FUNCTIONS,
    MAX_DEPTH,
    Call,
    Expression,
    Field,
    Literal,
    TemplateError,
    Token,
    Walk,
)


class Expressions:
    """One action's pipeline: commands joined by `|`, each an operand or a function with operands."""

    def __init__(self, tokens: list[Token], names: Scope[None], depth: int) -> None:
        self._tokens = tokens
        self._names = names
        self._depth = depth
        self._at = 0

    def peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def pipeline(self) -> Expression:
        value = self._command(None)
        piped = 0
        while (token := self.peek()) is not None and token.text == "|":
            self._at += 1
            piped += 1
            if piped > MAX_DEPTH:
                too_deep(token.line)
            value = self._command(value)
        return value

    def _command(self, piped: Expression | None) -> Expression:
        token = self.peek()
        if token is None:
            raise TemplateError("An expression is missing after '|'.", self._tokens[-1].line)
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
            too_deep(token.line)
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
        raise TemplateError(f"{token.text} needs {wanted} values, not {len(arguments)}.", token.line)
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
        raise TemplateError(f"The text {token.text} has an unknown escape.", token.line) from error


def _number(token: Token) -> int | float:
    if len(token.text) > 40:
        raise TemplateError("This number is too long.", token.line)
    try:
        return int(token.text)
    except ValueError:
        number = float(token.text)
    if not math.isfinite(number):
        raise TemplateError("This number is too large.", token.line)
    return number


def too_deep(line: int) -> NoReturn:
    raise TemplateError(f"This is nested more than {MAX_DEPTH} deep.", line)
