"""Markdown for people: what the session is, then who said what. It cannot be read in again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from msgspec import UNSET

from retoma.model.message import Message
from retoma.model.times import rfc3339
from retoma.model.transcript import shown, transcript
from retoma.model.transfer import SessionRecord
from retoma.service.transfer.outgoing import Outgoing

_LINES = re.compile(r"\r\n|\n|\r")
# A `\` that stands before it alone escapes it already; one more would set it free.
_TAG = re.compile(r"(?<!\\)((?:\\\\)*)<(?=[A-Za-z/!?])")
_PICTURE = re.compile(r"(?<!\\)((?:\\\\)*)!(?=\[)")
# Where a link leads: behind `](` in the text, and behind `]:` at its definition.
_LINK = re.compile(r"\]([(:])(?=[\s>]*(?:<(?P<within>[^>\n]*)|(?P<bare>[^\s)]*)))")
_NO_LINK = re.compile(r"[\s\\\x00-\x20]+")
_HARMLESS = re.compile(r"(?:https?|mailto):|[^:]*(?:[/?#]|$)", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")


def write(session: Outgoing) -> Iterator[bytes]:
    """Yield the transcript, a page of messages at a time."""
    record = session.record
    yield _head(record).encode()
    epoch = record.epochs[0].epoch
    for page in session.messages():
        text = ""
        for message in filter(shown, page):
            if message.epoch != epoch:
                epoch = message.epoch
                text += f"\n---\n\nEpoch {epoch}: restarted.\n"
            text += _message(message)
        yield text.encode()


def facts(record: SessionRecord) -> list[tuple[str, str]]:
    """Return what a reader should know of the session, each with its name; nothing that is empty."""
    flow = record.flow
    known = [
        ("Session", record.id),
        ("Description", record.description),
        ("Status", f"{record.status}: {record.reason}" if record.reason else record.status),
        ("Flow", " ".join(filter(None, (flow.name, flow.node and f"at {flow.node}"))) if flow else ""),
        ("Agent", record.agent),
        ("Model", record.model),
        ("Parent", record.parent or ""),
        ("Tags", ", ".join(record.tags)),
        ("Contexts", ", ".join(f"{context.kind}={context.ref}" for context in record.contexts)),
        ("Created", rfc3339(record.created_at)),
        ("Updated", rfc3339(record.updated_at)),
    ]
    return [(name, text) for name, text in known if text]


def _head(record: SessionRecord) -> str:
    lines = [f"- {name}: {_inline(text)}" for name, text in facts(record)]
    if record.redacted is not UNSET:
        lines.append("- Redacted: likely secrets were removed from this copy.")
    return f"# {_inline(record.title or record.id)}\n\n" + "\n".join(lines) + "\n"


def _message(message: Message) -> str:
    who = message.role or "message"
    if message.sender:
        who += f", {message.sender}"
    return (
        f"\n## {_inline(who)}\n\n{message.at.text} · event {message.seq}\n\n{_quoted(transcript(message))}\n"
    )


def _quoted(text: str) -> str:
    """Return `text` as a quotation: whatever it begins, a heading, a fence or a list, ends with it.

    HTML could reach beyond: the `<` of what looks like a tag is escaped. A picture would be fetched when the text is
    shown: it becomes a link. A link that leads neither to the web nor to an address becomes text.
    """
    safe = _LINK.sub(_link, _PICTURE.sub(r"\1\\!", _TAG.sub(r"\1\\<", text)))
    return "\n".join(f"> {line}".rstrip() for line in _LINES.split(safe))


def _link(found: re.Match[str]) -> str:
    leads = unescape(found["within"] if found["within"] is not None else found["bare"])
    return found[0] if _HARMLESS.match(_NO_LINK.sub("", leads)) else rf"]\{found[1]}"


def _inline(text: str) -> str:
    """Return `text` as one line that means nothing to Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
