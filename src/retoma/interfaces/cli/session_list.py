"""`retoma session ls`."""

from __future__ import annotations

import click
from msgspec.structs import replace

from retoma.commands.listing import CountSessions, ListSessions
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION, TAG
from retoma.interfaces.cli.verb import verb
from retoma.model.session import ARCHIVED, SHOWN, STATUSES, TRASHED, Session
from retoma.stores.contract.store import Sort

__all__ = ["expiry", "ls"]

_MOST = 10_000
"""How far sessions are counted unasked."""


@verb("session ls", example="retoma session ls --status active")
@click.option(
    "--status",
    "states",
    multiple=True,
    metavar="S",
    help="active, suspended, completed, failed.",
)
@click.option("--agent", metavar="A", help="Has this agent.")
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="T",
    type=TAG,
    help="Has this tag; if repeated, all of the tags.",
)
@click.option("--context", "contexts", multiple=True, metavar="KIND=REF", help="Is linked to this.")
@click.option("--parent", metavar="ID", type=SESSION, help="Children of this session.")
@click.option("--flow", metavar="F", help="Runs the flow with this name.")
@click.option("--ephemeral", is_flag=True, help="Only sessions that expire.")
@click.option("--archived", is_flag=True, help="Archived sessions instead.")
@click.option("--deleted", is_flag=True, help="Sessions in the trash instead.")
@click.option("--sort", type=click.Choice(["updated", "created", "id"]), default="updated")
@click.option("--since", metavar="D", help="Changed since then: 2h, 2026-11-01.")
@click.option("--before", metavar="D", help="Changed before then.")
@click.option("--limit", default=50, metavar="N", type=click.IntRange(1, 1000), help="Default: 50.")
@click.option("--all", "everything", is_flag=True, help="No limit.")
@click.option("--cursor", metavar="C", help="The cursor printed by the previous page.")
@click.option("--total", is_flag=True, help="Also print the total number.")
@click.option("-q", "--ids", is_flag=True, help="Print only the ids, one per line.")
def ls(
    ctx: Invocation,
    *,
    states: tuple[str, ...],
    agent: str | None,
    tags: tuple[str, ...],
    contexts: tuple[str, ...],
    parent: str | None,
    flow: str | None,
    ephemeral: bool,
    archived: bool,
    deleted: bool,
    sort: Sort,
    since: str | None,
    before: str | None,
    limit: int,
    everything: bool,
    cursor: str | None,
    total: bool,
    ids: bool,
) -> None:
    """List sessions, newest first."""
    from retoma.interfaces.cli.given import moment, pairs

    asked = ListSessions(
        status=",".join(states) or None,
        agent=agent,
        tags=tags,
        contexts=tuple(pairs(contexts, "KIND=REF")) if contexts else (),
        parent=ctx.found(parent) if parent else None,
        flow=flow,
        ephemeral=ephemeral,
        shelf=TRASHED if deleted else ARCHIVED if archived else SHOWN,
        sort=sort,
        since=moment(since, ctx.now_ms),
        before=moment(before, ctx.now_ms),
        limit=limit,
        cursor=cursor,
        total=total,
    )
    page = ctx.read(asked)
    items, following, count = list(page.items), page.next, page.total
    while everything and following is not None:
        page = ctx.read(replace(asked, limit=1000, cursor=following, total=False))
        items += page.items
        following = page.next
    if ctx.out.json:
        from retoma.model import shapes

        ctx.out.page([shapes.Session.of(session, ctx.now_ms) for session in items], following, count)
        return
    if ids:
        for session in items:
            ctx.out.line(session.id)
        return
    shelf = "deleted" if deleted else "archived" if archived else ""
    if not items:
        ctx.out.line(f"No {shelf or ' or '.join(states) or 'active'} sessions found.")
    _print(ctx, items, shelf)
    if total or following is not None:
        _print_count(ctx, asked, len(items), following, count)


def _print_count(
    ctx: Invocation, asked: ListSessions, shown: int, following: str | None, count: int | None
) -> None:
    if count is None:
        meant = {name: getattr(asked, name) for name in CountSessions.__struct_fields__ if name != "most"}
        count = ctx.read(CountSessions(**meant, most=_MOST + 1))
        of = f"more than {_MOST:,}" if count > _MOST else f"{count:,}"
    else:
        of = f"{count:,}"
    rest = f" More: --all, or --cursor {following}" if following is not None else ""
    ctx.out.note(f"{shown:,} of {of}.{rest}")


def _print(ctx: Invocation, items: list[Session], shelf: str) -> None:
    if shelf and items:
        ctx.out.line(f"{shelf.capitalize()} Sessions:")
        ctx.out.table([_row(ctx, session, session.status) for session in items], whole=0)
        return
    for one in STATUSES:
        group = [session for session in items if session.status == one]
        if group:
            ctx.out.line(f"{one.capitalize()} Sessions:")
            ctx.out.table([_row(ctx, session) for session in group], whole=0)


def _row(ctx: Invocation, session: Session, status: str = "") -> tuple[str, ...]:
    if session.flow is not None:
        # An imported one may not say which.
        kind, stands = f"flow {session.flow}".rstrip(), f"at {session.flow_node}" if session.flow_node else ""
    else:
        kind = f"chat {session.agent}" if session.agent else ""
        stands = f"{session.messages:,} message{'s' * (session.messages > 1)}" if session.messages else ""
    expires = (
        f"{expiry(session.expires_at, ctx.now_ms)} {ctx.out.when(session.expires_at, ctx.now_ms)}"
        if session.expires_at
        else ""
    )
    title = session.title if session.title != session.flow else ""
    updated = ctx.out.when(session.updated_at, ctx.now_ms)
    return (f"- {session.id}", status, kind, stands, updated, expires, title)


def expiry(expires_at: int, now_ms: int) -> str:
    """Return the word before the expiry time. An expired session exists until it is deleted."""
    return "expires" if expires_at > now_ms else "expired"
