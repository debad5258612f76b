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
]

_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_GAP = "  "
_NARROWEST = 6

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
    room = None if width is None else max(width - len(lead), _NARROWEST)
    whole = clean(text, lines=False) if room is not None else text
    lines, left = [], whole.split(" ") if room is not None else [text]
    while left:
        line = left.pop(0)
        while left and (room is None or width_of(line) + 1 + width_of(left[0]) <= room):
            line += f" {left.pop(0)}"
        while room is not None and width_of(line) > room:
            cut = next(at for at in range(len(line), 0, -1) if width_of(line[:at]) <= room)
            lines.append(line[:cut])
            line = line[cut:]
        lines.append(line)
    return [f"{lead if at == 0 else ' ' * len(lead)}{line}" for at, line in enumerate(lines)]


def columns(rows: Sequence[Sequence[Cell]], *, width: int | None, colour: bool) -> list[str]:
    """Return one line per row with aligned cells. A column that is empty in every row is left out.

    With a `width`, the widest columns are shortened until a line fits.
    """
    plain = [[clean(_text(cell), lines=False) for cell in row] for row in rows]
    count = max(map(len, plain), default=0)
    widths = [max((width_of(row[i]) for row in plain if i < len(row)), default=0) for i in range(count)]
    if width is not None:
        widths = _shrunk(widths, width)
    lines: list[str] = []
    for row, texts in zip(rows, plain, strict=True):
        line, left = "", width
        for cell, text, room in zip(row, texts, widths, strict=False):
            if not room:
                continue  # empty in every row: it takes no gap either
            space = room if left is None else min(room, max(left, 0))
            shown = fit(text, space)
            padding = " " * (space - width_of(shown)) + _GAP
            line += (
                painted(shown if isinstance(cell, str) else cell._replace(text=shown), colour=colour)
                + padding
            )
            left = None if left is None else left - space - len(_GAP)
        lines.append(line.rstrip())
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


def _shrunk(widths: list[int], width: int) -> list[int]:
    shrunk = list(widths)
    room = width - len(_GAP) * (sum(map(bool, widths)) - 1)
    while sum(shrunk) > room and max(shrunk) > _NARROWEST:
        shrunk[shrunk.index(max(shrunk))] -= 1
    return shrunk
