"""What is searched of a session: its messages, what its flow said and was told, notes, title and description."""

from __future__ import annotations

from typing import Final

from retoma.errors import Invalid
from retoma.model.event import Event
from retoma.model.events import Said, kind_of
from retoma.model.events.note import ROLE as NOTE
from retoma.model.ids import SessionKey
from retoma.model.message import ROLES
from retoma.model.tokens import BREAK, index_text

__all__ = [
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
"""The role in which a session's title and description are searched."""


def said_in(event: Event) -> Said | None:
    """Return what is searched of an event; None when it is none that says something, or was erased."""
    kind = kind_of(event.type)
    return None if event.erased or kind.searched is None else kind.searched(event.value())


def heading(title: str, description: str) -> Said:
    """Return what is searched of a session itself."""
    return Said(TITLE, "\n".join(filter(None, (title, description))))


def terms_of(key: SessionKey, said: Said) -> str:
    """Return what the index has for what was said in a session: terms, separated by spaces."""
    return f"{index_text(said.text)} {of_session(key)} {in_role(said.role)}".lstrip()


def searched_role(text: str | None) -> str | None:
    """Return the role in which is searched, None for all. Raises Invalid."""
    roles = (*ROLES, NOTE, TITLE)
    if text is not None and text not in roles:
        raise Invalid(f"{text!r} is not a role.", code="bad_role", hint=f"Roles: {', '.join(roles)}.")
    return text


def of_session(key: SessionKey) -> str:
    """Return the term that all of a session has: no word begins so."""
    return f"{BREAK}s{key:x}"


def in_role(role: str) -> str:
    """Return the term that all of a role has."""
    return f"{BREAK}r{role}"
