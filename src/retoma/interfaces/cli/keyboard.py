"""Lines typed at a terminal, with the keys that edit a line."""

from __future__ import annotations

import signal
import sys
from io import TextIOWrapper
from types import FrameType
from typing import NoReturn

from retoma.interfaces.cli.lines import TimedOut, checked

__all__ = ["Keyboard"]


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
        before = signal.signal(signal.SIGALRM, _timed_out)
        try:
            signal.setitimer(signal.ITIMER_REAL, timeout_s or 0)
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
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        self.number += 1
        return checked(line.encode(errors="surrogateescape"), self.number)


def _timed_out(number: int, frame: FrameType | None) -> NoReturn:
    raise TimedOut
