"""Messages: what is said in a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from retoma.errors import Invalid
from retoma.model import event as kinds
from retoma.model.codec import Json, JsonField, Name, encode
from retoma.model.event import Event
from retoma.model.events.kind import Data, Kind, Said
from retoma.model.instant import Instant
from retoma.model.message import Content, Message, MessageUsage, content, read_aloud

if TYPE_CHECKING:
    from retoma.model.fold import Folded

TOKENS: Final = ("tokens_in", "tokens_out", "tokens_cached")
"""What the usage of a message counts."""


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """`message`. Content that is no text and no known parts is shown as its JSON."""

    role: str
    content: Raw
    sender: str = ""
    usage: MessageUsage | None = None
    metadata: dict[str, JsonField] | None = None


def text_of(value: Json) -> str:
    """Return a value as a text: itself, or its JSON."""
    return value if isinstance(value, str) else encode(value).decode()


def _counted(folded: Folded, data: Data) -> None:
    folded.messages += 1
    for name in TOKENS:
        setattr(folded, name, getattr(folded, name) + (tokens(data, name) or 0))


def _lost(folded: Folded) -> None:
    folded.messages += 1


def _said(event: Event, data: Data) -> Message:
    sender = data.get("sender", "")
    said = _content(data.get("content", ""))
    metadata = data.get("metadata")
    usage = {name: count for name in TOKENS if (count := tokens(data, name)) is not None}
    return Message(
        seq=event.seq,
        at=Instant.of(event.at),
        role=str(data.get("role", "")),
        text=read_aloud(said),
        sender=Name(sender) if isinstance(sender, str) else Name(),
        whole=None if isinstance(said, str) else tuple(said),
        usage=MessageUsage(**usage) if usage else None,
        metadata=metadata if isinstance(metadata, dict) else None,
    )


def _searched(data: Data) -> Said:
    sender, said = data.get("sender", ""), _content(data.get("content", ""))
    return Said(str(data.get("role", "")), read_aloud(said), sender if isinstance(sender, str) else "")


def tokens(data: Mapping[str, Json], name: str) -> int | None:
    """Return a count of the usage of a message; None where it has none."""
    usage = data.get("usage")
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else None


def _content(value: Json) -> Content:
    """Return a content as it was kept. One that a later version wrote is shown as its JSON."""
    try:
        return content(value)
    except Invalid:
        return text_of(value)


KINDS: Final = (
    Kind(
        name=kinds.MESSAGE,
        payload=Spoken,
        fold=_counted,
        lost=_lost,
        loses=frozenset(TOKENS),
        said=_said,
        searched=_searched,
        passing=True,
    ),
)
