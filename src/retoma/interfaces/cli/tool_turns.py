"""A run's tools: shown, asked about, called. What ends the run meanwhile ends the tool first."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NamedTuple

from retoma.flows.answer import confirmation
from retoma.interfaces.cli.screen import Screen
from retoma.runtime.drive import Drive

__all__ = ["Allowed", "Ended", "ToolTurns"]

_REFUSED: Final = "it was not allowed."
_DENIED: Final = "--deny refuses every tool."


class Allowed(NamedTuple):
    """Who allows every tool, empty when each is asked about; or that none is."""

    by: str
    none: bool


class Ended(BaseException):
    """The run was told to end (SIGTERM, or its terminal is gone)."""


class ToolTurns:
    """Each `turn` settles the call that the drive waits for. `approved` says who allows every tool; empty: ask."""

    def __init__(
        self, drive: Drive, screen: Screen, *, approved: str, deny: bool, note: Callable[[str], None]
    ) -> None:
        self._drive = drive
        self._screen = screen
        self._approved = "" if deny else approved
        self._deny = deny
        self._note = note

    def turn(self, answer: Callable[[str], str | None]) -> bool:
        """Settle the call; `answer` reads a line after a label. False when the input ended before the decision."""
        drive, call = self._drive, self._drive.call
        assert call is not None, "the flow waits for a tool"
        if not drive.ready():
            return True
        self._screen.call(call)
        approved = self._approved
        if drive.asks and not self._deny and not approved:
            said = answer(self._screen.approval(call, drive.question))
            if said is None:
                return False
            approved = "person" if confirmation(self._screen.given(said)) == "yes" else ""
        if drive.asks and not approved:
            came = drive.deny(_DENIED if self._deny else _REFUSED)
        else:
            with ended_by_signals():
                came = drive.perform(approved, told=lambda why: self._note(f">>> {why}"))
        self._screen.came(call, came)
        return True


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise Ended in what runs inside when the process is told to end. For the main thread."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
