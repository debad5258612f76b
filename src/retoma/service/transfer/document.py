"""One JSON document read as it streams: its arrays become the records that JSON lines have.

Only the document's own frame is read here; each record is cut out as it stands and decoded like a line. So its bytes
stay what they are, whoever laid the document out anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from retoma.errors import Integrity
from retoma.service.transfer.json import SECTIONS
from retoma.service.transfer.source import (
    MOST_BYTES,
    Placed,
    Source,
    cut_off,
    damaged,
    not_an_export,
    record_of,
    refuse_newer,
)

_PASSED_OVER = ("messages", "artifacts")
_PIECE = 64 << 10
_SPACE = b" \t\r\n"
# A whole string, a bracket, or the beginning of a string whose end is still to be read.
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}]|"', re.DOTALL)
_PLAIN = re.compile(rb"[^][{}\",:\s]*")


def document(source: Source) -> Iterator[Placed]:
    """Yield the records of the document. Raises Invalid for one that is no export, Integrity with the line."""
    reading = _Frame(_Pieces(source))
    yield from reading.records()


class _Pieces:
    """The bytes that were read and not yet taken; `values` and `marks` are cut out of them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = b""
        self._at = 0
        self.known = False  # that this is an export: until then, what is wrong is not damage

    @property
    def line(self) -> int:
        return self._source.line

    def mark(self) -> bytes:
        """Return the next byte that is no space, and leave it there; nothing at the end."""
        while True:
            rest = self._buffer[self._at :].lstrip(_SPACE)
            if rest:
                self._buffer, self._at = rest, 0
                return rest[:1]
            self._buffer, self._at = b"", 0
            if not self._more():
                return b""

    def take(self, *marks: bytes) -> bytes:
        """Take the next byte that is no space, which must be one of `marks`."""
        found = self.mark()
        if found not in marks:
            self.fail()
        self._at += 1
        return found

    def value(self) -> bytes:
        """Take the next value, as it is written. That it is JSON inside is for its reader to see."""
        first = self.mark()
        if first and first in b'{["':
            return self._between()
        end = self._plain()
        taken, self._at = self._buffer[self._at : end], end
        return taken or self.fail()

    def fail(self) -> NoReturn:
        """Raise what is wrong here: the end, or something that does not belong here."""
        if not self.known:
            raise not_an_export("It is not a JSON export of Retoma.")
        if not self.mark():
            raise cut_off(self.line)
        raise damaged(self.line, "it is not JSON.")

    def _too_long(self) -> Integrity:
        return damaged(
            self.line, f"a record is longer than {2 * MOST_BYTES >> 20} MiB, the limit for a record."
        )

    def _plain(self) -> int:
        while True:
            match = _PLAIN.match(self._buffer, self._at)
            assert match is not None
            if len(self._buffer) - self._at > 2 * MOST_BYTES:
                raise self._too_long()
            if match.end() < len(self._buffer) or not self._more():
                return match.end()

    def _between(self) -> bytes:
        """Take an object, an array or a string, up to the mark that ends it."""
        depth, at = 0, self._at
        while True:
            match = _MARK.search(self._buffer, at)
            if match is None or match.group() == b'"':
                at = match.start() if match else len(self._buffer)
                if len(self._buffer) - self._at > 2 * MOST_BYTES:
                    raise self._too_long()
                at -= self._at
                if not self._more():
                    self._buffer, self._at = b"", 0
                    self.fail()
                at += self._at
                continue
            at, mark = match.end(), match.group()
            depth += (mark in b"{[") - (mark in b"}]")
            if depth <= 0:
                taken, self._at = self._buffer[self._at : at], at
                return taken

    def _more(self) -> bool:
        rest = self._buffer[self._at :]
        # As much again as is there: what is long is looked through a few times, not once for each piece.
        piece = self._source.next(max(_PIECE, len(rest)))
        self._buffer, self._at = rest + piece, 0
        return bool(piece)


class _Frame:
    """One pass over the document: a section's name, then its records, one after the other."""

    def __init__(self, pieces: _Pieces) -> None:
        self._pieces = pieces
        self._session = b""
        self._contexts = b"[]"
        self._line = 0

    def records(self) -> Iterator[Placed]:
        pieces = self._pieces
        pieces.take(b"{")
        self._begin(self._name())
        while pieces.take(b",", b"}") == b",":
            yield from self._section(self._name())
        yield from self._head()
        if pieces.mark():
            raise damaged(pieces.line, "there is data after the end of the document; a file has one session.")

    def _name(self) -> str:
        if self._pieces.mark() != b'"':
            self._pieces.fail()
        name = self._pieces.value()
        self._pieces.take(b":")
        return name[1:-1].decode("utf-8", "replace")

    def _begin(self, name: str) -> None:
        if name != "format_version":
            raise not_an_export("It is JSON, but its first key is not format_version.")
        try:
            version = msgspec.json.decode(self._pieces.value(), type=int)
        except msgspec.DecodeError:
            version = 0
        refuse_newer(version)
        if version < 1:
            raise not_an_export("Its format_version is not a number.")
        self._pieces.known = True

    def _section(self, name: str) -> Iterator[Placed]:
        if name in SECTIONS:
            yield from self._head()
            for record in self._elements():
                yield self._record(b'"type":"%b"' % SECTIONS[name].encode(), record)
        elif name in _PASSED_OVER:
            for _ in self._elements():
                pass
        elif name == "session":
            self._session = self._pieces.value()
            self._line = self._pieces.line
        elif name == "contexts":
            self._contexts = self._pieces.value()
            self._line = self._pieces.line
        elif name == "end":
            yield from self._head()
            yield self._record(b'"type":"end"', self._pieces.value())
        else:
            raise damaged(self._pieces.line, f"the key {name[:40]!r} is not part of an export.")

    def _head(self) -> Iterator[Placed]:
        """Yield the session, once all that it consists of was read."""
        if self._session:
            begins = b'"type":"session","format_version":1,"contexts":' + self._contexts
            yield self._record(begins, self._session, self._line)
            self._session = b""

    def _elements(self) -> Iterator[bytes]:
        """Yield the elements of an array one by one; none of those before is kept."""
        pieces = self._pieces
        if pieces.mark() != b"[":
            raise damaged(pieces.line, "an array is expected here.")
        pieces.take(b"[")
        if pieces.mark() == b"]":
            pieces.take(b"]")
            return
        while True:
            yield pieces.value()
            if pieces.take(b",", b"]") == b"]":
                return

    def _record(self, begins: bytes, record: bytes, line: int | None = None) -> Placed:
        line = line or self._pieces.line
        if not record.startswith(b"{"):
            raise damaged(line, "a record must be a JSON object.")
        return record_of(b"{" + begins + b"," + record[1:], line)
