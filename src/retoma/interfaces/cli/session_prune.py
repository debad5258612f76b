"""`retoma session prune`: puts inactive sessions in the trash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from retoma.errors import Invalid
from retoma.interfaces.cli.clock import tell_clock
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import TAG
from retoma.interfaces.cli.several import agreed
from retoma.interfaces.cli.text import counted
from retoma.interfaces.cli.verb import verb

if TYPE_CHECKING:
    from retoma.model.retention import Choice
    from retoma.model.session import Status
    from retoma.service.retention import Preview

__all__ = ["prune"]


@verb("session prune", example="retoma session prune --older-than 90d --dry-run")
@click.option("--older-than", default="30d", metavar="D", help="No event for this long; default 30d.")
@click.option("--status", metavar="S", help="Only this status; required for active sessions.")
@click.option("--agent", metavar="A")
@click.option("--flow", metavar="F", help="Runs the flow with this name.")
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="T",
    type=TAG,
    help="Has this tag; if repeated, all of the tags.",
)
@click.option("--context", "contexts", multiple=True, metavar="KIND=REF")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
def prune(
    ctx: Invocation,
    *,
    older_than: str,
    status: str | None,
    agent: str | None,
    flow: str | None,
    tags: tuple[str, ...],
    contexts: tuple[str, ...],
    yes: bool,
    dry_run: bool,
) -> int:
    """Put inactive sessions in the trash; `restore` restores them within seven days.

    Sessions that are pinned, archived or driven by a process are skipped.
    """
    from retoma.commands.due import PreviewPrune, Prune
    from retoma.interfaces.cli.bar import Bar

    choice = _choice(ctx, older_than, status, agent, flow, tags, contexts)
    found = ctx.read(PreviewPrune(choice=choice))
    tell_clock(ctx)
    if dry_run or not found.count:
        _print(ctx, choice, found.by_status, found, "Would trash")
        return 0
    if not yes:
        _name(ctx, found)
        if not agreed(ctx, f"Put {_said(found.by_status)} in the trash?", unasked=False):
            would = f"Would trash {_said(found.by_status)}"
            ctx.out.failed(Invalid(f"Nothing was changed. {would}: add --yes to do it.", code="needs_yes"))
            return 1
    with Bar(ctx.out, "pruning", "sessions") as bar:
        done = ctx.do(Prune(choice=choice, progress=lambda count: bar(count, found.count)))
    _print(ctx, choice, done, found, "Trashed")
    return 0


def _choice(
    ctx: Invocation,
    older_than: str,
    status: str | None,
    agent: str | None,
    flow: str | None,
    tags: tuple[str, ...],
    contexts: tuple[str, ...],
) -> Choice:
    from retoma.interfaces.cli.given import pairs
    from retoma.model.retention import PRUNED, Choice
    from retoma.model.session import statuses
    from retoma.model.times import duration

    return Choice(
        before=ctx.now_ms - duration(older_than),
        statuses=statuses(status) if status is not None else PRUNED,
        agent=agent,
        flow=flow,
        tags=tags,
        contexts=tuple(pairs(contexts, "KIND=REF")),
        why=f"prune --older-than {older_than.strip()}",
    )


def _print(ctx: Invocation, choice: Choice, counts: Mapping[Status, int], found: Preview, verb: str) -> None:
    if ctx.out.json:
        from retoma.model.outcomes import Pruned

        ctx.out.print_json(Pruned.of(choice.before, counts, found.first, done=verb == "Trashed"))
        return
    if not counts:
        ctx.out.line("No session was inactive for that long.")
        return
    if verb == "Trashed":
        ctx.out.line(f"Trashed {_said(counts)}. `retoma session restore ID` restores one within seven days.")
        return
    ctx.out.line(f"Would trash {_said(counts)}:")
    _name(ctx, found)


def _name(ctx: Invocation, found: Preview) -> None:
    """Name the sessions that were inactive longest."""
    if ctx.out.json:
        return
    for name in found.first:
        ctx.out.line(f"- {name}")
    if found.count > len(found.first):
        ctx.out.line(f"and {found.count - len(found.first):,} more")


def _said(counts: Mapping[Status, int]) -> str:
    parts = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    return f"{counted(sum(counts.values()), 'session')} ({parts})"
