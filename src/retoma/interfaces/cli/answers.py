"""Where the answers of a run come from: lines of standard input, or a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from retoma.commands.message import ReadEvents
from retoma.commands.session import ShowSession
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.lines import Bell, Lines, Woken
from retoma.interfaces.cli.screen import Screen
from retoma.interfaces.cli.signals import Ended, ended_by_signals
from retoma.model.flow import Prompt
from retoma.runtime.drive import Drive

if TYPE_CHECKING:
    from retoma.interfaces.cli.keyboard import Keyboard

__all__ = ["Answers"]

_EARLIER = 1_000
"""The number of last events that the history of the keyboard is read from."""


class Answers:
    """With `asks`, a person types the answers. `ended`: a signal came while a question waited for that person."""

    def __init__(self, ctx: Invocation, drive: Drive, screen: Screen, *, asks: bool, plain: bool) -> None:
        self._ctx = ctx
        self._drive = drive
        self._screen = screen
        self.asks = asks
        self.ended = False
        self._typed = ""
        self._lines: Keyboard | Lines = Lines()
        if asks and ctx.out.terminal:
            from retoma.interfaces.cli.keyboard import Keyboard

            self._lines = Keyboard(moves=not plain and not ctx.environment.dumb, earlier=self._earlier)

    def read(self, prompt: Prompt, bell: Bell | None, reloaded: Callable[[], bool]) -> str | None:
        """Show the options and return the answer to `prompt`, or None at the end of the input.

        When the `bell` rings, `reloaded` is asked whether an edited flow was applied. If so, this raises Woken.
        """
        label = self._screen.label(prompt)
        drawn = prompt.options if self._lines.draws(label, prompt.options) else ()
        if not drawn:
            self._screen.ask(prompt)
        if prompt.input_type == "secret" and sys.stdin.isatty():
            lines = self._keyboard()
            return self._read(lambda: lines.next(label, prompt.timeout_s, kind="secret"))
        deadline = None if prompt.timeout_s is None else time.monotonic() + prompt.timeout_s
        while True:
            typed, self._typed = self._typed, ""
            left = None if deadline is None else max(0.001, deadline - time.monotonic())
            try:
                return self._read(lambda: self._lines.next(label, left, typed, bell=bell, options=drawn))  # noqa: B023
            except Woken as woken:
                node = self._drive.position.node
                self._typed = woken.typed
                if reloaded():
                    if self._drive.position.node != node:
                        self._typed = ""  # it was typed for another question
                    raise

    def consent(self, label: str) -> str | None:
        """Return the answer to the question about a tool. On a terminal, what was typed before does not answer it."""
        if self.asks:
            self._lines.forget()
        return self._read(lambda: self._lines.next(label, kind="consent"))

    def _read(self, read: Callable[[], str | None]) -> str | None:
        """Read a line. If a person is asked, a signal that ends the process raises Ended."""
        if not self.asks:
            return read()
        try:
            with ended_by_signals():
                return read()
        except Ended:
            self.ended = True
            raise

    def _keyboard(self) -> Keyboard:
        """Return a keyboard for a secret, also when the output is not a terminal."""
        from retoma.interfaces.cli.keyboard import Keyboard

        return self._lines if isinstance(self._lines, Keyboard) else Keyboard(moves=False)

    def _earlier(self) -> list[str]:
        """Return the last inputs of the session. The journal does not have the secrets."""
        if not self._drive.resumed:
            return []
        session = self._drive.session
        since = max(0, self._ctx.do(ShowSession(session=session)).session.seq - _EARLIER)
        wanted = ReadEvents(session=session, since=since, types=frozenset({"flow.input"}))
        inputs = [(event.data or {}).get("input") for event in wanted.run(self._ctx.opened)]
        return [one for one in inputs if isinstance(one, str) and one]
