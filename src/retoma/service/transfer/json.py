"""One JSON document, every record on a line of its own, so that it is written and read in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from retoma.model.codec import encode
from retoma.model.event import Event
from retoma.model.message import Message
from retoma.model.transfer import (
    FORMAT_VERSION,
    encoded,
)
from retoma.service.transfer.jsonl import record_of
from retoma.service.transfer.outgoing import Outgoing

SECTIONS = {"events": "event", "state": "state", "visits": "visits", "flow": "flow"}
"""The document's arrays of records, in order, and the type of the records of each."""


def write(session: Outgoing) -> Iterator[bytes]:
    """Yield the document, a page of records at a time."""
    facts = msgspec.to_builtins(session.record)
    contexts = facts.pop("contexts")
    del facts["type"], facts["format_version"]
    yield b'{"format_version":%d,\n"session":%b,\n"contexts":%b' % (
        FORMAT_VERSION, encode(facts), encode(contexts),
    )  # fmt: skip
    yield from _array(
        "messages", ([_message(one) for one in page if one.spoken] for page in session.messages())
    )
    yield from _array("events", ([_event(one) for one in page] for page in session.pages()))
    for name in ("state", "visits", "flow"):
        yield from _array(name, _aside(session, SECTIONS[name]))
    yield b',\n"artifacts":[],\n"end":%b}\n' % _untyped(encoded(session.end()), "end")


def _array(name: str, pages: Iterable[list[bytes]]) -> Iterator[bytes]:
    yield b',\n"%b":[' % name.encode()
    between = b"\n"
    for page in pages:
        if page:
            yield between + b",\n".join(page)
            between = b",\n"
    yield b"]"


def _aside(session: Outgoing, kind: str) -> Iterator[list[bytes]]:
    return ([_untyped(line, kind)] for line in session.aside() if line.startswith(_typed(kind)))


def _message(message: Message) -> bytes:
    return encode(message)


def _event(event: Event) -> bytes:
    return _untyped(encoded(record_of(event)), "event")


def _typed(kind: str) -> bytes:
    return b'{"type":"%b",' % kind.encode()


def _untyped(line: bytes, kind: str) -> bytes:
    """Return a record without its type: the array that it stands in says it."""
    return b"{" + line[len(_typed(kind)) :]
