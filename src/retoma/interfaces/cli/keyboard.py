"""Read lines from a terminal, with keys to edit a line."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType

from retoma.interfaces.cli.lines import Bell, TimedOut, Woken, checked

__all__ = ["Keyboard", "unseen"]


class Keyboard:
    """Standard input and output as one terminal, for the main thread. `next` works as in Lines.

    `moves`: the terminal can move its cursor, and the user did not ask for plain text.
    """

    def __init__(self, *, moves: bool) -> None:
        # Importing it is what makes input() edit; without it a terminal keeps 4,095 bytes of a line, and says nothing.
        import readline

        readline.set_completer(None)
        if not moves:
            readline.parse_and_bind("set enable-bracketed-paste off")
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")
        self.number = 0
        self._moves = moves

    def next(
        self,
        label: str,
        timeout_s: float | None = None,
        typed: str = "",
        *,
        bell: Bell | None = None,
        rows: Sequence[int] = (),
    ) -> str | None:
        """Return the next line, or None at Ctrl+D. Raises TimedOut, Woken, Invalid, and KeyboardInterrupt at Ctrl+C.

        The line starts with `typed`, which can be edited. `rows` are the numbers of rows of the options printed last;
        with them, the arrow keys select an option. The line of `label` is ended, except after Ctrl+C.
        """
        try:
            line = self._line(label, timeout_s, typed, bell, rows)
        except EOFError:
            sys.stdout.write("\n")
            return None
        except (TimedOut, Woken):
            sys.stdout.write("\n")
            raise
        except KeyboardInterrupt:
            sys.stdout.write("^C")
            raise
        self.number += 1
        return checked(line.encode(errors="surrogateescape"), self.number)

    def _line(
        self, label: str, timeout_s: float | None, typed: str, bell: Bell | None, rows: Sequence[int]
    ) -> str:
        import readline

        from retoma.interfaces.cli.menu import Menu

        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        if self._moves and not typed and Menu.fits(label, rows):
            chosen, whole = Menu(label, rows).choose(timeout_s, bell)
            if chosen is None:
                raise EOFError
            if whole:
                return chosen
            typed = chosen
        readline.set_startup_hook((lambda: readline.insert_text(typed)) if typed else None)
        left = None if deadline is None else max(0.001, deadline - time.monotonic())
        with timed(left, look=None if bell is None else lambda: _look(bell)):
            return input(label)


def _look(bell: Bell) -> None:
    """Raise Woken with the typed text, if an event arrives while a line is edited."""
    import readline

    if bell.ready and _edits():
        raise Woken(readline.get_line_buffer())


def _edits() -> bool:
    """Return whether a line is being edited now.

    While a line is edited, the terminal delivers each key at once. After the line was read, it does not, and
    discarding the line would lose it.
    """
    import termios

    return not termios.tcgetattr(0)[3] & termios.ICANON


def unseen(label: str, timeout_s: float | None = None) -> str | None:
    """Read a line without showing it; return None at Ctrl+D. Raises TimedOut, and KeyboardInterrupt."""
    from getpass import getpass

    try:
        with timed(timeout_s):
            return getpass(label)
    except EOFError:
        sys.stdout.write("\n" if label else "")
        return None
    except KeyboardInterrupt:
        sys.stdout.write("^C" if label else "")
        raise


_LOOK_S = 0.25
_LOOK_OFTEN_S = 0.05


@contextmanager
def timed(seconds: float | None, *, look: Callable[[], None] | None = None) -> Iterator[None]:
    """Raise TimedOut in the body after `seconds`; None means no limit. For the main thread.

    `look` is called now and then, and an error that it raises also ends the body.

    A signal that arrives after the prompt was shown and before input() waits does not interrupt input(). So a timer
    interrupts it regularly, to handle a missed Ctrl+C or timeout.
    """
    deadline = None if seconds is None else time.monotonic() + seconds

    def alarmed(number: int, frame: FrameType | None) -> None:
        # The timer's clock is not quite this one.
        if deadline is not None and time.monotonic() > deadline - 0.01:
            raise TimedOut
        if look is not None:
            look()

    every = _LOOK_S if look is None else _LOOK_OFTEN_S
    before = signal.signal(signal.SIGALRM, alarmed)
    try:
        # The looks are set so that one of them falls on the deadline; a first one after 0 s would be none at all.
        first = max(seconds % every, 0.001) if seconds is not None else every
        signal.setitimer(signal.ITIMER_REAL, first, every)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
