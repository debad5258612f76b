"""The one JSON shape of each thing, for every face. Times are RFC 3339 UTC; names are snake_case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from retoma.model.call import Call, Came
from retoma.model.codec import JsonMap
from retoma.model.event import Event
from retoma.model.flow import Position, Prompt, Visit
from retoma.model.lease import Lease
from retoma.model.message import Message
from retoma.model.session import About, Session
from retoma.model.times import rfc3339, span

if TYPE_CHECKING:
    from retoma.model.retention import Entry
    from retoma.model.template import Template

if TYPE_CHECKING:
    from retoma.model import shapes


def session_view(session: Session, now_ms: int) -> shapes.Session:
    """Return a session as lists show it."""
    expires = session.expires_at
    return {
        "id": session.id,
        "status": session.status,
        "reason": session.reason,
        "title": session.title,
        "agent": session.agent or None,
        "model": session.model or None,
        "thinking": session.thinking or None,
        "channel": session.channel or None,
        "template": session.template or None,
        "parent": session.parent,
        "epoch": session.epoch,
        "events": session.seq,
        "messages": session.messages,
        "pinned": session.pinned,
        "archived": session.archived,
        "trashed_at": rfc3339(session.trashed_at) if session.trashed_at is not None else None,
        "ephemeral": expires is not None,
        "expired": expires is not None and expires <= now_ms,
        "expires_at": rfc3339(expires) if expires is not None else None,
        "created_at": rfc3339(session.created_at),
        "updated_at": rfc3339(session.updated_at),
        "usage": {
            "tokens_in": session.tokens_in,
            "tokens_out": session.tokens_out,
            "tokens_cached": session.tokens_cached,
            "cost_micros": session.cost_micros,
        },
        "flow": flow_view(session),
    }


def flow_view(session: Session) -> shapes.Flow | None:
    """Return where the session's flow stands, or None when it runs none."""
    if session.flow is None:
        return None
    return {
        "name": session.flow,
        "path": session.flow_path,
        "version": session.flow_version.hex() if session.flow_version else None,
        "status": session.flow_status,
        "node": session.flow_node,
        "visits": session.flow_visits,
    }


def whole_view(session: Session, about: About, lease: Lease | None, now_ms: int) -> shapes.Whole:
    """Return a session with all that is said of it."""
    return {
        **session_view(session, now_ms),
        "description": about.description,
        "tags": list(about.tags),
        "contexts": [{"kind": kind, "ref": ref} for kind, ref in about.contexts],
        "metadata": about.metadata,
        "lease": lease_view(lease, now_ms),
    }


def note_view(note: Event) -> shapes.Note:
    """Return a note; `text` is null once erased."""
    text = note.value().get("text")
    said = text if isinstance(text, str) else None
    return {"seq": note.seq, "at": rfc3339(note.at), "actor": note.actor, "text": said}


def tree_view(found: Sequence[tuple[int, Session]], now_ms: int) -> dict[str, object]:
    """Return sessions with their `children` inside, from (depth, session), parents first."""
    path: list[dict[str, Any]] = []
    for depth, session in found:
        shown: dict[str, Any] = {**session_view(session, now_ms), "children": []}
        del path[depth:]
        if path:
            path[-1]["children"].append(shown)
        path.append(shown)
    return path[0]


def lease_view(lease: Lease | None, now_ms: int) -> shapes.Lease | None:
    """Return who drives, or None when nobody does or the term is over."""
    if lease is None or lease.expires_at <= now_ms:
        return None
    return {
        "holder": {
            "host": lease.holder.host,
            "pid": lease.holder.pid,
            "command": lease.holder.command,
            "user": lease.holder.user,
        },
        "token": lease.token,
        "acquired_at": rfc3339(lease.acquired_at),
        "expires_at": rfc3339(lease.expires_at),
    }


