"""The note shown when the machine's clock jumped and ages are therefore not computed from it."""

from __future__ import annotations

from retoma.commands.due import ShowClock
from retoma.interfaces.cli.context import Invocation
from retoma.model.retention import SETTLED_MS
from retoma.model.times import MINUTE, span

__all__ = ["tell_clock"]


def tell_clock(ctx: Invocation) -> None:
    """Print a note when the machine's clock is ahead of the guarded clock."""
    ahead = ctx.do(ShowClock())
    if ahead:
        shown = span(ahead // MINUTE * MINUTE) if ahead >= MINUTE else span(ahead)
        ctx.out.note(
            f"The clock is {shown} ahead of the last recorded time. Ages are computed from the recorded time. "
            f"Run the command again {SETTLED_MS // MINUTE} minutes after the first run, or use the clock as it is: "
            "retoma store gc --now"
        )
