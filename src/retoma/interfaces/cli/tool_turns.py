"""The tools of a run: show, ask, call. If the run ends during a call, the tool is stopped first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from retoma.flows.answer import YES_OR_NO, confirmation
from retoma.interfaces.cli.screen import Screen
from retoma.interfaces.cli.signals import ended_by_signals
from retoma.model.call import Call
from retoma.runtime.drive import Drive

__all__ = ["Allowed", "ToolTurns"]

_REFUSED: Final = "it was not allowed."
_DENIED: Final = "--deny refuses every tool."


class Allowed(NamedTuple):
    """`by` says who allows every tool; if it is empty, the user is asked about each tool. `none`: no tool is
    allowed."""

    by: str
    none: bool


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

    def turn(self, answer: Callable[[str], str | None], *, again: bool) -> bool:
        """Settle the call; `answer` reads a line after a label. Return False if the input ends before the decision.

        With `again`, an answer that is neither yes nor no is asked for again; without it, it refuses the tool.
        """
        drive, call = self._drive, self._drive.call
        assert call is not None, "the flow waits for a tool"
        if not drive.ready():
            return True
        self._screen.call(call)
        approved = self._approved
        if drive.asks and not self._deny and not approved:
            decided = self._decided(call, answer, again=again)
            if decided is None:
                return False
            approved = "person" if decided == "yes" else ""
        if drive.asks and not approved:
            came = drive.deny(_DENIED if self._deny else _REFUSED)
        else:
            with ended_by_signals():
                came = drive.perform(approved, told=lambda why: self._note(f">>> {why}"))
        self._screen.came(call, came)
        return True

    def _decided(self, call: Call, answer: Callable[[str], str | None], *, again: bool) -> str | None:
        while (said := answer(self._screen.approval(call, self._drive.question))) is not None:
            decided = confirmation(self._screen.given(said))
            if decided is not None:
                return decided
            if not again or not said.strip():
                return "no"
            self._screen.again(YES_OR_NO)
        return None
