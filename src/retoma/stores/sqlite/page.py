"""One b-tree page of a SQLite file: which of its bytes nothing occupies. By https://sqlite.org/fileformat2.html."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

HEADERS: Final = {2: 12, 5: 12, 10: 8, 13: 8}
"""How long a b-tree page's header is, by its first byte: interior pages of indexes and tables, leaves of both."""
_TABLE_INTERIOR, _TABLE_LEAF = 5, 13
_HEADER: Final = Struct(">BHHHB")
_BLOCK: Final = Struct(">HH")
_LEAST_CELL: Final = 4


def unused(page: bytes, header: int = 0) -> Sequence[tuple[int, int]]:
    """Return the stretches (start, end) of a b-tree page that nothing occupies and that are not zero.

    `header` is where the page's header begins: at 100 in the first page. Nothing is returned of a page whose cells,
    free blocks and fragments do not add up.
    """
    kind, block, cells, content, fragments = _HEADER.unpack_from(page, header)
    first = header + HEADERS.get(kind, len(page)) + 2 * cells
    content = content or 1 << 16
    if not first <= content <= len(page):
        return ()
    pointers = Struct(f">{cells}H").unpack_from(page, first - 2 * cells)
    try:
        taken = sorted((at, at + _cell_bytes(page, at, kind)) for at in pointers)
        blocks = _blocks(page, block)
    except IndexError:
        return ()
    spare = [(first, content), *((start + _BLOCK.size, end) for start, end in blocks)]
    at = content
    for start, end in sorted([*taken, *blocks]):
        if start < at:
            return ()
        if start > at:
            spare.append((at, start))
            fragments -= start - at
        at = end
    if at > len(page) or fragments != len(page) - at:
        return ()
    spare.append((at, len(page)))
    return [(start, end) for start, end in spare if any(page[start:end])]


def filled(data: bytes, page: int, block: int) -> bool:
    """Return whether a free block of the page that begins at `page` in `data` has something in it, or may."""
    while block:
        if page + block + _BLOCK.size > len(data):
            return True  # it leads out of the file
        following, size = _BLOCK.unpack_from(data, page + block)
        if data[page + block + _BLOCK.size : page + block + size].strip(b"\0"):
            return True
        if following and following < block + size:
            return True  # it leads back
        block = following
    return False


def _blocks(page: bytes, block: int) -> list[tuple[int, int]]:
    """Return the free blocks. Raises IndexError when their chain leads back or out of the page."""
    found: list[tuple[int, int]] = []
    while block:
        if block + _BLOCK.size > len(page) or (found and block < found[-1][1]):
            raise IndexError(block)
        following, size = _BLOCK.unpack_from(page, block)
        found.append((block, block + max(size, _BLOCK.size)))
        block = following
    return found


def _cell_bytes(page: bytes, at: int, kind: int) -> int:
    """Return how long the cell at `at` is in the page. Raises IndexError when it begins outside of it."""
    start = at
    if HEADERS[kind] == HEADERS[_TABLE_INTERIOR]:
        at += 4  # the page below
    size, at = _number(page, at)
    if kind == _TABLE_INTERIOR:
        return at - start
    if kind == _TABLE_LEAF:
        _, at = _number(page, at)
    here = _local(size, len(page), kind)
    return max(_LEAST_CELL, at - start + here + (4 if here < size else 0))


def _local(size: int, page_bytes: int, kind: int) -> int:
    """Return how many of a payload's bytes are in its cell; the others are in overflow pages."""
    most = page_bytes - 35 if kind == _TABLE_LEAF else (page_bytes - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (page_bytes - 12) * 32 // 255 - 23
    here = least + (size - least) % (page_bytes - 4)
    return here if here <= most else least


def _number(page: bytes, at: int) -> tuple[int, int]:
    """Return the number of variable length at `at`, and where it ends."""
    value = 0
    for n in range(8):
        byte = page[at + n]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    return value << 8 | page[at + 8], at + 9
