"""The terms of documents in PostgreSQL: a tsvector of them, and of each two in a row, under a GIN index."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zlib import crc32

from retoma.stores.sql.search import Terms

if TYPE_CHECKING:
    from retoma.stores.contract.search import Wanted

_ROWS: Final = 0xF0000
"""Two terms in a row are one character from here on: none of a script, so no term has it."""
_MOST_BYTES: Final = 1 << 19
_LONG: Final = "\ue000l"
"""What a document has in place of terms that are more than a tsvector takes: it may answer anything."""


class Tsvector(Terms):
    """The terms of documents in tsvectors. A row that goes takes them along: nothing is left to be cleaned."""

    def stored(self, text: str) -> str:
        terms = text.split(" ")
        lexemes = " ".join(dict.fromkeys((*terms, *map(_row, pairwise(terms)))))
        return lexemes if len(lexemes.encode()) < _MOST_BYTES else _LONG

    def asked(self, wanted: Wanted) -> str:
        asked = [_quoted(_row(row)) for row in wanted.rows]
        asked += map(_quoted, dict.fromkeys((*(term for row in wanted.rows for term in row), *wanted.terms)))
        asked += [f"{_quoted(begins)}:*" for begins in wanted.beginnings]
        asked += [_either(wanted.any_of)] if wanted.any_of else []
        asked += [f"!{_either(wanted.none_of)}"] if wanted.none_of else []
        return f"({' & '.join(asked)}) | {_quoted(_LONG)}"


def _row(pair: tuple[str, str]) -> str:
    return chr(_ROWS + (crc32(" ".join(pair).encode()) & 0xFFFF))


def _either(terms: Iterable[str]) -> str:
    return f"({' | '.join(map(_quoted, terms))})"


def _quoted(term: str) -> str:
    return f"'{term}'"  # no term has a quotation mark or a backslash