def state_view(session: Session, position: Position, history: Sequence[str]) -> shapes.State:
    """Return the state of a session, as `inspect` shows it."""
    return {
        "id": session.id,
        "status": session.status,
        "reason": session.reason,
        "epoch": session.epoch,
        "flow": session.flow,
        "flow_status": session.flow_status,
        "current_node": session.flow_node,
        "context": position.context,
        "history": list(history),
        "sys": {"ans": position.ans},
        "pending_tool_call": call_view(position.call),
    }


def call_view(call: Call | None) -> shapes.ToolCall | None:
    """Return the tool call that a flow waits for, or None. The texts of secrets are not in it."""
    if call is None:
        return None
    return {
        "node": call.node,
        "name": call.name,
        "id": call.id or None,
        "args": call.args,
        "undo": call.undo,
        "key": call.key,
        "approved": call.approved or None,
        "attempt": call.attempt,
    }


def came_view(call: Call, came: Came) -> dict[str, object]:
    """Return what came of a tool call, as a line of `run --json`."""
    said = {"done": "result", "failed": "error", "denied": "denied"}[came.outcome]
    return {
        "type": "tool_result",
        "node": call.node,
        "name": call.name,
        "id": call.id or None,
        "undo": call.undo,
        "key": call.key,
        "outcome": came.outcome,
        said: came.result if came.outcome == "done" else came.text,
    }


def trellis_view(session: Session, position: Position, history: Sequence[str]) -> shapes.Trellis:
    """Return the four fields of the session guide; its history leaves out the current node."""
    return {
        "CurrentNodeID": session.flow_node or "",
        "Status": session.status,
        "Context": position.context,
        "History": list(history[:-1]),
    }


def message_view(message: Message) -> shapes.Message:
    """Return a message of the conversation."""
    return {
        "seq": message.seq,
        "at": rfc3339(message.at),
        "role": message.role,
        "sender": message.sender or None,
        "text": message.text,
        "parts": list(message.parts) or None,
        "epoch": message.epoch,
    }


def event_view(event: Event) -> shapes.Event:
    """Return an event of the journal; `data` is null once erased."""
    return {
        "seq": event.seq,
        "type": event.type,
        "at": rfc3339(event.at),
        "actor": event.actor,
        "cause": event.cause,
        "operation": event.operation.hex() if event.operation else None,
        "data": None if event.erased else event.value(),
        "hash": event.hash.hex(),
    }


def render_view(visit: Visit) -> dict[str, object]:
    """Return a node that a flow shows, as a line of `run --json`."""
    return {"type": "render", "node": visit.node, "content": visit.content}


def prompt_view(prompt: Prompt) -> dict[str, object]:
    """Return what a flow waits for, as a line of `run --json`."""
    return {
        "type": "request_input",
        "node": prompt.node,
        "input_type": prompt.input_type,
        "options": list(prompt.options),
        "default": prompt.default,
    }


def end_view(
    status: str, position: Position, history: Sequence[str], session: str, cause: str
) -> dict[str, object]:
    """Return the last line of `run --json`."""
    context: JsonMap = position.context
    view: dict[str, object] = {
        "type": "end",
        "status": status,
        "node": position.node,
        "context": context,
        "history": list(history),
        "session": session or None,
    }
    return view | ({"cause": cause} if cause else {})


def entry_view(entry: Entry) -> dict[str, object]:
    """Return an entry of the store's log; `session` is null when none is meant, and once it is deleted."""
    return {
        "number": entry.number,
        "at": rfc3339(entry.at),
        "actor": entry.actor,
        "deed": entry.deed,
        "session": entry.id or None,
        "digest": entry.digest.hex() if entry.digest is not None else None,
        "count": entry.count,
        "why": entry.why,
    }


def template_view(name: str, template: Template) -> dict[str, object]:
    """Return what a template gives to a session."""
    return {
        "name": name,
        "title_prefix": template.title_prefix or None,
        "tags": list(template.tags),
        "metadata": template.metadata,
        "agent": template.agent or None,
        "model": template.model or None,
        "ttl": span(template.ttl_ms) if template.ttl_ms is not None else None,
        "limits": {"events_per_session": template.events_per_session},
    }
