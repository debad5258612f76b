"""`retoma store log`: what was done in the store that nobody did by hand in a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from retoma.errors import Invalid
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION
from retoma.interfaces.cli.text import counted
from retoma.interfaces.cli.verb import verb

if TYPE_CHECKING:
    from retoma.model.retention import Entry

__all__ = ["log"]


@verb("store log", example="retoma store log --since 7d")
@click.option("--session", metavar="ID", type=SESSION, help="Of this session alone, also of a deleted one.")
@click.option("--since", metavar="D", help="Since then: 7d, 2026-11-01.")
@click.option("--limit", default=50, metavar="N", type=click.IntRange(1, 1000), help="50, if not said.")
@click.option("--cursor", metavar="C", help="Where the page before ended.")
def log(ctx: Invocation, *, session: str | None, since: str | None, limit: int, cursor: str | None) -> None:
    """What went without anybody's hand: failed, trashed or deleted by prune, retention or the trash; newest first."""
    from retoma.model.times import instant
    from retoma.model.views import entry_view

    found = ctx.reader.log(
        session=session,
        since=instant(since, now_ms=ctx.now_ms) if since is not None else 0,
        before=_place(cursor) if cursor is not None else None,
        limit=limit + 1,
    )
    page, more = found[:limit], len(found) > limit
    following = f"{page[-1].at}.{page[-1].number}" if more else None
    if ctx.out.json:
        ctx.out.page([entry_view(entry) for entry in page], next_cursor=following, more=more)
        return
    if not page:
        ctx.out.line("Nothing is in the store's log.")
    ctx.out.table([_row(entry) for entry in page])
    if following is not None:
        ctx.out.note(f"More: --cursor {following}")


def _row(entry: Entry) -> tuple[str, ...]:
    from retoma.model.times import rfc3339

    named = entry.id or (f"({entry.digest.hex()[:12]})" if entry.digest is not None else "")
    noun = "row" if entry.deed == "upgraded" else "event" if entry.digest is not None else "piece"
    return (rfc3339(entry.at), entry.actor, entry.deed, named, counted(entry.count, noun), entry.why)


def _place(cursor: str) -> tuple[int, int]:
    at, _, number = cursor.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (at, number)):
        raise Invalid(
            f"{cursor!r} is no cursor.", code="bad_cursor", hint="Use the one that the page before printed."
        )
    return int(at), int(number)
