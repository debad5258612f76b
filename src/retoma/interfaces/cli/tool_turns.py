"""The tools of a run: show, ask, call. If the run ends during a call, the tool is stopped first."""

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
    """`by` says who allows every tool; if it is empty, the user is asked about each tool. `none`: no tool is
    allowed."""

    by: str
    none: bool


class Ended(BaseException):
    """The run must end (SIGTERM, or its terminal was closed)."""


class ToolTurns:
    """Each `turn` settles the pending call of the drive. `approved` says who allows every tool; if it is empty, the
    user is asked."""

    def __init__(
        self, drive: Drive, screen: Screen, *, approved: str, deny: bool, note: Callable[[str], None]
    ) -> None:
        self._drive = drive
        self._screen = screen
        self._approved = "" if deny else approved
        self._deny = deny
        self._note = note

    def turn(self, answer: Callable[[str], str | None]) -> bool:
        """Settle the call; `answer` reads a line after a label. Return False if the input ends before the decision."""
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
    """Raise Ended in the body when the process receives SIGTERM or SIGHUP. For the main thread."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
