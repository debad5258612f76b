"""`retoma session create`, `show`, `rm` and the verbs of its life."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from retoma.errors import Invalid, NotFound, RetomaError
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb
from retoma.interfaces.problems import exit_status, sentence
from retoma.model.codec import Json
from retoma.model.session import NewSession, Status

__all__ = ["create", "end", "fail", "pause", "resume", "rm", "show"]


def pairs(values: Sequence[str], option: str) -> list[tuple[str, str]]:
    """Return `NAME=VALUE` texts as pairs. Raises Invalid naming the first that has no `=`."""
    found = []
    for value in values:
        name, mark, rest = value.partition("=")
        if not mark or not name:
            raise Invalid(
                f"{value!r} is not {option}.", code="bad_pair", hint=f"Write {option}, with an equals sign."
            )
        found.append((name, rest))
    return found


@verb("session create", example="retoma session create review-88 --tag docs --context task=7")
@click.argument("id", required=False)
@click.option("--title", default="", metavar="T", help="At most 200 characters.")
@click.option("--description", default="", metavar="D", help="At most 4,000 characters.")
@click.option("--agent", default="", metavar="A")
@click.option("--model", default="", metavar="M")
@click.option("--thinking", default="", metavar="L", help="off, low, medium or high.")
@click.option("--parent", metavar="ID", help="The session this one belongs to.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="As often as you like.")
@click.option("--meta", multiple=True, metavar="K=V", help="A value that is JSON is kept as such.")
@click.option("--context", "contexts", multiple=True, metavar="KIND=REF", help="repository=…, task=…")
@click.option("--ttl", metavar="D", help="Ephemeral: 30m, 5h, 1d.")
@click.option("--key", metavar="KEY", help="Idempotency: the same key makes it once.")
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
    key: str | None,
) -> None:
    """Make a session and print its id; without ID one is generated."""
    from retoma.model.times import duration
    from retoma.model.views import whole_view

    new = NewSession(
        id=id,
        title=title,
        description=description,
        agent=agent,
        model=model,
        thinking=thinking,
        parent=ctx.client.resolve(parent) if parent else None,
        tags=tags,
        contexts=tuple(pairs(contexts, "KIND=REF")),
        metadata={name: _value(text) for name, text in pairs(meta, "K=V")},
        ttl_ms=duration(ttl) if ttl else None,
    )
    made = ctx.client.create(new, key=key)
    if ctx.out.json:
        whole = ctx.client.show(made)
        ctx.out.print_json(whole_view(whole.session, whole.about, whole.lease, ctx.now_ms))
    else:
        ctx.out.line(made)


def _value(text: str) -> Json:
    from retoma.model.codec import decode

    try:
        return decode(text)
    except Invalid:
        return text


@verb("session show", example="retoma session show my-experiment")
@click.argument("id")
def show(ctx: Invocation, *, id: str) -> None:
    """Show all there is to say of a session. ID may be a unique beginning of it, or @last."""
    from retoma.interfaces.cli.session_list import expiry
    from retoma.model.views import whole_view

    whole = ctx.client.show(ctx.client.resolve(id))
    view = whole_view(whole.session, whole.about, whole.lease, ctx.now_ms)
    if ctx.out.json:
        ctx.out.print_json(view)
        return
    session, about = whole.session, whole.about
    when = ctx.out.when
    rows = [
        ("id", session.id),
        ("title", session.title),
        ("description", about.description),
        ("status", session.status + (f": {session.reason}" if session.reason else "")),
        ("flow", f"{session.flow} at {session.flow_node} ({session.flow_status})" if session.flow else ""),
        ("directory", session.flow_path or ""),
        ("agent", session.agent),
        ("model", session.model),
        ("thinking", session.thinking),
        ("channel", session.channel),
        ("parent", session.parent or ""),
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
        ("driven by", _driver(ctx, whole.lease)),
    ]
    ctx.out.table([row for row in rows if row[1]])


def _driver(ctx: Invocation, lease: object) -> str:
    from retoma.model.lease import Lease

    if not isinstance(lease, Lease) or lease.expires_at <= ctx.now_ms:
        return ""
    holder = lease.holder
    return f"process {holder.pid} on {holder.host} ({holder.command}, {ctx.out.when(lease.acquired_at, ctx.now_ms)})"


def _inline(value: object) -> str:
    from retoma.model.codec import encode

    return encode(value).decode() if value else ""


def _change(ctx: Invocation, id: str, to: Status, reason: str = "", key: str | None = None) -> None:
    session = ctx.client.resolve(id)
    old, new = ctx.client.change(session, to, reason=reason, key=key)
    if ctx.out.json:
        ctx.out.print_json({"id": session, "from": old, "to": new, "reason": reason})
    else:
        ctx.out.line(f"{session}: {old} → {new}")


@verb("session pause", example="retoma session pause my-experiment")
@click.argument("id")
@click.option("--reason", default="", metavar="R")
def pause(ctx: Invocation, *, id: str, reason: str) -> None:
    """Pause an active session: it takes no messages and no steps until it is resumed."""
    _change(ctx, id, "suspended", reason)


@verb("session resume", example="retoma session resume my-experiment")
@click.argument("id")
def resume(ctx: Invocation, *, id: str) -> None:
    """Make a paused session active again."""
    _change(ctx, id, "active")


@verb("session end", example="retoma session end my-experiment")
@click.argument("id")
@click.option("--reason", default="", metavar="R")
def end(ctx: Invocation, *, id: str, reason: str) -> None:
    """End a session: it is completed and read-only from now on."""
    _change(ctx, id, "completed", reason)


@verb("session fail", example='retoma session fail my-experiment --reason "the import broke"')
@click.argument("id")
@click.option("--reason", required=True, metavar="R", help="Why; it stays with the session.")
def fail(ctx: Invocation, *, id: str, reason: str) -> None:
    """End a session as failed, with the reason; it is read-only from now on."""
    if not reason.strip():
        raise Invalid("The reason is empty.", code="no_reason", hint='Say why: --reason "the import broke"')
    _change(ctx, id, "failed", reason)


@verb("session rm", example="retoma session rm s1 s2 s3")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
def rm(ctx: Invocation, *, ids: tuple[str, ...], yes: bool, dry_run: bool) -> int:
    """Delete sessions for good, by their whole ids. Each is tried, whatever becomes of the others."""
    if not (yes or dry_run) and not _confirmed(ctx, ids):
        ctx.out.note("Nothing was deleted.")
        return 1
    outcomes: list[dict[str, object]] = []
    worst = 0
    for id in ids:
        try:
            if dry_run:
                ctx.client.show(id)
            else:
                ctx.client.delete(id)
        except RetomaError as error:
            worst = max(worst, exit_status(error)) if not isinstance(error, NotFound) else (worst or 4)
            outcomes.append({"id": id, "deleted": False, "code": error.code})
            ctx.out.problem(sentence(error))
        else:
            outcomes.append({"id": id, "deleted": not dry_run})
            if not ctx.out.json:
                ctx.out.line(f"Would delete {id}" if dry_run else f"Deleted {id}")
    if ctx.out.json:
        ctx.out.print_json({"items": outcomes, "next": None, "more": False, "total": None})
    return worst


def _confirmed(ctx: Invocation, ids: Sequence[str]) -> bool:
    if not sys.stdin.isatty() or ctx.out.json:
        return True  # whole ids were written down; that is the decision
    what = f"session '{ids[0]}'" if len(ids) == 1 else f"{len(ids)} sessions"
    sys.stderr.write(f"Delete {what} for good? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes", "s", "sim"}
