"""Lines typed at a terminal, with the keys that edit a line."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType

from retoma.interfaces.cli.lines import TimedOut, checked

__all__ = ["Keyboard", "unseen"]


class Keyboard:
    """Standard input and output as one terminal, for the main thread. `next` is as in Lines."""

    def __init__(self) -> None:
        # Importing it is what makes input() edit; without it a terminal keeps 4,095 bytes of a line, and says nothing.
        import readline

        readline.set_completer(None)
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")
        self.number = 0

    def next(self, label: str, timeout_s: float | None = None) -> str | None:
        """Return the next line, None at Ctrl+D. Raises TimedOut, Invalid, and KeyboardInterrupt at Ctrl+C.

        The line that `label` began is ended; Ctrl+C leaves it open.
        """
        try:
            with timed(timeout_s):
                line = input(label)
        except EOFError:
            sys.stdout.write("\n")
            return None
        except TimedOut:
            sys.stdout.write("\n")
            raise
        except KeyboardInterrupt:
            sys.stdout.write("^C")
            raise
        self.number += 1
        return checked(line.encode(errors="surrogateescape"), self.number)


def unseen(label: str, timeout_s: float | None = None) -> str | None:
    """Return a line that the terminal does not show, None at Ctrl+D. Raises TimedOut, and KeyboardInterrupt."""
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


@contextmanager
def timed(seconds: float | None) -> Iterator[None]:
    """Raise TimedOut in what runs inside once `seconds` have passed; None: never. For the main thread.

    A signal that comes after the prompt was shown and before input() waits does not wake it. So it is woken now and
    then: a Ctrl+C or a time-out that it missed is seen then.
    """
    deadline = None if seconds is None else time.monotonic() + seconds

    def look(number: int, frame: FrameType | None) -> None:
        # The timer's clock is not quite this one.
        if deadline is not None and time.monotonic() > deadline - 0.01:
            raise TimedOut

    before = signal.signal(signal.SIGALRM, look)
    try:
        # The looks are set so that one of them falls on the deadline; a first one after 0 s would be none at all.
        first = max(seconds % _LOOK_S, 0.001) if seconds is not None else _LOOK_S
        signal.setitimer(signal.ITIMER_REAL, first, _LOOK_S)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
