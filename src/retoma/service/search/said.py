"""What is searched of a session: its messages, what its flow said and was told, notes, title and description."""

from __future__ import annotations

from typing import Final, NamedTuple

from retoma.errors import Invalid
from retoma.model import event as kinds
from retoma.model.event import Event
from retoma.model.ids import SessionKey
from retoma.model.message import ROLES
from retoma.model.tokens import index_terms
from retoma.service.timeline import spoken

__all__ = [
    "NOTE",
    "TITLE",
    "Said",
    "heading",
    "in_role",
    "of_session",
    "said_in",
    "searched_role",
    "terms_of",
]

TITLE: Final = "title"
NOTE: Final = "note"
"""Roles of what is searched beside messages."""


class Said(NamedTuple):
    """What is searched of an event."""

    role: str
    text: str
    sender: str = ""


def said_in(event: Event) -> Said | None:
    """Return what is searched of an event; None when it is none that says something, or was erased."""
    if event.erased or event.type not in (*kinds.CONVERSATION, kinds.NOTE):
        return None
    if event.type == kinds.NOTE:
        return Said(NOTE, str(event.value().get("text", "")))
    for message in spoken(event, ()):
        secret = event.type == kinds.FLOW_INPUT and isinstance(event.value().get("input"), dict)
        return Said(message.role, "" if secret else message.text, message.sender)
    return Said("", "")


def heading(title: str, description: str) -> Said:
    """Return what is searched of a session itself."""
    return Said(TITLE, "\n".join(filter(None, (title, description))))


def terms_of(key: SessionKey, said: Said) -> tuple[set[str], set[int]]:
    """Return the terms that the index has for what was said in a session, and the numbers of those in a row."""
    terms, pairs = index_terms(said.text)
    return terms | {of_session(key), in_role(said.role)}, pairs


def searched_role(text: str | None) -> str | None:
    """Return the role in which is searched, None for all. Raises Invalid."""
    roles = (*ROLES, NOTE, TITLE)
    if text is not None and text not in roles:
        raise Invalid(f"{text!r} is not a role.", code="bad_role", hint=f"Roles: {', '.join(roles)}.")
    return text


def of_session(key: SessionKey) -> str:
    """Return the term that all of a session has: no word begins so."""
    return f"\x01s{key:x}"


def in_role(role: str) -> str:
    """Return the term that all of a role has."""
    return f"\x01r{role}"
