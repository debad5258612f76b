"""The terms of documents in SQLite's full-text index, FTS5.

What is forgotten is taken out of the pages of the index where it is, term by term. When much is, the segments of the
index are merged first: each term is sought in each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import apsw
from blake3 import blake3

from retoma.errors import Integrity
from retoma.stores.sql.search import Terms
from retoma.stores.sql.statements import STATEMENTS, Run, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retoma.stores.contract.search import Wanted

OWN: Final = read("queries/sqlite")[0]

_SETTINGS: Final = {
    "secure-delete": 1,
    # Merging is work of its own, in small pieces, and not of whoever commits.
    "automerge": 0,
    "crisismerge": 256,
    "usermerge": 8,
    # A page is a row, and this is the most that is not spread over two pages of the file.
    "pgsz": 1_950,
}
_PAGES: Final = 128
"""How many pages a piece of merging writes: an indexing step adds about 25, and each is merged three or four times."""
_MANY: Final = 32
"""When so many documents are forgotten, and one of each 512, the whole index is merged first."""
_MANY_DOCS: Final = 128
"""So many are taken out at once then."""
_DOCS: Final = 500
_ALL: Final = (1 << 64) - 1


class Fts5(Terms):
    """The terms of documents in FTS5."""

    def prepare(self, run: Run) -> None:
        for name, value in _SETTINGS.items():
            run(OWN["set"], (name, value))

    def put(self, run: Run, doc: int, text: str) -> None:
        run(OWN["put_terms"], (doc, text))

    def merge(self, run: Run) -> None:
        run(OWN["set"], ("merge", _PAGES))

    def asked(self, wanted: Wanted) -> str:
        in_rows = {term for row in wanted.rows for term in row}
        asked = [_quoted(f"{left} {right}") for left, right in wanted.rows]
        asked += [_quoted(term) for term in wanted.terms if term not in in_rows]
        asked += [f"{_quoted(begins)} *" for begins in wanted.beginnings]
        asked += [_either(wanted.any_of)] if wanted.any_of else []
        query = " AND ".join(asked)
        return f"({query}) NOT {_either(wanted.none_of)}" if wanted.none_of else query

    def ask(self, run: Run, wanted: Wanted, *, low: int, high: int, limit: int) -> list[int]:
        with _legible():
            return super().ask(run, wanted, low=low, high=high, limit=limit)

    def clean(self, run: Run, *, docs: int) -> bool:
        with _legible():
            return self._clean(run, docs)

    def _clean(self, run: Run, docs: int) -> bool:
        if run(OWN["many_forgotten"], (_MANY,))[0][0]:
            ((before,),) = run(OWN["changes"])
            run(OWN["set"], ("merge", -4 * _PAGES))
            # FTS5's own documentation: a merge that changes fewer than two rows had nothing to do.
            if run(OWN["changes"])[0][0] - before > 1:
                return True
            docs = _MANY_DOCS
        forgotten = run(OWN["forgotten"], (docs,))
        for doc, terms in forgotten:
            run(OWN["take_terms"], (doc, terms))
            run(OWN["drop_doc"], (doc,))
        if forgotten:
            # Pages are written when the transaction ends, or when that is asked for.
            run(OWN["flush"])
            for segment in _merged(run(OWN["structure"])[0][0]):
                run(OWN["drop_segment"], (segment,))
                run(OWN["drop_keys"], (segment,))
            _hide(run, {term for _, text in forgotten for term in text.split(" ")})
        return bool(forgotten)

    def clear(self, run: Run) -> None:
        run(OWN["drop_blocks"])
        run(OWN["set_version"])
        run(OWN["set"], ("delete-all", 0))
        self.prepare(run)

    def wrong(self, run: Run) -> str:
        if run(OWN["setting"], ("secure-delete",)) != [(1,)]:
            return "it would keep erased terms"
        try:
            # A connection learns what others changed when it searches, and not when it checks.
            run(STATEMENTS["search_ask"], (0, 1, _quoted("a"), 1))
            if run(OWN["is_whole"]) != [("ok",)]:
                return "SQLite finds damage in it"
            if _misplaced(run):
                return "a page of it is not found by its terms"
            kept = sum(_of(term) * _weight(*sums) for term, *sums in run(OWN["sums"]))
        except (apsw.Error, IndexError, TypeError):
            return "part of it cannot be read"
        return "" if (kept - _wanted(run)) & _ALL == 0 else "its terms differ from its documents"


def _misplaced(run: Run) -> bool:
    """Return whether a page has no key, or one that would lead terms of another page to it. FTS5 checks neither."""
    at, last = 0, b""
    while found := run(OWN["pages"], (at, _DOCS)):
        for page, key, block in found:
            # What is before all keys of a segment is looked for on its first page.
            first = page >> 37 != at >> 37
            terms = [*_terms(block)]
            if (
                terms
                and not (first and key is None)
                and (key is None or key > terms[0] or not (first or key > last))
            ):
                return True
            at, last = page, terms[-1] if terms else b"" if first else last
    return False


def _wanted(run: Run) -> int:
    """Return what the sums of the index should be."""
    total, after = 0, -1
    while found := run(OWN["docs"], (after, _DOCS)):
        after = found[-1][0]
        for doc, terms in found:
            base = _weight(1, doc & 0xFFFFF, doc >> 20, 0)
            for place, term in enumerate(terms.split(" ")):
                total += _of(term) * (base + place * _PLACE)
    return total


_PLACE: Final = 0x9E3779B97F4A7C15


def _weight(count: int, low: int, high: int, place: int) -> int:
    return count * 0x632BE59BD9B4E019 + low * 0xD6E8FEB86659FD93 + high * 0xA0761D6478BD642F + place * _PLACE


@lru_cache(maxsize=65_536)
def _of(term: str) -> int:
    return int.from_bytes(blake3(term.encode()).digest(8))


@contextmanager
def _legible() -> Iterator[None]:
    try:
        yield
    except apsw.CorruptError:
        raise Integrity(
            "The search index is damaged.",
            code="damaged_index",
            hint="`retoma store check --repair` rebuilds it. The journals are not changed.",
        ) from None


def _either(terms: Iterable[str]) -> str:
    return f"({' OR '.join(map(_quoted, terms))})"


def _quoted(terms: str) -> str:
    return f'"{terms}"'  # no term has a quotation mark


# What FTS5 leaves in its tables: fts5_index.c says how they are written


def _merged(structure: bytes) -> list[int]:
    """Return the segments that a merge has read to the end. FTS5 drops them when the merge itself has ended."""
    levels, at = _varint(structure, 4)
    for _ in range(2):  # how many segments there are, and how many pages were written
        _, at = _varint(structure, at)
    found: list[int] = []
    for _ in range(levels):
        _, at = _varint(structure, at)
        count, at = _varint(structure, at)
        for _ in range(count):
            segment, at = _varint(structure, at)
            _, at = _varint(structure, at)
            last, at = _varint(structure, at)
            found += [] if last else [segment]
    return found


def _hide(run: Run, terms: Iterable[str]) -> None:
    """Let no key of a page hold what was a beginning of these terms, and is one of no term on the page any more.

    FTS5 finds a page by the beginning of what was its first term, and keeps that when the term itself is taken out.
    """
    for term in terms:
        for segment, key, block in run(OWN["keys"], (b"0" + term.encode(),)):
            first = next(_terms(block or b""), b"")
            if not first:
                run(OWN["drop_key"], (segment, key))
            elif not first.startswith(key):
                run(OWN["set_key"], (first, segment, key))


def _terms(block: bytes) -> Iterator[bytes]:
    """Yield the terms that begin on a page."""
    place, at, term = int.from_bytes(block[2:4]), 0, b""
    while place < len(block):
        step, place = _varint(block, place)
        shared, start = _varint(block, at + step) if at else (0, step)
        at += step
        size, start = _varint(block, start)
        term = term[:shared] + block[start : start + size]
        yield term


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number, of less than 9 bytes, and where it ends."""
    number = 0
    while True:
        number = number << 7 | data[at] & 0x7F
        at += 1
        if data[at - 1] < 0x80:
            return number, at
