"""The shared statements as PostgreSQL takes them: made once from the text that SQLite runs, and kept."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from retoma.stores.sql.statements import FRAGMENTS, STATEMENTS, Value, Values, read

OWN = read("queries/postgresql")[0].whole()
"""What only PostgreSQL is asked, and what stands in the place of a shared statement."""

_LOCKING = {
    "session_head": "FOR UPDATE",
    "sessions_of_uid": "ORDER BY pk FOR UPDATE",
    "incoming_token": "FOR UPDATE",
    "stale_incoming": "FOR UPDATE",
    "doomed": "FOR UPDATE",
    "erasing": "FOR UPDATE",
    "trash_due": "FOR UPDATE",
    "hold_blob": "FOR UPDATE",
    "hold_flow_version": "FOR UPDATE",
}
"""What a transaction that writes locks as it reads: it decides by these rows. On SQLite writers follow one another."""

_KEPT = {
    "add_event": ("kept_event", (0, -1)),
    "put_lease": ("kept_lease", (0, 1, 2)),
    "add_name": ("kept_name", (0, 1, 2)),
    "hide_session": ("kept_deletion", (0,)),
    "drop_session": ("kept_drop", (0,)),
}
"""Statements that leave a mark no other transaction leaves, and how it is looked for when COMMIT's answer was lost."""

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
    adapted, names = _adapted(OWN.get(name, text))
    return Statement(adapted, name, names, bool(_ROWS.match(adapted)))


@lru_cache(maxsize=1_024)
def writing(text: str) -> Statement:
    """Return a shared statement for a transaction that writes: with its locks, and its mark."""
    plain = reading(text)
    locked = f"{plain.text} {_LOCKING[plain.name]}" if plain.name in _LOCKING else plain.text
    alone = (
        plain.names.index("tenant")
        if text.startswith(_COUNT)
        else 0
        if plain.name == "sessions_of_uid"
        else None
    )
    return plain._replace(text=locked, alone=alone, mark=_KEPT.get(plain.name))


@lru_cache(maxsize=64)
def own(name: str) -> Statement:
    """Return one of PostgreSQL's own statements."""
    text, names = _adapted(OWN[name])
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
