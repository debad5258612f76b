"""`retoma store check`: is all there as it was written?"""

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
@click.option("--sample", metavar="PART", help="Only a part of the sessions, by chance: 10% or 0.1.")
@click.option(
    "--repair", is_flag=True, help="Put damaged sessions aside, rebuild the search index. Nothing is lost."
)
def check(ctx: Invocation, *, sample: str | None, repair: bool) -> int:
    """Prove every journal and hold every row against it; say what is damaged. Exit status 6 when something is."""
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
    """Raise NotFound unless there is a store: what looks after one makes none."""
    from retoma.wiring import is_there

    place = ctx.place
    if not is_there(place):
        raise NotFound(
            f"There is no store at {place.shown}.",
            code="no_store",
            hint="`retoma init` makes one here; --store names another.",
        )


def refuse_older(ctx: Invocation) -> None:
    """Raise Unavailable for a store of an older format: what describes a store does not upgrade it."""
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
        raise Invalid(f"{text!r} is no part of the sessions.", code="bad_sample", hint="Write 10% or 0.1.")
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
        out.line(f"{name}: put aside; nothing of it was deleted")
    if done is not None and done.index:
        out.line(
            "The search index is built anew by the commands that write next; `retoma store gc` does it now."
        )
    for aside in report.quarantined:
        since = out.when(aside.at, ctx.now_ms)
        out.line(f"In quarantine since {since}: {aside.id or 'rows without a session'}. {aside.why}")


def _whole(report: Report) -> str:
    witness = report.witness
    if witness is None or witness.seen is None:
        tail = "no witness was kept beside it to say that nothing was cut off"
    else:
        tail = f"nothing was cut off (witness {witness.seen:,})"
    found = f"every event is in its chain, every row agrees with its journal, {tail}"
    return f"whole, as far as was looked: {found}." if report.sample else f"whole: {found}."


def _damaged(report: Report) -> str:
    count = len(report.damage) + report.unlisted
    more = f", {report.unlisted:,} of them not listed" if report.unlisted else ""
    return f"damaged: {_number(count, 'finding')}{more}."


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
