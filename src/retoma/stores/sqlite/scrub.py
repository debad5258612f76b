"""The bytes of a SQLite file that nothing occupies, zeroed: copies of deleted content can be in them.

SQLite's `secure_delete` zeroes a cell that is deleted, and a page that becomes free. But when SQLite balances a b-tree
it moves cells between pages, and leaves copies of them in the unallocated space of a page, which lies between the cell
pointers and the first cell. Such a copy can be older than the deletion by any number of commits, so every page is read.

Only bytes that nothing occupies are written. So a kill in the middle, or a page that is written in part, changes no
content. A page whose cells do not add up is damaged: it stays as it is, for `check` to report.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

import apsw

from retoma.stores.sql.statements import Row
from retoma.stores.sqlite.connection import Connection
from retoma.stores.sqlite.page import HEADERS, filled, unused

_CHUNK_BYTES: Final = 1 << 16
_AMBIGUOUS_PAGES: Final = min(HEADERS) << 24
"""An overflow page begins with a page number. In a file with as many pages, it can begin like a b-tree page."""


class Zeroed(NamedTuple):
    """In how many pages something was where nothing is, and how many bytes of them were zeroed."""

    pages: int = 0
    size_bytes: int = 0


def clear(writer: Connection, *, wait_ms: int) -> Zeroed | None:
    """Move the log into the file, and zero what nothing occupies. Durable on return; None when readers are in the way.

    The caller holds the store's write lock, and no transaction. Other connections can have pages from before in their
    caches. They drop these when they see the next commit, so the caller commits before it releases the lock.
    """
    writer.handle.set_busy_timeout(wait_ms)
    try:
        ((busy, _, _),) = writer.run("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        writer.handle.set_busy_timeout(Connection.BUSY_MS)
    if busy:
        return None
    writer.run("BEGIN IMMEDIATE")
    try:
        log = Path(writer.handle.filename_wal)
        # What another program has written meanwhile it could also be moving into the file.
        return None if log.exists() and log.stat().st_size else zero_unused(writer.handle)
    finally:
        if writer.roll_back():
            # This connection's cache has the pages as they were, and would write them again.
            writer.run("PRAGMA shrink_memory")


def zero_unused(handle: apsw.Connection) -> Zeroed:
    """Zero what nothing occupies in the file of `handle`, and sync it. Only while nobody writes and the log is empty.

    It is written through SQLite's own file layer: closing another handle of the file would drop SQLite's locks.
    """
    rows: list[Row] = handle.execute("PRAGMA page_size").fetchall()
    page_bytes: int = rows[0][0]
    flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE, 0]
    file = apsw.VFSFile(handle.open_vfs, handle.filename, flags)
    try:
        pages = file.xFileSize() // page_bytes
        overflow = _overflow(handle) if pages >= _AMBIGUOUS_PAGES else frozenset()
        zeroed: dict[int, int] = {}
        for at, page, header in _suspect(file, page_bytes, pages, overflow):
            for start, end in unused(page, header):
                file.xWrite(bytes(end - start), at + start)
                zeroed[at] = zeroed.get(at, 0) + end - start
        if zeroed:
            file.xSync(apsw.SQLITE_SYNC_FULL)
    finally:
        file.xClose()
    return Zeroed(len(zeroed), sum(zeroed.values()))


def _overflow(handle: apsw.Connection) -> frozenset[int]:
    """Return the numbers of all overflow pages: SQLite reads the whole file for it."""
    rows: list[Row] = handle.execute("SELECT pageno FROM dbstat WHERE pagetype = 'overflow'").fetchall()
    return frozenset(number for (number,) in rows)


def _suspect(
    file: apsw.VFSFile, page_bytes: int, pages: int, overflow: frozenset[int]
) -> Iterator[tuple[int, bytes, int]]:
    """Yield b-tree pages that may have something where nothing is: the place, the page, and where its header begins.

    This loop is what an erasure costs in a large store, so it parses no cells. It compares the space before the first
    cell and the free blocks with zeros; few pages have fragments.
    """
    zeros = bytes(page_bytes)
    headers = Struct(f">BHHHB{page_bytes - 8}x")
    most = _CHUNK_BYTES // page_bytes
    first = file.xRead(page_bytes, 0) if pages else b""
    if first:
        yield 0, first, 100
    for number in range(1, pages, most):
        data = file.xRead(min(most, pages - number) * page_bytes, number * page_bytes)
        at = 0
        for kind, block, cells, content, fragments in headers.iter_unpack(data):
            if kind in HEADERS:
                start = at + HEADERS[kind] + 2 * cells
                end = at + (content or 1 << 16)
                dirty = fragments or data[start:end] != zeros[: end - start]
                if (
                    dirty or (block and filled(data, at, block))
                ) and number + at // page_bytes + 1 not in overflow:
                    yield number * page_bytes + at, data[at : at + page_bytes], 0
            at += page_bytes
