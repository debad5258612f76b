"""What is read in: which format it is, and its records one by one, each with its line.

Nothing is believed here but the form of a record; `incoming` proves what the records say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from retoma.errors import RetomaError
from retoma.service.transfer.document import document
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


class _Beginning(msgspec.Struct):
    type: str = ""
    format_version: object = None


def records(stream: BinaryIO) -> Iterator[Placed]:
    """Yield the records of an export. Raises Invalid for what is none, Integrity with the line for a damaged one."""
    source = Source(stream)
    first = source.first.lstrip()
    if not first:
        raise not_an_export("It is empty." if not source.first else "It starts with an empty line.")
    try:
        beginning = msgspec.json.decode(first, type=_Beginning)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        beginning = _Beginning()
    if beginning.type == "session" or first.startswith(b'{"type":"session"'):
        refuse_newer(beginning.format_version)
        return _lines(source)
    if not first.startswith(b"{") or beginning.type:
        raise not_an_export("It does not start like an export.")
    return document(source)


def _lines(source: Source) -> Iterator[Placed]:
    while line := source.next():
        if len(line) >= MOST_BYTES and not line.endswith(b"\n"):
            raise damaged(source.line, f"it is longer than {MOST_BYTES >> 20} MiB, the limit for a record.")
        if not line.strip():
            continue
        try:
            placed = record_of(line, source.line)
        except RetomaError:
            if line.endswith(b"\n"):
                raise
            raise cut_off(source.line) from None
        yield placed
