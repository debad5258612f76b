"""`retoma store check`: verify the whole store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from retoma.errors import Invalid, NotFound
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb
from retoma.interfaces.problems import DAMAGED, DONE

if TYPE_CHECKING:
    from retoma.service.check.repair import Repaired
    from retoma.service.check.report import Report

__all__ = ["check", "there"]


@verb("store check", example="retoma store check --sample 10%")
@click.option("--sample", metavar="PART", help="Check a random sample of the sessions: 10% or 0.1.")
@click.option(
    "--repair",
    is_flag=True,
    help="Quarantine damaged sessions and rebuild the search index. Nothing is deleted.",
)
def check(ctx: Invocation, *, sample: str | None, repair: bool) -> int:
    """Verify every journal, compare every row with its journal, and report damage. Exit status 6 if there is damage."""
    from retoma.commands.store import Check, Repair
    from retoma.interfaces.cli.bar import Bar
    from retoma.service.check.report import view

    there(ctx)
    part = _part(sample) if sample is not None else None
    with Bar(ctx.out, "checking", "events") as bar:
        report = ctx.do(Check(sample=part, progress=bar))
    done = ctx.do(Repair(report=report)) if repair and not report.whole else None
    if ctx.out.json:
        repaired = (
            None if done is None else {"sessions": done.sessions, "index": done.index, "left": len(done.left)}
        )
        ctx.out.print_json(view(report) | {"repaired": repaired})
    else:
        _say(ctx, report, done)
    return DONE if report.whole or (done is not None and not done.left) else DAMAGED


def there(ctx: Invocation) -> None:
    """Raise NotFound if there is no store, because verbs that maintain a store do not create one."""
    from retoma.wiring import is_there

    place = ctx.place
    if not is_there(place):
        raise NotFound(
            f"There is no store at {place.shown}.",
            code="no_store",
            hint="`retoma init` makes one here; --store names another.",
        )


def refuse_older(ctx: Invocation) -> None:
    """Raise Unavailable for a store of an older format, because verbs that describe a store do not upgrade it."""
    from retoma.stores.sql.migrate import older_store
    from retoma.wiring import older_format

    if (format := older_format(ctx.place)) is not None:
        raise older_store(format, ctx.place.shown)


def _part(text: str) -> float:
    number, percent, rest = text.strip().partition("%")
    try:
        part = float(number) / (100 if percent else 1)
    except ValueError:
        part = 0.0
    if rest or not 0 < part <= 1:
        raise Invalid(f"{text!r} is not a sample size.", code="bad_sample", hint="Write 10% or 0.1.")
    return part


def _say(ctx: Invocation, report: Report, done: Repaired | None) -> None:
    out = ctx.out
    out.note(
        f"checked {_number(report.sessions, 'session')} · {_number(report.events, 'event')} · "
        f"{_number(report.contents, 'piece')} of large content"
    )
    if report.whole:
        out.line(_whole(report))
    hint = ""
    for one in report.damage:
        out.line(one.detail)
        if one.hint != hint:
            out.line(f"  {one.hint}")
        hint = one.hint
    if not report.whole:
        out.line(_damaged(report))
    for name in done.sessions if done else ():
        out.line(f"{name}: in quarantine; nothing of it was deleted")
    if done is not None and done.index:
        out.line("The next commands that write rebuild the search index; `retoma store gc` rebuilds it now.")
    for aside in report.quarantined:
        since = out.when(aside.at, ctx.now_ms)
        out.line(f"In quarantine since {since}: {aside.id or 'rows without a session'}. {aside.why}")


def _whole(report: Report) -> str:
    witness = report.witness
    if witness is None or witness.seen is None:
        tail = "no witness to detect missing commits"
    else:
        tail = f"no commits missing (witness {witness.seen:,})"
    sample = " (sample)" if report.sample else ""
    return f"OK{sample}: every event verified, every row matches its journal, {tail}."


def _damaged(report: Report) -> str:
    count = len(report.damage) + report.unlisted
    more = f", {report.unlisted:,} of them not listed" if report.unlisted else ""
    return f"damaged: {_number(count, 'finding')}{more}."


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
