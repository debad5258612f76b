"""`retoma doctor`: is all well here, and what to do if not."""

from __future__ import annotations

from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.text import size
from retoma.interfaces.cli.verb import verb
from retoma.stores.api import Facts, Listing

__all__ = ["doctor"]


@verb("doctor", example="retoma doctor")
def doctor(ctx: Invocation) -> int:
    """Look at the store, the disk, the clock and the locks; say what to do about what is not well."""
    facts = ctx.client.facts()
    newest = ctx.client.list([Listing()], limit=1).items
    ahead = bool(newest) and newest[0].updated_at > ctx.now_ms + 60_000
    low = facts.free_bytes is not None and facts.free_bytes < 100 << 20
    advice = []
    if ahead:
        advice.append("The newest session was written in the future: set this machine's clock.")
    if low:
        advice.append("The disk is nearly full: writes will stop, nothing written is lost. Free some space.")
    if facts.weak:
        advice.append(facts.weak)
    report = {
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
        "advice": advice,
        "well": not advice,
    }
    if ctx.out.json:
        ctx.out.print_json(report)
        return 0 if not advice else 1
    engine = f"{facts.engine}, {facts.journal_mode.upper()}, synchronous {facts.synchronous}"
    rows = [
        ("store", f"{facts.place} ({engine})  {size(facts.size_bytes)}"),
        ("source", ctx.place.source),
        ("format", str(facts.format)),
        ("clock", "behind the newest session" if ahead else "steady"),
        ("disk", _disk(facts)),
        ("retention", "off: nothing is deleted unless you say so"),
    ]
    ctx.out.table(rows)
    for line in advice:
        ctx.out.line(line)
    return 0 if not advice else 1


def _disk(facts: Facts) -> str:
    if facts.kind == "postgresql":
        return "the server's"
    return "memory only: gone at the end" if facts.free_bytes is None else f"{size(facts.free_bytes)} free"
