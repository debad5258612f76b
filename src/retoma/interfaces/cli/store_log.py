"""`retoma store log`: what retention, prune and the trash did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION
from retoma.interfaces.cli.text import counted
from retoma.interfaces.cli.verb import verb

if TYPE_CHECKING:
    from retoma.model.outcomes import LogEntry

__all__ = ["log"]


@verb("store log", example="retoma store log --since 7d")
@click.option("--session", metavar="ID", type=SESSION, help="Only this session; it may be deleted.")
@click.option("--since", metavar="D", help="Only since then: 7d, 2026-11-01.")
@click.option("--limit", default=50, metavar="N", type=click.IntRange(1, 1000), help="Default: 50.")
@click.option("--cursor", metavar="C", help="The cursor printed by the previous page.")
def log(ctx: Invocation, *, session: str | None, since: str | None, limit: int, cursor: str | None) -> None:
    """Show what prune, retention and the trash did: sessions failed, trashed or deleted. Newest first."""
    from retoma.commands.due import ReadLog
    from retoma.model.times import instant

    found = ctx.read(
        ReadLog(
            session=session,
            since=instant(since, now_ms=ctx.now_ms) if since is not None else 0,
            limit=limit,
            cursor=cursor,
        )
    )
    page, following = found.items, found.next
    if ctx.out.json:
        ctx.out.print_json(found)
        return
    if not page:
        ctx.out.line("The store's log is empty.")
    ctx.out.table([_row(entry) for entry in page], whole=3)
    if following is not None:
        ctx.out.note(f"More: --cursor {following}")


def _row(entry: LogEntry) -> tuple[str, ...]:
    named = entry.session or (f"({entry.digest[:12]})" if entry.digest is not None else "")
    noun = "row" if entry.action == "upgraded" else "event" if entry.digest is not None else "piece"
    return (entry.at.text, entry.actor, entry.action, named, counted(entry.count, noun), entry.why)
