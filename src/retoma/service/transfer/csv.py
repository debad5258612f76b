"""CSV (RFC 4180) for spreadsheets: one row a message. It cannot be read in again."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from io import StringIO

from retoma.model.event import MESSAGE, Event
from retoma.model.message import Message
from retoma.model.transcript import transcript
from retoma.service.timeline import spoken
from retoma.service.transfer.outgoing import Outgoing

HEADER = (
    "session_id", "seq", "epoch", "at", "role", "sender", "text", "tool", "tokens_in", "tokens_out",
)  # fmt: skip
# Some programs pass over blanks, and take the wide forms for the narrow ones.
_FORMULA = re.compile(r"[\t\r\n]|[\s\0\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20-]")


def write(session: Outgoing) -> Iterator[bytes]:
    """Yield the rows, a page of them at a time."""
    yield _rows([HEADER])
    epochs = session.epochs()
    for page in session.pages():
        yield _rows(
            [
                _row(session.record.id, event, said)
                for event in page
                for said in spoken(event, epochs, erased=True)
            ]
        )


def guarded(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula: behind an apostrophe where it could."""
    return "'" + text if _FORMULA.match(text) else text


def _row(session: str, event: Event, message: Message) -> tuple[object, ...]:
    role, sender, text = guarded(message.role), guarded(message.sender), guarded(transcript(message))
    tools = guarded(", ".join(message.tools))
    usage = event.value().get("usage") if event.type == MESSAGE else None
    counts = [usage.get(name) if isinstance(usage, dict) else None for name in ("tokens_in", "tokens_out")]
    tokens = [count if isinstance(count, int) else "" for count in counts]
    return (session, message.seq, message.epoch, message.at.text, role, sender, text, tools, *tokens)


def _rows(rows: Iterable[Iterable[object]]) -> bytes:
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
