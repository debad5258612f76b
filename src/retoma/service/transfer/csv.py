"""CSV (RFC 4180) for spreadsheets: one row a message. It cannot be read in again."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from retoma.model.message import Message
from retoma.model.times import rfc3339
from retoma.service.transfer.outgoing import Outgoing

HEADER = (
    "session_id", "seq", "epoch", "at", "role", "sender", "text", "tool", "tokens_in", "tokens_out",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(session: Outgoing) -> Iterator[bytes]:
    """Yield the rows, a page of them at a time."""
    yield _rows([HEADER])
    for page in session.messages():
        yield _rows([_row(session.record.id, message) for message in page])


def guarded(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula: behind an apostrophe where it could."""
    return "'" + text if text.startswith(_FORMULA) else text


def _row(session: str, message: Message) -> tuple[object, ...]:
    role, sender, text = guarded(message.role), guarded(message.sender), guarded(message.text)
    tools = guarded(", ".join(message.tools))
    # Tokens of single messages come with agents: until then these cells are empty.
    return (session, message.seq, message.epoch, rfc3339(message.at), role, sender, text, tools, "", "")


def _rows(rows: Iterable[Iterable[object]]) -> bytes:
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
