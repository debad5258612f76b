"""What a reader met in another tool's file that whoever imports it should know: counted, with lines, never too many."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

MOST_OF_ONE: Final = 10
"""How many notices of one kind are kept whole."""


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sentence about a file, under a stable `code`; `line` counts from 1, and is None where no line is meant."""

    code: str
    detail: str
    line: int | None = None


class Notices:
    """Notices of one file, in the order in which they came."""

    def __init__(self, place: str = "") -> None:
        self._place = f"{place}: " if place else ""
        self._within: list[Notices] = []
        self._kept: list[Notice] = []
        self._said: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()

    def say(self, code: str, detail: str, line: int | None = None) -> None:
        """Note something; of one kind only the first are kept, and the others counted."""
        self._said[code] += 1
        if self._said[code] <= MOST_OF_ONE:
            self._kept.append(Notice(code=code, detail=self._place + detail, line=line))

    def within(self, place: str) -> Notices:
        """Return the notices of a file that belongs to this one; they are among these."""
        self._within.append(Notices(place))
        return self._within[-1]

    def unknown(self, kind: str) -> None:
        """Note a record of a type that no reader knows."""
        self._kinds[kind[:100] or "(none)"] += 1

    def all(self) -> tuple[Notice, ...]:
        """Return what was noted."""
        more = [
            Notice(code=code, detail=f"{self._place}{said - MOST_OF_ONE:,} more like this.")
            for code, said in self._said.items()
            if said > MOST_OF_ONE
        ]
        below = tuple(notice for one in self._within for notice in one.all())
        return (*self._kept, *more, *self._of_kinds(), *below)

    def _of_kinds(self) -> tuple[Notice, ...]:
        if not self._kinds:
            return ()
        total = sum(self._kinds.values())
        named = ", ".join(f"{kind} ({count:,})" for kind, count in self._kinds.most_common(MOST_OF_ONE))
        more = f" and {len(self._kinds) - MOST_OF_ONE:,} others" if len(self._kinds) > MOST_OF_ONE else ""
        what = "1 record is" if total == 1 else f"{total:,} records are"
        detail = f"{self._place}{what} of unknown type, imported unchanged: {named}{more}."
        return (Notice(code="unknown_type", detail=detail),)
