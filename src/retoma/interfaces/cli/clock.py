"""What a person is told when the machine's clock jumped, and nothing goes by age for that."""

from __future__ import annotations

from retoma.commands.due import ShowClock
from retoma.interfaces.cli.context import Invocation
from retoma.model.retention import SETTLED_MS
from retoma.model.times import MINUTE, span

__all__ = ["tell_clock"]


def tell_clock(ctx: Invocation) -> None:
    """Say so when the clock is ahead of the time that ages are judged by."""
    ahead = ctx.do(ShowClock())
    if ahead:
        shown = span(ahead // MINUTE * MINUTE) if ahead >= MINUTE else span(ahead)
        ctx.out.note(
            f"The clock is {shown} ahead of the last time that it was looked at, so it is not believed yet: ages are "
            f"judged by the time before. Run the command again {SETTLED_MS // MINUTE} minutes after the first one, or "
            "go by the clock as it is: retoma store gc --now"
        )
