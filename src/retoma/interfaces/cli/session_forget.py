"""`retoma session rm`, `reset` and `redact`: the verbs that erase."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TypedDict

import click
from msgspec.structs import replace

from retoma.commands.branch import ListForks
from retoma.commands.forget import DeleteSession, EraseEpochs, RedactSession
from retoma.commands.session import ResetSession, ShowSession
from retoma.errors import Invalid
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION
from retoma.interfaces.cli.several import agreed, each
from retoma.interfaces.cli.verb import verb
from retoma.model.outcomes import Begun, Redacted

__all__ = ["redact", "reset", "rm"]


@verb("session rm", example="retoma session rm s1 s2 s3")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=SESSION)
@click.option(
    "--with-forks", is_flag=True, help="Delete their forks too; otherwise forks keep shared events."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; delete nothing.")
def rm(ctx: Invocation, *, ids: tuple[str, ...], with_forks: bool, yes: bool, dry_run: bool) -> int:
    """Delete sessions permanently, by their full ids. A session that cannot be deleted does not stop the others."""
    what = f"session '{ids[0]}'" if len(ids) == 1 else f"{len(ids)} sessions"
    forks = [fork for id in ids for fork in _forks(ctx, id)] if with_forks else []
    too = f", with {len(forks)} forked from {'it' if len(ids) == 1 else 'them'}," if forks else ""
    # Whole ids that were written down are the decision, where nobody can be asked.
    if not (yes or dry_run) and not agreed(ctx, f"Delete {what}{too} permanently?", unasked=True):
        ctx.out.note("Nothing was deleted.")
        return 1

    for id in ids:
        _refuse_part(ctx, id)
    if dry_run:

        def look(id: str) -> _Left:
            return _Left(forks=ctx.do(ListForks(session=id)), lines=(), shared=0)

        say = partial(_say_would, ctx, with_forks=with_forks)
        return each(ctx, ids, look, done="Would delete", word="deleted", dry=True, say=say)
    gone: set[str] = set()

    def delete(id: str) -> _Left:
        if id in gone:
            return _Left(forks=(), lines=(), shared=0)  # as a fork of one before it
        done = ctx.do(DeleteSession(session=id, with_forks=with_forks))
        gone.update(done.forks if with_forks else ())
        return _Left(forks=done.forks, lines=done.lines, shared=done.shared)

    say = partial(_say_left, ctx, with_forks=with_forks)
    return each(ctx, ids, delete, done="Deleted", word="deleted", say=say)


class _Left(TypedDict):
    """The data that remains after a deletion: forks with shared events up to `shared`, and sessions kept by undo."""

    forks: Sequence[str]
    lines: Sequence[str]
    shared: int


def _forks(ctx: Invocation, id: str) -> Sequence[str]:
    from retoma.errors import NotFound

    try:
        return ctx.do(ListForks(session=id))
    except NotFound:
        return ()  # said when its turn comes


def _say_would(ctx: Invocation, left: _Left, *, with_forks: bool) -> None:
    few = _few(left["forks"])
    if few and with_forks:
        ctx.out.note(f"Its forks would be deleted too: {few}.")
    elif few:
        ctx.out.note(
            f"The events shared with its forks would stay, readable only in the forks: {few}. "
            "--with-forks deletes the forks too."
        )


def _say_left(ctx: Invocation, left: _Left, *, with_forks: bool) -> None:
    few = _few(left["forks"])
    if few and with_forks:
        ctx.out.note(f"Its forks were deleted too: {few}.")
    elif few:
        upto = f"Its events up to {left['shared']:,} stay for its forks"
        ctx.out.note(f"{upto}, and are deleted with the last fork: {few}.")
    if left["lines"]:
        ctx.out.note(f"The copies that `undo` kept of it stay: {_few(left['lines'])}.")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


_NAMED = 10


def _refuse_part(ctx: Invocation, id: str) -> None:
    """Raise Invalid for a prefix of an id and for @last, because verbs that delete need the full id."""
    from retoma.errors import NotFound

    try:
        whole = ctx.meant(id)
    except (NotFound, Invalid):
        return  # said when its turn comes
    if whole != id:
        raise Invalid(
            f"'{id}' means '{whole}'; verbs that delete need the full id.",
            code="whole_id",
            hint="Nothing was deleted.",
        )


@verb("session reset", example="retoma session reset my-experiment")
@click.argument("id", type=SESSION)
@click.option("--erase", is_flag=True, help="Delete the earlier epochs permanently; needs the full id.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(ctx: Invocation, *, id: str, erase: bool, yes: bool) -> int:
    """Start a new epoch: the conversation, the state and the flow are empty; the id, labels and settings stay."""
    session = id if erase else ctx.meant(id)
    if erase:
        _refuse_part(ctx, id)
        forks = ctx.do(ListForks(session=session))
        also = f", and erase the events shared with {len(forks)} forks" if forks else ""
        if not yes and not agreed(
            ctx, f"Delete everything that '{session}' holds so far{also}, permanently?", unasked=True
        ):
            ctx.out.note("Nothing was changed.")
            return 1
        if forks:
            ctx.out.note(f"The shared events are erased in its forks too: {_few(forks)}.")
        epoch = ctx.do(EraseEpochs(session=session))
    else:
        epoch, _ = ctx.do(ResetSession(session=session))
    if ctx.out.json:
        ctx.out.print_json(Begun(id=session, epoch=epoch, erased=erase))
    else:
        ctx.out.line(f"{session}: epoch {epoch}" + (", the earlier epochs are deleted" if erase else ""))
    return 0


@verb("session redact", example="retoma session redact my-experiment --seq 4-6")
@click.argument("id", type=SESSION)
@click.option("--seq", "stretch", metavar="N[-M]", help="These events.")
@click.option("--pattern", metavar="P", help="The text that this regular expression matches.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
def redact(
    ctx: Invocation, *, id: str, stretch: str | None, pattern: str | None, yes: bool, dry_run: bool
) -> int:
    """Redact content permanently; needs the full id. The events keep their numbers and digests."""
    if (stretch is None) == (pattern is None):
        raise Invalid(
            "Give what to redact: --seq N[-M] or --pattern P.",
            code="bad_usage",
            hint="`retoma session log ID` shows the numbers.",
        )
    first, last = _stretch(stretch) if stretch else (None, None)
    _refuse_part(ctx, id)
    ctx.do(ShowSession(session=id))
    asked = RedactSession(session=id, pattern=pattern, first=first, last=last, dry_run=dry_run)
    if pattern and not (yes or dry_run):
        found = ctx.do(replace(asked, dry_run=True))
        if not agreed(ctx, f"{_said(found, 'Take out')} of '{id}' permanently?", unasked=False):
            would = _said(found, "Would take out")
            ctx.out.failed(Invalid(f"Nothing was changed. {would}: add --yes to do it.", code="needs_yes"))
            return 1
    taken = ctx.do(asked)
    if ctx.out.json:
        ctx.out.print_json(
            Redacted(
                id=id, events=taken.events, keys=taken.keys, fields=taken.fields, branches=taken.branches,
                done=not dry_run,
            )
        )  # fmt: skip
    else:
        ctx.out.line(f"{id}: {_said(taken, 'would take out' if dry_run else 'took out')}")
    if taken.branches:
        ctx.out.note(f"Also in sessions that share its events: {_few(taken.branches)}.")
    return 0


def _said(taken: object, verb: str) -> str:
    from retoma.service.forget.erasing import Redaction

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
            f"{text!r} is not an event number or a range of numbers.",
            code="bad_range",
            hint="Write 4 or 4-6.",
        )
    return first, last
