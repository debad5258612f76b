"""`retoma store info`, `migrate` and `gc`."""

from __future__ import annotations

import click
import msgspec

from retoma.interfaces.cli.clock import tell_clock
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.store_check import there
from retoma.interfaces.cli.text import number, size
from retoma.interfaces.cli.verb import verb
from retoma.model.times import rfc3339

__all__ = ["gc", "info", "migrate"]


@verb("store info", example="retoma store info")
def info(ctx: Invocation) -> None:
    """What the store holds: formats, sizes by kind, and its largest sessions. It reads all of it once."""
    there(ctx)
    facts, held = ctx.client.facts(), ctx.client.contents()
    if ctx.out.json:
        ctx.out.print_json(
            {
                "store": facts.place,
                "kind": facts.kind,
                "format": facts.format,
                "engine": facts.engine,
                "size_bytes": facts.size_bytes,
                "free_bytes": facts.free_bytes,
            }
            | msgspec.to_builtins(held)
        )
        return
    out = ctx.out
    statuses = ", ".join(f"{number(count)} {status}" for status, count in sorted(held.by_status.items()))
    out.table(
        [
            ("store", facts.place),
            ("format", f"{facts.format} ({facts.engine})"),
            ("size", size(facts.size_bytes)),
            ("sessions", f"{number(held.sessions)}" + (f" ({statuses})" if statuses else "")),
            ("messages", number(held.messages)),
            *((kind.kind, f"{number(kind.count)}  {size(kind.size_bytes)}") for kind in held.kinds),
        ]
    )
    if held.largest:
        out.line("Largest:")
        out.table(
            [
                (f"- {one.id or '(being deleted)'}", f"{number(one.events)} events", size(one.size_bytes))
                for one in held.largest
            ]
        )


@verb("store migrate", example="retoma store migrate --dry-run")
@click.option("--dry-run", is_flag=True, help="Say what is pending, and change nothing.")
def migrate(ctx: Invocation, *, dry_run: bool) -> int:
    """Bring the store to this Retoma's format. Every command that opens it does the same; this one says so."""
    from retoma.stores.migrate import FORMAT, migrations
    from retoma.wiring import applied_steps

    there(ctx)
    before = {version for version, _ in applied_steps(ctx.place)}
    if not dry_run:
        _ = ctx.client.facts()
    known = [(step.version, step.name) for step in migrations("sqlite")]
    pending = [step for step in known if step[0] not in before]
    if ctx.out.json:
        ctx.out.print_json(
            {
                "store": ctx.place.shown,
                "before": max(before, default=0),
                "format": FORMAT,
                "steps": [{"number": version, "name": name} for version, name in pending],
                "applied": not dry_run,
            }
        )
        return 0
    for version, name in pending:
        ctx.out.line(f"{'Pending' if dry_run else 'Applied'}: step {version}, {name}")
    if not pending:
        ctx.out.line(f"{ctx.place.shown} has format {FORMAT}: nothing is pending.")
    return 0


@verb("store gc", example="retoma store gc --dry-run")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
@click.option("--now", is_flag=True, help="Go by this machine's clock as it is, also when it jumped.")
@click.option("--vacuum", is_flag=True, help="Make the file smaller, too. Writers wait meanwhile.")
def gc(ctx: Invocation, *, dry_run: bool, now: bool, vacuum: bool) -> int:
    """Do what is due: retention, the trash after seven days, deletions and imports that were left, stray content."""
    there(ctx)
    before = ctx.client.facts().size_bytes
    if now:
        ctx.out.note(f"Ages are judged by this machine's clock as it is: {rfc3339(ctx.now_ms)}.")
    else:
        tell_clock(ctx)
    found = ctx.client.due(now=now) if dry_run else ctx.client.collect(compact=vacuum, now=now)
    after = ctx.client.facts().size_bytes
    if ctx.out.json:
        sizes = {"size_before": before, "size_after": after}
        ctx.out.print_json(msgspec.to_builtins(found) | {"done": not dry_run} | sizes)
        return 0
    rows = [
        (what, number(count))
        for what, count in (
            ("sessions that were idle too long, to be failed", found.idle),
            ("sessions that were over long enough, to be trashed", found.over),
            ("sessions seven days in the trash", found.trashed),
            ("deletions that were left", found.deleting),
            ("imports that were left", found.imports),
            ("journals with a beginning to delete", found.cut),
            (f"pieces of content nothing refers to ({size(found.content_bytes)})", found.contents),
            ("events for the search index", found.unindexed),
        )
        if count
    ]
    ctx.out.table(rows)
    verb = "Would do" if dry_run else "Did"
    ctx.out.line(f"{verb} what is above." if rows else "Nothing is due.")
    if vacuum and not dry_run:
        ctx.out.line(f"The file had {size(before)}, and has {size(after)}.")
    return 0
