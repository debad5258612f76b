"""What is read in, line by line: records with their lines, and what a reader says of one that is damaged."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import BinaryIO, NamedTuple

import msgspec

from retoma.errors import Integrity, Invalid, Unavailable
from retoma.model.codec import MOST_LEVELS, is_deep
from retoma.model.transfer import FORMAT_VERSION, Record, decoded

MOST_BYTES = 4 << 20
"""The longest a record may be: an event has 1 MiB, which escapes and base64 make longer."""

_HINT = "Nothing was imported. Export the session again, or copy the file from its source again."


class Placed(NamedTuple):
    """A record and the line that it ends on, from 1."""

    record: Record
    line: int


class Source:
    """A stream of bytes, read line by line and counted. `line` is the number of the last one given out."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.line = 0
        self._open = False  # the last line's end was not reached yet
        self.first = self._next(MOST_BYTES).removeprefix(BOM_UTF8)
        self._waiting = self.first

    def next(self, most: int = MOST_BYTES) -> bytes:
        """Return at most `most` bytes of the next line, its end included; nothing when there is no more."""
        piece, self._waiting = self._waiting, b""
        piece = piece or self._next(most)
        if piece and not self._open:
            self.line += 1
        self._open = bool(piece) and not piece.endswith(b"\n")
        return piece

    def _next(self, most: int) -> bytes:
        return self._stream.readline(most)


def refuse_newer(version: object) -> None:
    """Raise Unavailable for a format that only a later Retoma knows."""
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise Unavailable(
            f"This export is from a newer Retoma: it has format {version}, this version reads up to {FORMAT_VERSION}.",
            code="newer_export",
            hint="Nothing was changed. Install that version over this one: docs/install.md says how.",
            format=version,
            known=FORMAT_VERSION,
        )


def not_an_export(why: str) -> Invalid:
    """Return the error for what no Retoma wrote."""
    return Invalid(
        f"This is not an export of a session. {why}",
        code="not_an_export",
        hint="`retoma session export ID` writes one. Files of Trellis, Copilot, Claude Code, Codex and OpenAI Agents "
        "are imported too: give the file that the tool wrote, and its format with --from.",
    )


def damaged(line: int, what: str, **facts: object) -> Integrity:
    """Return the error for an export that is not as it was written, with the line."""
    return Integrity(f"Line {line:,}: {what}", code="damaged_export", hint=_HINT, line=line, **facts)


def cut_off(line: int) -> Integrity:
    """Return the error for a file that ends too early."""
    return damaged(line, "it is truncated: the file ends in the middle of the line.")


def record_of(data: bytes, line: int) -> Placed:
    """Return the record that `data` says. Raises Integrity."""
    # A record holds a value one level deeper than the value was written.
    if is_deep(data, MOST_LEVELS + 1):
        raise damaged(line, f"it is nested deeper than {MOST_LEVELS} levels.")
    try:
        return Placed(decoded(data), line)
    except msgspec.ValidationError as error:
        raise damaged(line, f"it is not valid here: {error}.") from error
    except UnicodeDecodeError as error:
        raise damaged(line, "it is not UTF-8.") from error
    except msgspec.DecodeError as error:
        raise damaged(line, f"it is not JSON: {_reason(error)}.") from error


def _reason(error: msgspec.DecodeError) -> str:
    return str(error).removeprefix("JSON is malformed: ")
