"""How well a text answers a query: a number that is the same on every machine and for every database."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Sequence
from typing import Final, NamedTuple

from retoma.model.query import Query
from retoma.model.times import DAY, HOUR, WEEK
from retoma.model.tokens import TERM_LENGTH, run_of, runs

__all__ = ["IN_TITLE", "Judge", "Range", "recency"]

IN_TITLE: Final = 20
"""What a title that has all of a query is worth more than a message."""
_IN_A_ROW: Final = 24
_NEAR: Final = 16
_AS_TYPED: Final = 6
_SHORT: Final = 14
_OFTEN: Final = 8
_ANCHORS: Final = 50
_MOST_KNOWN: Final = 50_000
_AGES: Final = ((HOUR, 10), (DAY, 8), (WEEK, 6), (30 * DAY, 4), (90 * DAY, 3), (365 * DAY, 2))


class Range(NamedTuple):
    """Where in a text an item of the query stands; `item` is its number."""

    start: int
    end: int
    item: int


class _Hit(NamedTuple):
    """A part of a run that an atom means: its place and its stretch there, and whether it is written as typed."""

    place: int
    atom: int
    as_typed: bool
    start: int
    end: int


def recency(at: int, now: int) -> int:
    """Return what a text is worth for its age: `at` and `now` are milliseconds UTC."""
    return next((worth for age, worth in _AGES if now - at < age), 0)


class Judge:
    """Holds texts against one query."""

    def __init__(self, query: Query) -> None:
        self._items = query.items
        self._atoms = [(number, atom) for number, item in enumerate(query.items) for atom in item.atoms]
        self._terms: dict[str, list[int]] = {}
        for number, (_, atom) in enumerate(self._atoms):
            if not atom.begins:
                self._terms.setdefault(atom.term, []).append(number)
        beginnings = tuple(atom.term for _, atom in self._atoms if atom.begins)
        self._known = _Known(self, self._terms, beginnings)

    def relevance(self, text: str) -> int | None:
        """Return how well `text` answers, or None when it does not have what is wanted, or has what is not."""
        places: list[list[int]] = [[] for _ in self._atoms]
        as_typed = [item.absent for item, _ in ((self._items[number], atom) for number, atom in self._atoms)]
        at, known = 0, self._known
        for run in runs(text).findall(text):
            found = known[run]
            if isinstance(found, int):
                at += found
                continue
            length, hits = found
            for hit in hits:
                places[hit.atom].append(at + hit.place)
                as_typed[hit.atom] |= hit.as_typed
            at += length
        wanted = self._wanted(places)
        if wanted is None:
            return None
        often = sum(min(len(starts), _OFTEN).bit_length() for starts in wanted.values())
        return (
            3 * often // len(wanted)
            + max(0, _SHORT - at.bit_length())
            + self._nearness(wanted)
            + _AS_TYPED * all(as_typed)
        )

    def ranges(self, text: str) -> list[Range]:
        """Return where in `text` what is wanted stands, in order; nothing when it does not have all of it."""
        places: list[list[int]] = [[] for _ in self._atoms]
        found: list[tuple[int, int, int, int]] = []
        at = 0
        for run in runs(text).finditer(text):
            here = self._known[run[0]]
            if isinstance(here, int):
                at += here
                continue
            for hit in here[1]:
                places[hit.atom].append(at + hit.place)
                found.append((hit.atom, at + hit.place, run.start() + hit.start, run.start() + hit.end))
            at += here[0]
        wanted = self._wanted(places) or {}
        ranges = [
            Range(start, end, item)
            for number, place, start, end in found
            for item, atom in [self._atoms[number]]
            if place - atom.place in wanted.get(item, ())
        ]
        return sorted(set(ranges))

    def look(self, text: str) -> tuple[int, tuple[_Hit, ...]]:
        """Return how many places a run takes, and what in it is asked for."""
        row, wholes, _ = run_of(text)
        hits = []
        for part in (*row, *wholes):
            numbers = list(self._terms.get(part.term, ()))
            numbers += [
                n
                for n, (_, atom) in enumerate(self._atoms)
                if atom.begins and part.term.startswith(atom.term)
            ]
            for number in numbers:
                typed = self._atoms[number][1].typed
                as_typed = text[part.start : part.end].lower().startswith(typed)
                after = row[part.place + 1 : part.place + 2]
                overlaps = len(typed) == 1 and bool(after) and after[0].start < part.end
                end = part.start + 1 if overlaps else part.end
                hits.append(_Hit(part.place, number, as_typed, part.start, end))
        return len(row), tuple(hits)

    def _wanted(self, places: Sequence[Sequence[int]]) -> dict[int, set[int]] | None:
        """Return where each wanted item begins; None when one is missing, or one that must be missing is there."""
        begins: dict[int, set[int]] = {}
        for (item, atom), found in zip(self._atoms, places, strict=True):
            here = {place - atom.place for place in found}
            begins[item] = begins[item] & here if item in begins else here
        for number, wanted in enumerate(self._items):
            if bool(begins[number]) is wanted.absent:
                return None
        return {item: starts for item, starts in begins.items() if starts}

    def _nearness(self, wanted: dict[int, set[int]]) -> int:
        """Return what it is worth that several items stand in a row, or near each other."""
        if len(wanted) < 2:
            return 0
        row = {0}
        after = 0
        for position, (number, starts) in enumerate(wanted.items()):
            moved = {start - after for start in starts}
            row = moved if position == 0 else row & moved
            after += self._items[number].places
        if row:
            return _IN_A_ROW
        lists = sorted((sorted(starts) for starts in wanted.values()), key=len)
        anchors, others = lists[0][:_ANCHORS], lists[1:]
        span = min(_span(anchor, others) for anchor in anchors)
        return max(0, _NEAR - 2 * max(0, span - after + 1).bit_length())


class _Known(dict[str, "int | tuple[int, tuple[_Hit, ...]]"]):
    """What a judge finds in each run; words come again and again. Of a run with nothing: how many places it takes."""

    def __init__(self, judge: Judge, terms: Container[str], beginnings: tuple[str, ...]) -> None:
        self._judge = judge
        self._terms = terms
        self._beginnings = beginnings

    def __missing__(self, run: str) -> int | tuple[int, tuple[_Hit, ...]]:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        # Most runs are one word that nobody asked for: they are told apart with as little as can be.
        if run.isascii() and run.isalpha() and (run.islower() or run[1:].islower()):
            term = run.lower()[:TERM_LENGTH]
            if term not in self._terms and not term.startswith(self._beginnings):
                self[run] = 1
                return 1
        length, hits = self._judge.look(run)
        found = self[run] = (length, hits) if hits else length
        return found


def _span(anchor: int, others: Sequence[Sequence[int]]) -> int:
    """Return how far the nearest of each of `others` lie apart, with the anchor."""
    low = high = anchor
    for places in others:
        at = bisect_left(places, anchor)
        nearest = min(places[max(0, at - 1) : at + 1], key=lambda place: abs(place - anchor))
        low, high = min(low, nearest), max(high, nearest)
    return high - low
