"""Select options with the arrow keys. The number of the selected option is shown at the prompt.

All other keys edit the line as usual, so numbers and texts can be typed too.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import time
from collections.abc import Sequence

from retoma.interfaces.cli.lines import Bell, TimedOut, Woken
from retoma.interfaces.cli.text import width_of

__all__ = ["Menu"]

_UP, _DOWN, _HOME, _END, _ENTER, _CLOSE = "up", "down", "home", "end", "enter", "close"
_KEYS = {
    b"\x1b[A": _UP, b"\x1bOA": _UP, b"\x10": _UP, b"\x1b[B": _DOWN, b"\x1bOB": _DOWN, b"\x0e": _DOWN,
    b"\x1b[H": _HOME, b"\x1bOH": _HOME, b"\x1b[1~": _HOME, b"\x1b[F": _END, b"\x1bOF": _END, b"\x1b[4~": _END,
    b"\r": _ENTER, b"\n": _ENTER, b"\x04": _CLOSE,
}  # fmt: skip
# The rest of a key that begins with Escape comes at once; over a slow line it may take a moment.
_ESCAPE_S = 0.05
_SPARE_ROWS = 2
_SPARE_COLUMNS = 6


class Menu:
    """The options above the cursor, the terminal `rows` that each takes, and the `label` after them."""

    def __init__(self, label: str, rows: Sequence[int]) -> None:
        self._label = label
        self._rows = rows
        self._marked = 0  # none yet: Enter alone means what it means without a menu

    @staticmethod
    def fits(label: str, rows: Sequence[int]) -> bool:
        """Return whether there are options, all of them are visible, and the label takes one row."""
        try:
            size = os.get_terminal_size(0)
        except OSError:
            return False
        return 0 < sum(rows) <= size.lines - _SPARE_ROWS and width_of(label) <= size.columns - _SPARE_COLUMNS

    def choose(self, timeout_s: float | None, bell: Bell | None) -> tuple[str | None, bool]:
        """Return the typed text, and whether the line is complete. The text is None at the end of the input.

        Raises TimedOut, Woken with the number of the selected option, and KeyboardInterrupt.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        before = termios.tcgetattr(0)
        raw = termios.tcgetattr(0)
        raw[3] &= ~(termios.ICANON | termios.ECHO)
        sys.stdout.write(self._label)
        sys.stdout.flush()
        try:
            termios.tcsetattr(0, termios.TCSADRAIN, raw)
            while True:
                self._wait(deadline, bell)
                key = _key()
                match _KEYS.get(key):
                    case "enter":
                        sys.stdout.write("\n")
                        return self._number(), True
                    case "close":
                        return None, True
                    case None if key.startswith(b"\x1b"):
                        pass  # a key that means nothing here
                    case None:
                        return self._begun(key), False
                    case str() as move:
                        self._move(move)
        finally:
            sys.stdout.flush()
            termios.tcsetattr(0, termios.TCSADRAIN, before)

    def _wait(self, deadline: float | None, bell: Bell | None) -> None:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([0, *([bell.fileno()] if bell is not None else [])], [], [], left)
        if not ready:
            raise TimedOut
        if 0 not in ready:
            raise Woken(self._number())

    def _number(self) -> str:
        return str(self._marked) if self._marked else ""

    def _begun(self, key: bytes) -> str:
        """Remove the prompt's line, because the user starts to type with `key`. A key that erases is not typed."""
        sys.stdout.write("\r\x1b[K")
        typed = key.decode(errors="replace")
        return typed if typed.isprintable() else self._number() if key == b"\t" else ""

    def _move(self, move: str) -> None:
        count = len(self._rows)
        marked = self._marked
        match move:
            case "up":
                marked = marked - 1 if marked > 1 else count
            case "down":
                marked = marked + 1 if marked < count else 1
            case "home":
                marked = 1
            case _:
                marked = count
        out = self._mark(self._marked, " ") if self._marked else ""
        self._marked = marked
        sys.stdout.write(f"{out}{self._mark(marked, '>')}\r\x1b[K{self._label}{marked}")
        sys.stdout.flush()

    def _mark(self, number: int, sign: str) -> str:
        """Return the control sequence that puts a sign before an option and returns to the prompt."""
        up = sum(self._rows[number - 1 :])
        return f"\x1b[{up}A\r{sign}\x1b[{up}B\r"


def _key() -> bytes:
    """Read one key and leave the following keys for the next reader."""
    key = os.read(0, 1)
    if not key:
        return b"\x04"
    if key == b"\x1b":
        while len(key) < 8 and select.select([0], [], [], _ESCAPE_S)[0]:
            key += os.read(0, 1)
            if (key[-1:].isalpha() and key[1:] != b"O") or key[-1:] == b"~":
                break
        return key
    more = 3 if key[0] >= 0xF0 else 2 if key[0] >= 0xE0 else 1 if key[0] >= 0xC0 else 0
    return key + b"".join(os.read(0, 1) for _ in range(more))
