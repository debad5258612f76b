"""What a terminal shows of what is printed on it: enough of one for what `run` prints."""

from __future__ import annotations

import re
from unicodedata import combining, east_asian_width

import pexpect

_PART = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b[()=>][0-9A-Za-z]?|.", re.DOTALL)


class Glass:
    """Rows without end; the cursor at row `y`, column `x`. `modes` are those that are switched on and off again."""

    def __init__(self, width: int) -> None:
        self.rows: list[list[str]] = [[]]
        self.width, self.y, self.x = width, 0, 0
        self.modes: set[str] = set()

    def feed(self, text: str) -> None:
        for part in _PART.finditer(text):
            self._take(part[0], part[1] or "", part[2] or "")
            while len(self.rows) <= self.y:
                self.rows.append([])

    def _take(self, part: str, given: str, end: str) -> None:
        number = int(given) if given.isdecimal() else 1
        match f"\x1b{end}" if part.startswith("\x1b") else part:
            case "\r":
                self.x = 0
            case "\n":
                self.y += 1
            case "\b":
                self.x = max(0, self.x - 1)
            case "\x1bA":
                self.y = max(0, self.y - number)
            case "\x1bB":
                self.y += number
            case "\x1bC":
                self.x = min(self.width - 1, self.x + number)
            case "\x1bD":
                self.x = max(0, self.x - number)
            case "\x1bK":
                del self.rows[self.y][self.x :]
            case "\x1bJ":
                del self.rows[self.y][self.x :], self.rows[self.y + 1 :]
            case "\x1bh":
                self.modes.add(given)
            case "\x1bl":
                self.modes.discard(given)
            case _ if part.isprintable():
                self._print(part)

    def _print(self, letter: str) -> None:
        wide = 0 if combining(letter) else 1 + (east_asian_width(letter) in "WF")
        if self.x + wide > self.width:
            self.x, self.y = 0, self.y + 1
            self.rows += [[] for _ in range(self.y + 1 - len(self.rows))]
        row = self.rows[self.y]
        row += " " * (self.x - len(row))
        if wide:
            row[self.x : self.x + wide] = [letter, *[""] * (wide - 1)]
            self.x += wide
        elif self.x:
            row[self.x - 1] += letter

    def shown(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.rows if "".join(row).strip()]

    def until(self, child: pexpect.spawn, wanted: str, *, last: bool = True) -> None:
        """Feed what `child` prints until `wanted` is the last row shown, or without `last` in any row."""
        while not (self._at(wanted) if last else any(wanted in row for row in self.shown())):
            child.expect(r"(?s).+")
            self.feed(child.after)

    def _at(self, wanted: str) -> bool:
        """Return whether the last row is `wanted` and the cursor stands in it, free to type."""
        shown = self.shown()
        return (
            bool(shown) and shown[-1] == wanted.rstrip() and "".join(self.rows[self.y]).rstrip() == shown[-1]
        )
