"""The line of a journal: which stretches of it are another journal's rows. Forks share their past this way."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from retoma.model.ids import SessionKey

END: Final = (1 << 32) - 1
"""Behind the last seq that a journal can have."""


class Segment(NamedTuple):
    """Events `first` to `last` of a line: rows of the journal with the number `source`."""

    first: int
    last: int
    source: SessionKey


class Line:
    """A journal's stretches in order, its own last: `inherited` ones, then what the journal `key` has itself.

    Nothing is in a line up to `base`: it was cut off there.
    """

    def __init__(self, key: SessionKey, inherited: Sequence[Segment], base: int, head: int) -> None:
        begins = (inherited[-1].last if inherited else base) + 1
        self.segments = (*inherited, Segment(begins, head, key))
        self.inherited_until = begins - 1

    def source(self, seq: int) -> SessionKey:
        """Return the number of the journal that has the row of event `seq`."""
        at = bisect_left(self.segments, seq, key=lambda one: one.last)
        return self.segments[min(at, len(self.segments) - 1)].source

    def pieces(self, after: int, until: int) -> list[Segment]:
        """Return the stretches behind `after`, up to `until` and with it."""
        return [
            Segment(max(one.first, after + 1), min(one.last, until), one.source)
            for one in self.segments
            if one.last > after and one.first <= until
        ]


def shared(one: Line, other: Line) -> int:
    """Return the last event that two lines have in common, 0 when they have none: the same row in both."""
    last = 0
    for a, b in zip(one.segments, other.segments, strict=False):
        if (a.source, a.first) != (b.source, b.first):
            break
        last = max(last, min(a.last, b.last))
        if a.last != b.last:
            break
    return last
