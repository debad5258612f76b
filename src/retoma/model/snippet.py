"""The piece of a text that shows why it was found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from retoma.model.ranking import Range

__all__ = ["WIDTH", "Snippet", "cut"]

WIDTH: Final = 160
_AHEAD: Final = 4
"""One part in so many of a snippet is what stands ahead of the first mark."""
_SPACE: Final = re.compile(r"\s+")
_MORE: Final = "…"


class Snippet(msgspec.Struct, frozen=True):
    """A piece of a text on one line. `marks` are (start, end) in `text`, in order: what was looked for."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()


def cut(text: str, ranges: Sequence[Range], width: int = WIDTH) -> Snippet:
    """Return at most `width` characters of `text`, around as many different items of the query as fit."""
    start, end = _window(text, ranges, width)
    piece, places = _on_one_line(text, start, end)
    lead = f"{_MORE} " if text[:start].strip() else ""
    marks: list[tuple[int, int]] = []
    for one in ranges:
        if one.start < start or one.end > end:
            continue
        begin, stop = places[one.start - start] + len(lead), places[one.end - start] + len(lead)
        if marks and begin <= marks[-1][1]:
            marks[-1] = (marks[-1][0], max(stop, marks[-1][1]))
        else:
            marks.append((begin, stop))
    tail = f" {_MORE}" if text[end:].strip() else ""
    return Snippet(lead + piece + tail, tuple(marks))


def _window(text: str, ranges: Sequence[Range], width: int) -> tuple[int, int]:
    """Return where the piece begins and ends: at the edges of words, where there are any near."""
    room = width - 2 * (len(_MORE) + 1)
    if not ranges:
        return 0, _back(text, min(len(text), room))
    if len(text) <= width:
        return 0, len(text)
    first, last = _richest(ranges, room)
    start = max(0, first.start - max(0, min(room // _AHEAD, room - (last - first.start))))
    space = _SPACE.search(text, start, first.start) if start > 0 else None
    start = space.end() if space else start
    return start, max(last, _back(text, min(len(text), start + room)))


def _richest(ranges: Sequence[Range], room: int) -> tuple[Range, int]:
    """Return the first range of the stretch with the most different items, then the most ranges; and where it ends."""
    counts: dict[int, int] = {}
    best, most, end = ranges[0], (0, 0), 0
    ahead = 0
    for at, first in enumerate(ranges):
        while ahead < len(ranges) and (ahead <= at or ranges[ahead].end <= first.start + room):
            item = ranges[ahead].item
            counts[item] = counts.get(item, 0) + 1
            ahead += 1
        found = (len(counts), ahead - at)
        if found > most:
            best, most, end = first, found, ranges[ahead - 1].end
        counts[first.item] -= 1
        if not counts[first.item]:
            del counts[first.item]
    return best, end


def _back(text: str, end: int) -> int:
    """Return the end of the last whole word ahead of `end`, if one ends near."""
    if end >= len(text) or text[end].isspace():
        return end
    for at in range(end, max(0, end - 20), -1):
        if text[at - 1].isspace():
            return at - 1
    return end


def _on_one_line(text: str, start: int, end: int) -> tuple[str, list[int]]:
    """Return text[start:end] with each stretch of space as one, and where each of its characters went."""
    out: list[str] = []
    places: list[int] = []
    for letter in text[start:end]:
        space = letter.isspace()
        places.append(len(out))
        if not space or (out and out[-1] != " "):
            out.append(" " if space else letter)
    places.append(len(out))
    line = "".join(out)
    return line.rstrip(), places
