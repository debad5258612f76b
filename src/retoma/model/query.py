"""What a search asks for: words that must all be there, "phrases", begin*, -without. Only no text is no query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from retoma.errors import Invalid
from retoma.model.tokens import run_of, runs

__all__ = ["Atom", "Item", "Query", "parse"]

_ITEM: Final = re.compile(r'(-(?!-))?(?:"([^"]*)"?(\*?)|([^\s"]+))')
_HOW: Final = 'Give at least one word. All words must match; also "a phrase", prefix*, -excluded.'


class Atom(NamedTuple):
    """One term to look for, `place` places behind the first of its item; `typed` is how it was written."""

    term: str
    typed: str
    place: int
    begins: bool = False


class Item(NamedTuple):
    """Terms in a row, one or more; `absent` when a text must not have them.

    They take `places` places, and `last` is the term on the last of them.
    """

    atoms: tuple[Atom, ...]
    places: int
    last: str
    absent: bool = False

    @property
    def terms(self) -> Iterator[str]:
        """Yield what a text that has the item has among its terms."""
        return (atom.term for atom in self.atoms if not atom.begins)

    @property
    def beginnings(self) -> Iterator[str]:
        """Yield what a term of such a text begins with."""
        return (atom.term for atom in self.atoms if atom.begins)

    @property
    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield its terms in a row, two by two."""
        for left, right in pairwise(self.atoms):
            if right.place == left.place + 1 and not right.begins:
                yield left.term, right.term


class Query(NamedTuple):
    """Items, at least one of which is to be there."""

    items: tuple[Item, ...]

    @property
    def wanted(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if not item.absent)

    @property
    def unwanted(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.absent)

    @property
    def in_a_row(self) -> tuple[tuple[str, str], ...]:
        """The pairs of terms of a text that has all that is wanted in a row; empty when that says nothing more."""
        wanted = self.wanted
        return tuple(
            (left.last, right.atoms[0].term)
            for left, right in pairwise(wanted)
            if left.last and not right.atoms[0].begins
        )


def parse(text: str) -> Query:
    """Return what `text` asks for. Raises Invalid when there is nothing in it to look for."""
    items: dict[Item, None] = {}
    for found in _ITEM.finditer(text):
        minus, phrase, star, word = found.groups()
        written = phrase if word is None else word.rstrip("*")
        begins = bool(star) if word is None else word.endswith("*")
        item = _item(written, begins=begins, absent=bool(minus))
        if item.atoms:
            items[item] = None
    query = Query(tuple(items))
    if not items:
        raise Invalid("The search text has no words.", code="empty_query", hint=_HOW)
    if not query.wanted:
        raise Invalid(
            "A search needs at least one word without a minus sign.",
            code="empty_query",
            hint=_HOW,
        )
    return query


def _item(text: str, *, begins: bool, absent: bool) -> Item:
    atoms: list[Atom] = []
    place, last = 0, ""
    for found in runs(text).finditer(text):
        run = run_of(found[0])
        for part in run.row:
            last = part.term
            alone = part.place in run.alone
            # The last of several characters is in the pair ahead of it; one by itself begins whatever has it.
            if alone and part.place and run.row[part.place - 1].end == part.end:
                continue
            typed = found[0][part.start : part.end].lower()
            atoms.append(Atom(part.term, typed, place + part.place, alone))
        place += len(run.row)
    if atoms and (begins or atoms[-1].begins):
        atoms[-1] = atoms[-1]._replace(begins=True)
        last = ""
    return Item(tuple(atoms), place, last, absent)
