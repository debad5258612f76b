"""`retoma session create`, `show` and the verbs that change the status."""

from __future__ import annotations

import click

from retoma.commands.session import ChangeStatus, CreateSession, FailSession, ListNotes, ShowSession
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION, TAG
from retoma.interfaces.cli.given import pairs, value
from retoma.interfaces.cli.named import TEMPLATE
from retoma.interfaces.cli.verb import verb
from retoma.model.call import Call
from retoma.model.session import NewSession, Session, Status

__all__ = ["create", "end", "fail", "pause", "resume", "show"]


@verb("session create", example="retoma session create review-88 --tag docs --context task=7")
@click.argument("id", required=False)
@click.option("--title", default="", metavar="T", help="At most 200 characters.")
@click.option("--description", default="", metavar="D", help="At most 4,000 characters.")
@click.option("--agent", default="", metavar="A", help="The agent that answers.")
@click.option("--model", default="", metavar="M", help="The model that answers.")
@click.option("--thinking", default="", metavar="L", help="off, low, medium or high.")
@click.option("--parent", metavar="ID", type=SESSION, help="The session this one belongs to.")
@click.option("--tag", "tags", multiple=True, metavar="T", type=TAG, help="May be repeated.")
@click.option("--meta", multiple=True, metavar="K=V", help="A valid JSON value is stored as JSON.")
@click.option(
    "--context", "contexts", multiple=True, metavar="KIND=REF", help="Such as repository=NAME or task=ID."
)
@click.option("--ttl", metavar="D", help="Expire after this duration: 30m, 5h, 1d.")
@click.option("--template", metavar="N", type=TEMPLATE, help="Defaults for the options not given.")
@click.option("--key", metavar="KEY", help="Idempotency key: repeats make one session.")
def create(
    ctx: Invocation,
    *,
    id: str | None,
    title: str,
    description: str,
    agent: str,
    model: str,
    thinking: str,
    parent: str | None,
    tags: tuple[str, ...],
    meta: tuple[str, ...],
    contexts: tuple[str, ...],
    ttl: str | None,
    template: str | None,
    key: str | None,
) -> None:
    """Make a session and print its id. Without ID, an id is generated."""
    from retoma.model.times import duration

    new = NewSession(
        id=id,
        title=title,
        description=description,
        agent=agent,
        model=model,
        thinking=thinking,
        parent=ctx.meant(parent) if parent else None,
        tags=tags,
        contexts=tuple(pairs(contexts, "KIND=REF")),
        metadata={name: value(text) for name, text in pairs(meta, "K=V")},
        ttl_ms=duration(ttl) if ttl else None,
    )
    whole = ctx.do(CreateSession(new=new, template=template), key=key)
    if ctx.out.json:
        ctx.out.print_json(whole.shape(ctx.now_ms))
    else:
        ctx.out.line(whole.session.id)


@verb("session show", example="retoma session show my-experiment")
@click.argument("id", type=SESSION)
def show(ctx: Invocation, *, id: str) -> None:
    """Show the properties of a session. ID may be a prefix of the id, or @last."""
    from retoma.interfaces.cli.session_list import expiry

    whole = ctx.read(ShowSession(session=ctx.found(id)))
    notes = ctx.read(ListNotes(session=whole.session.id))
    call = _pending(ctx, whole.session)
    if ctx.out.json:
        from retoma.model.shapes import shown

        ctx.out.print_json(shown(whole.session, whole.about, whole.lease, notes, call, ctx.now_ms))
        return
    session, about = whole.session, whole.about
    when = ctx.out.when
    rows = [
        ("id", session.id),
        ("title", session.title),
        ("description", about.description),
        ("status", session.status + (f": {session.reason}" if session.reason else "")),
        ("flow", _flow(session)),
        (
            "waits for tool",
            f"{call.name}{f' (attempt {call.attempt})' if call.attempt else ''}" if call else "",
        ),
        ("directory", session.flow_path or ""),
        ("agent", session.agent),
        ("model", session.model),
        ("thinking", session.thinking),
        ("channel", session.channel),
        ("template", session.template),
        ("parent", session.parent or ""),
        ("fork of", _origin(session)),
        ("tags", ", ".join(about.tags)),
        ("contexts", ", ".join(f"{kind}={ref}" for kind, ref in about.contexts)),
        ("metadata", _inline(about.metadata)),
        ("messages", f"{session.messages:,}" if session.messages else ""),
        ("events", f"{session.seq:,} (epoch {session.epoch})"),
        ("created", when(session.created_at, ctx.now_ms)),
        ("updated", when(session.updated_at, ctx.now_ms)),
        (
            expiry(session.expires_at or 0, ctx.now_ms),
            when(session.expires_at, ctx.now_ms) if session.expires_at else "",
        ),
        ("trashed", when(session.trashed_at, ctx.now_ms) if session.trashed_at else ""),
        (
            "shown",
            " ".join(w for w, on in (("pinned", session.pinned), ("archived", session.archived)) if on),
        ),
        ("driven by", _driver(ctx, whole.lease)),
    ]
    rows += [
        ("note", f"{'(erased)' if note.text is None else note.text} ({when(note.at.ms, ctx.now_ms)})")
        for note in notes
    ]
    ctx.out.facts(rows)


