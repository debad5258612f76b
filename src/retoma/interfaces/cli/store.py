"""`retoma store info`, `migrate` and `gc`."""

from __future__ import annotations

import click
import msgspec

from retoma.commands.due import Collect, ShowDue
from retoma.commands.store import ShowContents, ShowFacts
from retoma.interfaces.cli.clock import tell_clock
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.store_check import refuse_older, there
from retoma.interfaces.cli.text import counted, number, size
from retoma.interfaces.cli.verb import verb
from retoma.model.times import rfc3339

__all__ = ["gc", "info", "migrate"]


@verb("store info", example="retoma store info")
def info(ctx: Invocation) -> None:
    """Show the store's format, its sizes by kind, and its largest sessions. This reads the whole store once."""
    there(ctx)
    refuse_older(ctx)
    facts, held = ctx.do(ShowFacts()), ctx.do(ShowContents())
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
    out.facts(
        [
            ("store", facts.place),
            ("format", f"{facts.format} ({facts.engine})"),
            ("size", size(facts.size_bytes)),
            ("sessions", f"{number(held.sessions)}" + (f" ({statuses})" if statuses else "")),
            *_aside(held.by_shelf.get("quarantined", 0)),
            ("messages", number(held.messages)),
            *((kind.kind, f"{number(kind.count)}  {size(kind.size_bytes)}") for kind in held.kinds),
        ]
    )
    if held.largest:
        out.line("Largest:")
        out.table(
            [
                (f"- {one.id or '(being deleted)'}", counted(one.events, "event"), size(one.size_bytes))
                for one in held.largest
            ],
            whole=0,
        )


def _aside(count: int) -> list[tuple[str, str]]:
    return [("quarantine", f"{number(count)} (see `retoma store quarantine`)")] if count else []


@verb("store migrate", example="retoma store migrate --dry-run")
@click.option("--dry-run", is_flag=True, help="Show the pending steps; change nothing.")
def migrate(ctx: Invocation, *, dry_run: bool) -> int:
    """Upgrade the store to the format of this Retoma version.

    A file is first copied. Every command that opens an old file upgrades it too. A PostgreSQL store is upgraded only by
    this command, in one transaction; meanwhile, other processes can read the store but not write to it.
    """
    from retoma.stores.sql.migrate import FORMAT, migrations
    from retoma.wiring import migrate_store, older_format

    there(ctx)
    before = older_format(ctx.place) or FORMAT
    upgraded = migrate_store(ctx.place) if not dry_run else None
    pending = [(step.version, step.name) for step in migrations("sqlite") if step.version > before]
    if ctx.out.json:
        ctx.out.print_json(
            {
                "store": ctx.place.shown,
                "before": before,
                "format": FORMAT,
                "steps": [{"number": version, "name": name} for version, name in pending],
                "applied": not dry_run,
                "repaired": upgraded.repaired if upgraded else 0,
                "kept": str(upgraded.kept) if upgraded and upgraded.kept else None,
            }
        )
        return 0
    for version, name in pending:
        ctx.out.line(f"{'Pending' if dry_run else 'Applied'}: step {version}, {name}")
    if upgraded:
        ctx.out.line(str(upgraded))
    if not pending:
        ctx.out.line(f"{ctx.place.shown} has format {FORMAT}: no steps are pending.")
    return 0


@verb("store gc", example="retoma store gc --dry-run")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; delete nothing.")
@click.option("--now", is_flag=True, help="Use this machine's clock as it is, even after a jump.")
@click.option("--vacuum", is_flag=True, help="Also shrink the file. Writers wait meanwhile.")
def gc(ctx: Invocation, *, dry_run: bool, now: bool, vacuum: bool) -> int:
    """Do all due work: retention, the trash after seven days, unfinished deletions and imports, and unreferenced
    content."""
    there(ctx)
    before = ctx.do(ShowFacts()).size_bytes
    if now:
        ctx.out.note(f"Ages are computed from this machine's clock as it is: {rfc3339(ctx.now_ms)}.")
    else:
        tell_clock(ctx)
    found = ctx.do(ShowDue(now=now) if dry_run else Collect(compact=vacuum, now=now))
    after = ctx.do(ShowFacts()).size_bytes
    if ctx.out.json:
        sizes = {"size_before": before, "size_after": after}
        ctx.out.print_json(msgspec.to_builtins(found) | {"done": not dry_run} | sizes)
        return 0
    rows = [
        (what, number(count))
        for what, count in (
            ("idle sessions to be failed", found.idle),
            ("ended sessions to be trashed", found.over),
            ("sessions seven days in the trash", found.trashed),
            ("unfinished deletions", found.deleting),
            ("unfinished imports", found.imports),
            ("journals with erased events to delete", found.cut),
            (f"pieces of unreferenced content ({size(found.content_bytes)})", found.contents),
            ("events for the search index", found.unindexed),
        )
        if count
    ]
    ctx.out.table(rows)
    verb = "Would do" if dry_run else "Did"
    ctx.out.line(f"{verb} the work listed above." if rows else "There is no work due.")
    if vacuum and not dry_run:
        ctx.out.line(f"The file had {size(before)}, and has {size(after)}.")
    return 0
