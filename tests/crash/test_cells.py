"""One cell of a store changed through SQL: `check` finds it, or no read returns another value for it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import apsw
from tests.crash.rich import rich_store
from tests.crash.test_flips import difference, placed, remove, seen
from tests.crash.trials import SEED, client_at, quick_directory, record, trials

from retoma.errors import RetomaError
from retoma.service.check.columns import UNTOLD
from retoma.service.check.store import check

CHANGES = 10_000
HANGS_S = 60
"""A check that takes more CPU goes round: the timer ends the run."""
HIDDEN = ("broken", "keyed")
"""Sessions that no list shows, and one that a key leads to."""

Value = None | int | float | str | bytes


class Change(NamedTuple):
    """A statement that changes one cell, or deletes or repeats one row, of a table."""

    table: str
    column: str
    what: str
    statement: str
    values: tuple[Value, ...]


def cells(file: Path) -> list[tuple[str, str]]:
    """Return the columns of all tables, each also with a row as a whole, as `*`."""
    connection = apsw.Connection(str(file))
    try:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        return [
            (table, column)
            for table in sorted(names)
            for column in ("*", *(row[1] for row in connection.execute(f"PRAGMA table_info({table})")))
            if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()
        ]
    finally:
        connection.close()


def change(connection: apsw.Connection, table: str, column: str, chance: random.Random) -> Change:
    """Return a change of a row taken by chance."""
    info = list(connection.execute(f"PRAGMA table_info({table})"))
    keys = [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]] or ["rowid"]
    names = [row[1] for row in info]
    rows = connection.execute(f"SELECT {', '.join(keys)} FROM {table}").fetchall()
    key = chance.choice(rows)
    where = " AND ".join(f"{name} IS ?" for name in keys)
    if column == "*":
        if chance.random() < 0.5:
            return Change(table, column, "deleted", f"DELETE FROM {table} WHERE {where}", key)
        moved = chance.choice(keys)
        said = ", ".join(f"{name} + 1" if name == moved else name for name in names)
        return Change(
            table, column, "repeated", f"INSERT INTO {table} SELECT {said} FROM {table} WHERE {where}", key
        )
    ((old,),) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}", key).fetchall()
    others = [one for (one,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}") if one != old]
    what, new = chance.choice(list(_wrong(old, others, chance).items()))
    return Change(table, column, what, f"UPDATE {table} SET {column} = ? WHERE {where}", (new, *key))


def _wrong(old: Value, others: list[Value], chance: random.Random) -> dict[str, Value]:
    """Return wrong values, each under what it is."""
    found: dict[str, Value] = {
        "null": None,
        "text": "wrong",
        "bytes": b"\xff\x00",
        "number": 77,
        "large": 1 << 62,
    }
    if others:
        found |= {"another's": chance.choice(others), "another's, again": chance.choice(others)}
    match old:
        case int():
            found |= {
                "one more": old + 1,
                "one less": old - 1,
                "zero": 0,
                "negative": -old,
                "second": old + 1_000,
            }
        case str() | bytes() if old:
            at = chance.randrange(len(old))
            found |= {"empty": old[:0], "shorter": old[:at], "twice": old + old}
            found["edited"] = old[:at] + (b"7" if isinstance(old, bytes) else "7") + old[at + 1 :]
            found["other type"] = old.encode() if isinstance(old, str) else old.hex()
        case None:
            found |= {"one": 1, "zero": 0, "empty": "", "hash": bytes(32)}
        case _:
            found |= {"one": 1, "empty": ""}
    return {what: value for what, value in found.items() if value != old or type(value) is not type(old)}


def tried(
    directory: Path, data: bytes, table: str, column: str, chance: random.Random
) -> tuple[Change, Path] | None:
    """Return a copy of the store with one change in it, or None when SQLite refused the change or ignored it."""
    file = placed(directory, data)
    connection = apsw.Connection(str(file))
    try:
        made = change(connection, table, column, chance)
        before = connection.total_changes()
        connection.execute(made.statement, made.values).fetchall()
        return (made, file) if connection.total_changes() > before else None
    except apsw.Error:
        return None
    finally:
        connection.close()


def outcome(file: Path, before: dict[str, object]) -> tuple[str, str]:
    """Return what became of a change, and what a read says that it should not."""
    try:
        client = client_at(file)
    except RetomaError:
        return "refused", ""
    with client:
        whole = check(client._store, random=os.urandom).whole
    after = seen(file, HIDDEN)
    raw = next(
        (f"{name}: {said}" for name, said in after.items() if _raw(said) and said != before.get(name)), ""
    )
    if raw:
        return "raw", raw
    if not whole:
        return "found", ""
    return ("harmless", "") if after == before else ("missed", difference(before, after))


def untold(data: bytes, made: Change) -> bool:
    """Return whether the change is of what an event said that is erased, or cut off, in the session that it is of."""
    if f"{made.table}.{made.column}" not in UNTOLD:
        return False
    connection = apsw.Connection(":memory:")
    # In memory there is no write-ahead log: the header says so.
    connection.deserialize("main", data[:18] + b"\x01\x01" + data[20:])
    keys = [value for value in made.values if type(value) is int][-1:]
    return bool(
        connection.execute(
            "SELECT 1 FROM session s WHERE s.pk = ?1 AND (s.base_seq > 0 OR EXISTS (SELECT 1 FROM event e "
            "WHERE e.data IS NULL AND e.blob IS NULL AND e.k >> 32 IN (SELECT ?1 UNION SELECT source FROM segment "
            "WHERE session = ?1)))",
            keys,
        ).fetchall()
    )


def excepted(made: Change) -> bool:
    """Return whether docs/trust.md says that the check cannot see it: of leases, and of names once used."""
    return made.table in {"lease", "name_used"} or (made.table, made.column) in {
        ("session", "fence"),
        ("store", "name_salt"),
    }


def _raw(said: object) -> bool:
    return isinstance(said, str) and said.startswith("raw ")


def test_every_cell_that_changes_what_a_read_returns_is_found(tell: Callable[[str], None]) -> None:
    chance = random.Random(SEED)
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    with quick_directory() as directory:
        data = rich_store(directory / "rich", SEED)
        before = seen(placed(directory / "whole", data), HIDDEN)
        assert not [name for name, said in before.items() if _raw(said)]
        columns = cells(directory / "whole" / "retoma.db")
        for number in trials(CHANGES):
            table, column = chance.choice(columns)
            found = tried(directory / f"cell{number}", data, table, column, chance)
            if found is None:
                outcomes["impossible"] += 1
                continue
            made, file = found
            signal.setitimer(signal.ITIMER_PROF, HANGS_S)
            try:
                what, said = outcome(file, before)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            if what == "missed" and (excepted(made) or untold(data, made)):
                what = "excepted"
            outcomes[what] += 1
            if what in {"missed", "raw"}:
                wrong.append(f"{what} {table}.{column}, {made.what} ({made.values}): {said}")
            remove(file)
    counted = ", ".join(f"{what} {number}" for what, number in sorted(outcomes.items()))
    tell(
        record(
            "cells",
            f"{outcomes.total()} cells of {len(columns)} columns changed, seed {SEED}: {counted}",
            began,
        )
    )
    assert wrong == []
    assert outcomes["found"], "check found no change: the test saw nothing"