def _origin(session: Session) -> str:
    if session.fork_seq is None:
        return ""
    return f"{session.fork_of or 'a deleted session'} at event {session.fork_seq:,}"


def _pending(ctx: Invocation, session: Session) -> Call | None:
    if session.flow_status not in ("waiting_for_tool", "rolling_back"):
        return None
    from retoma.commands.flow import LookAtSession

    return ctx.read(LookAtSession(session=session.id)).position.call


def _driver(ctx: Invocation, lease: object) -> str:
    from retoma.model.lease import Lease

    if not isinstance(lease, Lease) or lease.expires_at <= ctx.now_ms:
        return ""
    from retoma.runtime.process import is_gone

    holder = lease.holder
    since = ctx.out.when(lease.acquired_at, ctx.now_ms)
    gone = "nobody: the last driver was killed, " if is_gone(holder) else ""
    return f"{gone}process {holder.pid} on {holder.host} ({holder.command}, {since})"


def _inline(value: object) -> str:
    from retoma.model.codec import encode

    return encode(value).decode() if value else ""


def _change(ctx: Invocation, id: str, to: Status, reason: str = "") -> None:
    session = ctx.meant(id)
    change = FailSession if to == "failed" else ChangeStatus
    done = ctx.do(change(session=session, to=to, reason=reason))
    if ctx.out.json:
        from retoma.model.outcomes import Changed

        ctx.out.print_json(Changed(id=session, old=done.old, new=done.new, reason=reason))
    else:
        ctx.out.line(f"{session}: {done.old} → {done.new}")


def _flow(session: Session) -> str:
    """Return the position of the session's flow. An imported session may not name its flow."""
    if session.flow is None:
        return ""
    at = f" at {session.flow_node}" if session.flow_node else ""
    return f"{session.flow or '(not named)'}{at} ({session.flow_status})"


@verb("session pause", example="retoma session pause my-experiment")
@click.argument("id", type=SESSION)
@click.option("--reason", default="", metavar="R", help="The reason, stored with the session.")
def pause(ctx: Invocation, *, id: str, reason: str) -> None:
    """Pause an active session: it accepts no messages and no steps until it is resumed."""
    _change(ctx, id, "suspended", reason)


@verb("session resume", example="retoma session resume my-experiment")
@click.argument("id", type=SESSION)
def resume(ctx: Invocation, *, id: str) -> None:
    """Make a paused session active again."""
    _change(ctx, id, "active")


@verb("session end", example="retoma session end my-experiment")
@click.argument("id", type=SESSION)
@click.option("--reason", default="", metavar="R", help="The reason, stored with the session.")
def end(ctx: Invocation, *, id: str, reason: str) -> None:
    """Complete a session. It is read-only from then on."""
    _change(ctx, id, "completed", reason)


@verb("session fail", example='retoma session fail my-experiment --reason "the import broke"')
@click.argument("id", type=SESSION)
@click.option("--reason", required=True, metavar="R", help="The reason, stored with the session.")
def fail(ctx: Invocation, *, id: str, reason: str) -> None:
    """End a session as failed, with a reason. It is read-only from then on."""
    _change(ctx, id, "failed", reason)
