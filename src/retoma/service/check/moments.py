"""What was proved up to a row at which forks begin: each goes on from there, and its past is not read again."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from retoma.model.branch import Line, Segment
from retoma.model.ids import SessionKey
from retoma.model.ledger import Ledger

MOST: Final = 256
"""How many moments are kept; a fork that begins at none of them begins at the one before, and reads on from there."""


class Moment(msgspec.Struct, frozen=True):
    """A line from its `base` (seq and hash) to event `seq`, in which nothing is wrong: its hash, what it says.

    `past` has the stretches before the one that has the event: another line shares the moment when it shares them.
    """

    base: tuple[int, bytes]
    seq: int
    hash: bytes
    ledger: Ledger
    past: tuple[Segment, ...] = ()


class Moments:
    """Moments by the journal that has the row, and its seq. The one that was used least lately goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[SessionKey, int], Moment] = OrderedDict()
        self._seqs: dict[SessionKey, list[int]] = {}

    def keep(self, source: SessionKey, moment: Moment) -> None:
        """Keep what is known at a row of the journal `source`."""
        place = source, moment.seq
        if place not in self._kept:
            insort(self._seqs.setdefault(source, []), moment.seq)
        self._kept[place] = moment
        self._kept.move_to_end(place)
        if len(self._kept) > MOST:
            (gone, seq), _ = self._kept.popitem(last=False)
            self._seqs[gone].remove(seq)

    def nearest(self, line: Line, base: tuple[int, bytes]) -> Moment | None:
        """Return the last moment of the past that a fork shares; None when there is none with that base."""
        for before, piece in reversed([*enumerate(line.segments[:-1])]):
            seqs = self._seqs.get(piece.source, ())
            at = bisect_right(seqs, piece.last)
            if at and seqs[at - 1] >= piece.first:
                place = piece.source, seqs[at - 1]
                self._kept.move_to_end(place)
                moment = self._kept[place]
                return moment if (moment.base, moment.past) == (base, line.segments[:before]) else None
        return None


def thinned(points: Sequence[int]) -> frozenset[int]:
    """Return so many of the points as can be kept, the last one and others evenly before it."""
    every = -(-len(points) // MOST) or 1
    return frozenset(points[::-1][::every])
