"""JSON lines: one record a line, the session first, the end last. The format that keeps every byte."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, Raw

from retoma.model.event import Event
from retoma.model.transfer import EventRecord, encoded, event_record
from retoma.service.transfer.outgoing import Outgoing


def write(session: Outgoing) -> Iterator[bytes]:
    """Yield the lines, a page of them at a time."""
    yield encoded(session.record) + b"\n"
    for page in session.pages():
        yield b"".join([encoded(record_of(event)) + b"\n" for event in page])
    for line in session.aside():
        yield line + b"\n"
    yield encoded(session.end()) + b"\n"


def record_of(event: Event) -> EventRecord:
    """Return the record of an event, its data as it was written."""
    data = event.data
    if data is None:
        return event_record(event, UNSET)
    if b"\n" in data or b"\r" in data:
        # No Retoma writes JSON over several lines; whoever did has it back as it was.
        return event_record(event, UNSET, data.decode())
    return event_record(event, Raw(data))
