"""The texts of the picker: rows of the list, and the preview of a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from retoma.interfaces.cli.text import clean, counted
from retoma.model.times import relative

if TYPE_CHECKING:
    from retoma.model.message import Message
    from retoma.model.session import Session
    from retoma.service.sessions import Whole

__all__ = ["COLUMNS", "ROWS", "preview", "row"]

COLUMNS = ("", "session", "what", "changed")
ROWS = 2
"""Lines of a session: the id, which is never cut, and the title below it."""
_SAID = 400
"""How much of a message the preview shows."""
_STYLES = {"active": "green", "suspended": "yellow", "completed": "dim", "failed": "red"}
_ROLES = {"user": "bold cyan", "assistant": "bold green"}


def row(session: Session, now_ms: int) -> tuple[Text, ...]:
    """Return the cells of a session's row, in the order of COLUMNS."""
    mark = (
        "★" if session.pinned else {"suspended": "‖", "completed": "✓", "failed": "✗"}.get(session.status, "")
    )
    title = session.title if session.title != session.flow else ""
    return (
        Text(mark, _STYLES[session.status]),
        Text.assemble((session.id, "dim" if session.status == "completed" else ""), f"\n{_line(title)}"),
        Text(_line(_stands(session)), "dim"),
        Text(relative(session.updated_at, now_ms), "dim"),
    )


def _stands(session: Session) -> str:
    if session.flow:
        return f"{session.flow} at {session.flow_node}" if session.flow_node else session.flow
    said = counted(session.messages, "message") if session.messages else ""
    return " · ".join(part for part in (session.agent, said) if part)


def preview(whole: Whole, last: Sequence[Message], now_ms: int) -> Text:
    """Return a session's facts and its last messages."""
    session, about = whole.session, whole.about
    shown = Text()
    shown.append(_line(session.title or session.id), "bold")
    shown.append(f"\n{session.status}", _STYLES[session.status])
    shown.append(f" · {relative(session.updated_at, now_ms)} · {counted(session.seq, 'event')}\n", "dim")
    facts = [("why", session.reason), ("stands", _stands(session)), ("model", session.model)]
    facts += [("tags", ", ".join(about.tags)), ("about", about.description)]
    facts += [(kind, ref) for kind, ref in about.contexts]
    if whole.lease is not None and whole.lease.expires_at > now_ms:
        holder = whole.lease.holder
        facts.append(("driven", f"by process {holder.pid} on {holder.host} ({holder.command})"))
    for name, value in facts:
        if value:
            shown.append(f"{_line(name):<8}", "dim")
            shown.append(f"{_line(value)}\n")
    if not last:
        shown.append("\nThere are no messages yet.", "dim")
    for message in last:
        who = message.sender if message.role == "assistant" and message.sender else message.role
        text = message.text if len(message.text) <= _SAID else message.text[:_SAID] + "…"
        shown.append(f"\n{_line(who)}  ", _ROLES.get(message.role, "bold"))
        shown.append(clean(text).rstrip() + "\n")
    return shown


def _line(text: str) -> str:
    return clean(text, lines=False)
