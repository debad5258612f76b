"""JSON with places: what a `.json` node says, and on which line each key stands."""

from __future__ import annotations

import json
import math
import re

from retoma.trees.tree import MAX_DEPTH, MAX_NODES, Mapping, Scalar, Sequence, Tree, TreeError

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_ATOM = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null")


def read(text: str) -> Tree | None:
    """Return the document, or None when the text is blank. Raises TreeError with the line."""
    reader = _Reader(text)
    return reader.document() if text.strip() else None


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._count = 0
        self._line, self._counted = 1, 0

    def document(self) -> Tree:
        tree = self._value(0)
        if self._next():
            raise self._error("There is text after the end of the JSON.")
        return tree

    def _value(self, depth: int) -> Tree:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_NODES:
            raise self._error(
                f"This is nested more than {MAX_DEPTH} deep or holds more than {MAX_NODES:,} values."
            )
        match self._next():
            case "{":
                return self._mapping(depth)
            case "[":
                return self._sequence(depth)
            case '"':
                line = self._here()
                text = self._string()
                return Scalar(text, text, line, line, plain=False)
        return self._atom()

    def _atom(self) -> Scalar:
        match = _ATOM.match(self._text, self._at)
        if match is None:
            raise self._error("A value is missing here.")
        self._at = match.end()
        text = match.group()
        line = self._here()
        value = json.loads(text) if len(text) < 20 or "." in text or "e" in text.lower() else text
        if isinstance(value, float) and not math.isfinite(value):
            value = text
        return Scalar(text, value, line, line)

    def _mapping(self, depth: int) -> Mapping:
        tree = Mapping({}, {}, self._here())
        self._at += 1
        if self._next() == "}":
            self._at += 1
            return tree
        while True:
            if self._next() != '"':
                raise self._error("A key in double quotes is missing here.")
            line, key = self._here(), self._string()
            if key in tree.items:
                raise self._error(f"The key {key!r} appears twice.")
            self._expect(":")
            tree.keys[key] = line
            tree.items[key] = self._value(depth + 1)
            if self._expect(",}") == "}":
                return tree

    def _sequence(self, depth: int) -> Sequence:
        tree = Sequence([], self._here())
        self._at += 1
        if self._next() == "]":
            self._at += 1
            return tree
        while True:
            tree.items.append(self._value(depth + 1))
            if self._expect(",]") == "]":
                return tree

    def _string(self) -> str:
        try:
            found, self._at = _DECODER.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            raise self._error(f"This text is not valid JSON: {error.msg}.") from error
        # Half a surrogate pair is legal in JSON and is no character: it becomes U+FFFD.
        return str(found).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _next(self) -> str:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def _expect(self, signs: str) -> str:
        sign = self._next()
        if not sign or sign not in signs:
            raise self._error(f"Expected {' or '.join(signs)} here.")
        self._at += 1
        return sign

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _error(self, message: str) -> TreeError:
        return TreeError(message, self._here())
