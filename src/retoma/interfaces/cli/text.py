"""Text for a terminal: made safe, measured, aligned in columns, coloured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

__all__ = [
    "Cell",
    "Styled",
    "clean",
    "columns",
    "counted",
    "escaped",
    "fit",
    "listed",
    "number",
    "painted",
    "size",
    "width_of",
    "wrapped",
]

_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_GAP = "  "
_NARROWEST = 6
_ROOM_BESIDE = 16
"""How far a column beside one that must not be cut is shortened, before it goes below it instead."""
_BELOW = "    "

# Escape sequences could repaint the screen or type for the reader, and what turns the writing's direction could show
# another text than is there. C0 is shown by its picture.
_UNSAFE = {code: chr(0x2400 + code) for code in range(32)} | dict.fromkeys(
    (
        *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x2070),
        *range(0xFFF9, 0xFFFC),
    ),
    "�",
)  # fmt: skip
_UNSAFE_IN_LINES = {code: shown for code, shown in _UNSAFE.items() if code not in (9, 10)}
_UNSAFE_IN_JSON = {code: f"\\u{code:04x}" for code in _UNSAFE_IN_LINES}
_UNSAFE_IN_CELLS = _UNSAFE | {9: " ", 10: " ", 13: " "}


class Styled(NamedTuple):
    """Text with a style (`bold`, `dim`, `red`, `green`, `yellow`, `cyan`), which is shown only where colours are
    supported."""

    text: str
    style: str


Cell: TypeAlias = str | Styled


def clean(text: str, *, lines: bool = True) -> str:
    """Return `text` without control sequences. With `lines`, tabs and line breaks stay."""
    if text.isprintable() and text.isascii():
        return text
    return text.replace("\r\n", "\n").translate(_UNSAFE_IN_LINES if lines else _UNSAFE_IN_CELLS)


def escaped(json: str) -> str:
    """Return JSON with control characters escaped in its strings, which does not change its meaning."""
    return json.translate(_UNSAFE_IN_JSON)


def painted(part: Cell, *, colour: bool, lines: bool = True) -> str:
    """Return `part` cleaned, in its style if colours are supported."""
    if isinstance(part, str):
        return clean(part, lines=lines)
    text = clean(part.text, lines=lines)
    return f"\x1b[{_SGR[part.style]}m{text}\x1b[0m" if colour and text else text


def width_of(text: str) -> int:
    """Return the width of `text` on a terminal, in columns."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(letter) else 1 + (east_asian_width(letter) in "WF") for letter in text)


def fit(text: str, width: int) -> str:
    """Return `text` cut to `width` columns. If text was cut, the last column is `…`."""
    if width_of(text) <= width:
        return text
    while text and width_of(text) >= width:
        text = text[:-1]
    return text + "…" if width > 0 else ""


def listed(number: int, text: str, *, width: int | None) -> list[str]:
    """Return the lines of an option with its number. With a `width`, the text is wrapped and indented."""
    lead = f"  {number}  "
    if width is None:
        return [f"{lead}{text}"]
    lines = wrapped(clean(text, lines=False), max(width - len(lead), _NARROWEST))
    return [f"{lead if at == 0 else ' ' * len(lead)}{line}" for at, line in enumerate(lines)]


def wrapped(text: str, room: int) -> list[str]:
    """Return `text` as lines of at most `room` columns, broken at spaces, and within a word that is longer."""
    lines, line, used = [], "", 0
    for at, word in enumerate(text.split(" ")):
        size = width_of(word)
        if at and used + 1 + size <= room:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if at:
            lines.append(line)
        *full, line = _pieces(word, room) if size > room else [word]
        lines += full
        used = width_of(line)
    return [*lines, line]


def _pieces(word: str, room: int) -> list[str]:
    pieces, begun, used = [], 0, 0
    for at, letter in enumerate(word):
        size = width_of(letter)
        if used + size > room and at > begun:
            pieces.append(word[begun:at])
            begun, used = at, 0
        used += size
    return [*pieces, word[begun:]]


def columns(
    rows: Sequence[Sequence[Cell]], *, width: int | None, colour: bool, whole: int | None = None
) -> list[str]:
    """Return aligned lines, one per row. A column that is empty in every row is left out.

    With a `width`, the widest columns are shortened until a line fits, but never the column `whole`, which has the ids:
    where the other columns do not fit beside it, they go on a line below it.
    """
    plain = [[clean(_text(cell), lines=False) for cell in row] for row in rows]
    count = max(map(len, plain), default=0)
    widths = [max((width_of(row[i]) for row in plain if i < len(row)), default=0) for i in range(count)]
    if width is not None:
        widths = _shrunk(widths, width, whole)
        if whole is not None and _total(widths) > width:
            return _stacked(rows, width=width, colour=colour, whole=whole)
    lines: list[str] = []
    for row, texts in zip(rows, plain, strict=True):
        line, left = "", width
        for at, (cell, text, room) in enumerate(zip(row, texts, widths, strict=False)):
            if not room:
                continue  # empty in every row: it takes no gap either
            space = room if left is None or at == whole else min(room, max(left, 0))
            shown = fit(text, space)
            padding = " " * (space - width_of(shown)) + _GAP
            line += (
                painted(shown if isinstance(cell, str) else cell._replace(text=shown), colour=colour)
                + padding
            )
            left = None if left is None else left - space - len(_GAP)
        lines.append(line.rstrip())
    return lines


def _stacked(rows: Sequence[Sequence[Cell]], *, width: int, colour: bool, whole: int) -> list[str]:
    others = [[cell for at, cell in enumerate(row) if at != whole] for row in rows]
    below = columns(others, width=width - len(_BELOW), colour=colour)
    lines: list[str] = []
    for row, line in zip(rows, below, strict=True):
        lines.append(painted(row[whole], colour=colour, lines=False))
        lines += [_BELOW + line] if line else []
    return lines


def number(value: int) -> str:
    """Return `1,204`, for people. JSON has no separators."""
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """Return `1 event`, `1,204 events`."""
    return f"{number(value)} {noun}" + ("s" if value != 1 else "")


def size(size_bytes: int) -> str:
    """Return `412 MB` or `1.5 kB`: decimal units, and two digits for a number below ten."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.1f} {unit}" if unit != "B" and value < 9.95 else f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (sum(map(bool, widths)) - 1)


def _shrunk(widths: list[int], width: int, whole: int | None) -> list[int]:
    shrunk = list(widths)
    least = _NARROWEST if whole is None else _ROOM_BESIDE
    others = [at for at in range(len(widths)) if at != whole]
    while _total(shrunk) > width and others:
        widest = max(others, key=shrunk.__getitem__)
        if shrunk[widest] <= least:
            break
        shrunk[widest] -= 1
    return shrunk
