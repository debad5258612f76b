"""`retoma doctor`: check the installation and say how to fix problems."""

from __future__ import annotations

from retoma.commands.due import ShowStanding
from retoma.commands.listing import ListSessions
from retoma.commands.quarantine import ListQuarantine
from retoma.commands.store import ShowFacts
from retoma.interfaces.cli.config import Trust, trust_rows, withheld_notes
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.store_check import refuse_older
from retoma.interfaces.cli.text import counted, size
from retoma.interfaces.cli.verb import verb
from retoma.model.retention import Retention
from retoma.service.retention import Standing
from retoma.stores.contract.facts import Facts

__all__ = ["doctor"]


@verb("doctor", example="retoma doctor")
def doctor(ctx: Invocation) -> int:
    """Check the store, the disk, the clock and the locks, and say how to fix each problem."""
    refuse_older(ctx)
    facts, rules = ctx.do(ShowFacts()), ctx.settings.retention(ctx.place)
    newest = ctx.do(ListSessions(limit=1)).items
    ahead = bool(newest) and newest[0].updated_at > ctx.now_ms + 60_000
    standing, trust, aside = ctx.do(ShowStanding()), trust_rows(ctx), len(ctx.do(ListQuarantine()))
    advice = _advice(facts, trust, ahead=ahead)
    if ctx.out.json:
        ctx.out.print_json(_report(ctx, facts, standing, rules, trust, advice, ahead=ahead, aside=aside))
        return 0 if not advice else 1
    engine = f"{facts.engine}, {facts.journal_mode.upper()}, synchronous {facts.synchronous}"
    rows = [
        ("store", f"{facts.place} ({engine})  {size(facts.size_bytes)}"),
        ("source", ctx.place.source),
        ("format", str(facts.format)),
        ("clock", "behind the newest session" if ahead else "steady"),
        ("disk", _disk(facts)),
        ("retention", _retention(rules)),
        *(("retention", line) for line in withheld_notes(ctx)),
        ("due", _due(standing, rules)),
        (
            "quarantine",
            f"{counted(aside, 'damaged session')}: see `retoma store quarantine`" if aside else "",
        ),
        *(("trust", f"{one.file} {one.said}") for one in trust),
    ]
    ctx.out.facts(rows)
    for line in advice:
        ctx.out.line(line)
    return 0 if not advice else 1


def _advice(facts: Facts, trust: list[Trust], *, ahead: bool) -> list[str]:
    advice = []
    if ahead:
        advice.append("The newest session has a time in the future: correct this machine's clock.")
    if facts.free_bytes is not None and facts.free_bytes < 100 << 20:
        advice.append(
            "The disk is nearly full: writes will fail soon, but nothing already saved will be "
            "lost. Free some space."
        )
    if facts.weak:
        advice.append(facts.weak)
    advice += [
        f"{one.file} names commands, which run only after you trust it. Read it, then run: retoma trust '{one.file}'"
        for one in trust
        if one.commands and not one.trusted
    ]
    return advice


def _report(
    ctx: Invocation,
    facts: Facts,
    standing: Standing,
    rules: Retention,
    trust: list[Trust],
    advice: list[str],
    *,
    ahead: bool,
    aside: int,
) -> dict[str, object]:
    from retoma.model.times import span

    ages = {"idle_timeout": rules.idle_timeout_ms, "completed_after": rules.completed_after_ms}
    return {
        "store": {
            "place": facts.place,
            "source": ctx.place.source,
            "format": facts.format,
            "engine": facts.engine,
        },
        "journal_mode": facts.journal_mode,
        "synchronous": facts.synchronous,
        "size_bytes": facts.size_bytes,
        "free_bytes": facts.free_bytes,
        "clock": "ahead" if ahead else "steady",
        "retention": {name: None if age is None else span(age) for name, age in ages.items()},
        "due": {"idle": standing.idle, "over": standing.over, "trashed": standing.trashed},
        "quarantined": aside,
        "trust": [one._asdict() for one in trust],
        "advice": advice,
        "well": not advice,
    }


def _disk(facts: Facts) -> str:
    if facts.kind == "postgresql":
        return "the server's"
    return (
        "memory only: lost when the process ends"
        if facts.free_bytes is None
        else f"{size(facts.free_bytes)} free"
    )


def _retention(rules: Retention) -> str:
    from retoma.model.times import span

    parts = []
    if rules.idle_timeout_ms is not None:
        parts.append(f"active sessions without an event for {span(rules.idle_timeout_ms)} are failed")
    if rules.completed_after_ms is not None:
        parts.append(f"sessions that ended {span(rules.completed_after_ms)} ago are trashed")
    return "; ".join(parts) or "off: nothing is deleted automatically"


def _due(standing: Standing, rules: Retention) -> str:
    parts = [
        f"{counted(count, 'session')} {what}"
        for count, what in (
            (standing.idle, "to be failed"),
            (standing.over, "to be trashed"),
            (standing.trashed, "seven days in the trash"),
        )
        if count
    ]
    by = "done by the next command that deletes" if rules.off else "done by the next commands that write"
    return f"{', '.join(parts)}: {by}, or `retoma store gc` now" if parts else ""
