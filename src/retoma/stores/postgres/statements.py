"""The shared statements as PostgreSQL takes them: made once from the text that SQLite runs, and kept.

Where PostgreSQL needs another text, it stands beneath the statement (`-- postgresql: NAME`). Comments there say more:

- `locks`: what a transaction that writes adds, because it decides by these rows. SQLite has one writer at a time.
- `alone`: the place of the tenant among the values of a statement that no two writers may run at once.
- `kept`: a statement that finds the mark which this one leaves, and which of this one's values it takes. It is run when
  the answer to COMMIT was lost.
- `grouped`: what a group of writers runs for all of them at once, or that each is run as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from retoma.stores.sql.statements import FRAGMENTS, ON_POSTGRESQL, STATEMENTS, Value, Values, read

_OWN = read("queries/postgresql")[0].whole()
"""What only PostgreSQL is asked."""
_INSTEAD = ON_POSTGRESQL.whole()
_LOCKS, _ALONE = STATEMENTS.noted("locks"), STATEMENTS.noted("alone")
_KEPT = {
    name: (kept.split()[0], tuple(map(int, kept.split()[1:])))
    for name, kept in STATEMENTS.noted("kept").items()
}
GROUPED = STATEMENTS.noted("grouped")

_NAMES = {text: name for name, text in STATEMENTS.whole().items()}
_COUNT = FRAGMENTS["count"].partition("{")[0]
_PLACE = re.compile(r"\?(\d*)|(?<!:):(\w+)")
_INDEXED = re.compile(r" INDEXED BY \w+")
_ROWS = re.compile(r"SELECT\b|WITH\b|.*\bRETURNING\b", re.DOTALL)

Mark: TypeAlias = "tuple[str, tuple[int, ...]]"


class Statement(NamedTuple):
    """A statement with $1, $2 …; `names` of a mapping's values in that order.

    `alone` says where the tenant stands among the values of one that no two writers may run at once.
    """

    text: str
    name: str
    names: tuple[str, ...]
    has_rows: bool
    alone: int | None = None
    mark: Mark | None = None

    def bound(self, values: Values) -> list[Value]:
        """Return the values in the order of the places."""
        if isinstance(values, dict):
            return [values[name] for name in self.names]
        return list(values)


@lru_cache(maxsize=1_024)
def reading(text: str) -> Statement:
    """Return a shared statement for a transaction that only reads."""
    name = _NAMES.get(text, "")
    adapted, names = _adapted(_INSTEAD.get(name, text))
    return Statement(adapted, name, names, bool(_ROWS.match(adapted)))


@lru_cache(maxsize=1_024)
def writing(text: str) -> Statement:
    """Return a shared statement for a transaction that writes: with its locks, and its mark."""
    plain = reading(text)
    locked = f"{plain.text} {_LOCKS.get(plain.name, '')}".rstrip()
    alone = plain.names.index("tenant") if text.startswith(_COUNT) else None
    if plain.name in _ALONE:
        alone = int(_ALONE[plain.name])
    return plain._replace(text=locked, alone=alone, mark=_KEPT.get(plain.name))


@lru_cache(maxsize=64)
def own(name: str) -> Statement:
    """Return one of PostgreSQL's own statements."""
    text, names = _adapted(_OWN[name])
    return Statement(text, name, names, bool(_ROWS.match(text)))


def _adapted(text: str) -> tuple[str, tuple[str, ...]]:
    names: list[str] = []
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        number, name = found.groups()
        if name is None:
            count += 1
            return f"${number or count}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    # CROSS JOIN is SQLite's word for an order that its planner must keep, INDEXED BY that for an index.
    plain = _INDEXED.sub("", text.replace(" CROSS JOIN ", " JOIN "))
    return _PLACE.sub(place, plain), tuple(names)
