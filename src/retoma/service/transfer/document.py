"""One JSON document read as it streams: its arrays become the records that JSON lines have."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ijson

from retoma.errors import Invalid
from retoma.model.codec import encode
from retoma.service.transfer.json import SECTIONS
from retoma.service.transfer.reading import (
    MOST_BYTES,
    Placed,
    Source,
    damaged,
    not_an_export,
    record_of,
    refuse_newer,
)

_DEEPEST = 500
_ENDS = ("end_map", "end_array")
_PASSED_OVER = ("messages", "artifacts")


def document(source: Source) -> Iterator[Placed]:
    """Yield the records of the document. Raises Invalid for one that is no export, Integrity with the line."""
    reading = _Reading(source)
    try:
        yield from reading.records()
    except ijson.JSONError as error:
        if not reading.version:
            raise not_an_export("It is not JSON.") from error
        text = error.args[0] if error.args else ""
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        if "premature EOF" in text:
            raise damaged(source.line, "it is cut off: the file ends in the middle of it.") from None
        reason = text.partition("\n")[0].rstrip(". ").rpartition(": ")[2]
        raise damaged(source.line, f"it is not JSON: {reason}.") from None


class _Bytes:
    """The source as ijson reads it: line by line, so that an error knows its own, and never much for one record."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.given = 0

    def read(self, size: int) -> bytes:
        if self.given > 2 * MOST_BYTES:
            raise damaged(
                self._source.line, f"a record is longer than {2 * MOST_BYTES >> 20} MiB, which none is."
            )
        piece = self._source.next(size) if size else b""
        self.given += len(piece)
        return piece


class _Reading:
    """One pass over the tokens: a section's name, then its elements, one after the other."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bytes = _Bytes(source)
        self._tokens = ijson.basic_parse(self._bytes, buf_size=1 << 16)
        self._session: dict[str, Any] | None = None
        self._contexts: Any = None
        self.version: object = None

    def records(self) -> Iterator[Placed]:
        if next(self._tokens)[0] != "start_map":
            raise not_an_export("It is JSON, but not one document of ours.")
        for token, name in self._tokens:
            if token == "end_map":  # noqa: S105
                break
            yield from self._section(name)
        for _ in self._tokens:
            pass  # what is left would be an error

    def _section(self, name: str) -> Iterator[Placed]:
        if not self.version:
            self._begin(name)
        elif name in SECTIONS:
            yield from self._head()
            for element in self._elements():
                yield self._record(SECTIONS[name], element)
        elif name in _PASSED_OVER:
            for _ in self._elements():
                pass
        elif name == "session":
            self._session = self._mapping(self._value())
        elif name == "contexts":
            self._contexts = self._value()
        elif name == "end":
            yield from self._head()
            yield self._record("end", self._value())
        else:
            raise damaged(self._source.line, f"an export has no {name[:40]!r}.")

    def _begin(self, name: str) -> None:
        self.version = self._value() if name == "format_version" else None
        if type(self.version) is not int or self.version < 1:
            self.version = None
            raise not_an_export("It is JSON, but does not begin with its format_version.")
        refuse_newer(self.version)

    def _head(self) -> Iterator[Placed]:
        """Yield the session, once all that it consists of was read."""
        if self._session is not None:
            facts = {"type": "session", "format_version": self.version} | self._session
            self._session = None
            yield self._record(None, facts | {"contexts": self._contexts})

    def _record(self, kind: str | None, element: Any) -> Placed:
        line = self._source.line
        named = {"type": kind} if kind else {}
        try:
            data = encode(named | self._mapping(element))
        except Invalid as error:
            raise damaged(line, error.message) from error
        return record_of(data, line)

    def _mapping(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise damaged(self._source.line, "a record is a JSON object, and this is none.")
        return value

    def _elements(self) -> Iterator[Any]:
        """Yield the elements of an array one by one; none of those before is kept."""
        if next(self._tokens)[0] != "start_array":
            raise damaged(self._source.line, "here an export has an array.")
        for token, value in self._tokens:
            if token == "end_array":  # noqa: S105 (a token of JSON)
                return
            yield self._built(token, value)

    def _value(self) -> Any:
        return self._built(*next(self._tokens))

    def _built(self, token: str, value: Any) -> Any:
        """Return the value that begins with `token`, read to its end."""
        built = _begun(token, value)
        above: list[tuple[Any, str]] = []
        here, key = built, ""
        while isinstance(here, dict | list):
            token, value = next(self._tokens)
            if token == "map_key":  # noqa: S105
                key = value
            elif token in _ENDS:
                if not above:
                    break
                here, key = above.pop()
            else:
                new = _begun(token, value)
                if isinstance(here, dict):
                    here[key] = new
                else:
                    here.append(new)
                if isinstance(new, dict | list):
                    above.append((here, key))
                    here = new
            if len(above) > _DEEPEST:
                raise damaged(self._source.line, "it is nested too deep.")
        self._bytes.given = 0
        return built


def _begun(token: str, value: Any) -> Any:
    match token:
        case "start_map":
            return {}
        case "start_array":
            return []
        case "number" if isinstance(value, Decimal):
            return float(value)
        case _:
            return value
