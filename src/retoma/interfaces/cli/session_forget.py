"""`retoma session rm`, `reset` and `redact`: what makes a session forget."""

from __future__ import annotations

import re

import click

from retoma.errors import Invalid
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.several import agreed, each
from retoma.interfaces.cli.verb import verb
from retoma.interfaces.cli.words import SESSION

__all__ = ["redact", "reset", "rm"]


@verb("session rm", example="retoma session rm s1 s2 s3")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=SESSION)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
def rm(ctx: Invocation, *, ids: tuple[str, ...], yes: bool, dry_run: bool) -> int:
    """Delete sessions for good, by their whole ids. Each is tried, whatever becomes of the others."""
    what = f"session '{ids[0]}'" if len(ids) == 1 else f"{len(ids)} sessions"
    # Whole ids that were written down are the decision, where nobody can be asked.
    if not (yes or dry_run) and not agreed(ctx, f"Delete {what} for good?", unasked=True):
        ctx.out.note("Nothing was deleted.")
        return 1
    act = ctx.client.show if dry_run else ctx.client.delete
    for id in ids:
        _refuse_part(ctx, id)
    return each(ctx, ids, act, done="Would delete" if dry_run else "Deleted", word="deleted", dry=dry_run)


def _refuse_part(ctx: Invocation, id: str) -> None:
    """What destroys wants the whole id. Raises Invalid for a beginning of one and for @last."""
    from retoma.errors import NotFound

    try:
        whole = ctx.client.resolve(id)
    except (NotFound, Invalid):
        return  # said when its turn comes
    if whole != id:
        raise Invalid(
            f"'{id}' means '{whole}'; what deletes wants the whole id.",
            code="whole_id",
            hint="Nothing was deleted.",
        )


@verb("session reset", example="retoma session reset my-experiment")
@click.argument("id", type=SESSION)
@click.option("--erase", is_flag=True, help="Delete the earlier epochs for good; wants the whole id.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(ctx: Invocation, *, id: str, erase: bool, yes: bool) -> int:
    """Begin a new epoch: the conversation, the state and the flow start empty; id, labels and settings stay."""
    session = id if erase else ctx.client.resolve(id)
    if erase:
        _refuse_part(ctx, id)
        ctx.client.show(session)
        if not yes and not agreed(ctx, f"Delete what '{session}' holds so far for good?", unasked=True):
            ctx.out.note("Nothing was changed.")
            return 1
    epoch = ctx.client.reset(session, erase=erase)
    if ctx.out.json:
        ctx.out.print_json({"id": session, "epoch": epoch, "erased": erase})
    else:
        ctx.out.line(f"{session}: epoch {epoch}" + (", the earlier ones are gone" if erase else ""))
    return 0


@verb("session redact", example="retoma session redact my-experiment --seq 4-6")
@click.argument("id", type=SESSION)
@click.option("--seq", "stretch", metavar="N[-M]", help="These events.")
@click.option("--pattern", metavar="P", help="Whatever this regular expression finds.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
def redact(
    ctx: Invocation, *, id: str, stretch: str | None, pattern: str | None, yes: bool, dry_run: bool
) -> int:
    """Take content out for good, by the whole id of its session: events keep their place and their digest."""
    from retoma.model.redaction import pattern as wanted
    from retoma.service.erasing import Selection

    if (stretch is None) == (pattern is None):
        raise Invalid(
            "Name what is to go: --seq N[-M] or --pattern P.",
            code="bad_usage",
            hint="`retoma session log ID` shows the numbers.",
        )
    first, last = _stretch(stretch) if stretch else (1, None)
    selection = Selection(first=first, last=last, wanted=wanted(pattern) if pattern else None)
    _refuse_part(ctx, id)
    ctx.client.show(id)
    if pattern and not (yes or dry_run):
        found = ctx.client.redact(id, selection, dry_run=True)
        if not agreed(ctx, f"{_said(found, 'Take out')} of '{id}' for good?", unasked=False):
            ctx.out.note(f"Nothing was changed. {_said(found, 'Would take out')}: add --yes to do it.")
            return 1
    taken = ctx.client.redact(id, selection, dry_run=dry_run)
    if ctx.out.json:
        ctx.out.print_json(
            {
                "id": id,
                "events": taken.events,
                "keys": taken.keys,
                "fields": taken.fields,
                "done": not dry_run,
            }
        )
    else:
        ctx.out.line(f"{id}: {_said(taken, 'would take out' if dry_run else 'took out')}")
    return 0


def _said(taken: object, verb: str) -> str:
    from retoma.service.erasing import Redaction

    assert isinstance(taken, Redaction)
    parts = [
        f"{len(found):,} {name if len(found) == 1 else plural}"
        for found, name, plural in (
            (taken.events, "event", "events"),
            (taken.keys, "key of the state", "keys of the state"),
            (taken.fields, "field", "fields"),
        )
        if found
    ]
    return f"{verb} {', '.join(parts) or 'nothing'}"


def _stretch(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last:
        raise Invalid(
            f"{text!r} is no event number and no range of them.", code="bad_range", hint="Write 4 or 4-6."
        )
    return first, last
