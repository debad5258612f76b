"""The two databases have the same tables with the same columns."""

from __future__ import annotations

import sqlite3

import psycopg

from retoma.stores.conformance.store import Clock
from retoma.stores.postgres.store import PostgresStore
from retoma.stores.sql.migrate import FORMAT, migrations

_TYPES = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea"}
_SEARCHED = {"search_terms", "search_vocabulary"}
"""SQLite's full-text index is a table; PostgreSQL's is an index of a column, which has a type for it."""


def test_both_have_each_step() -> None:
    lite, postgres = migrations("sqlite"), migrations("postgresql")
    assert [step[:2] for step in lite] == [step[:2] for step in postgres]
    assert lite[-1].version == FORMAT


def test_the_tables_are_the_same(database: str) -> None:
    lite = sqlite3.connect(":memory:")
    for step in migrations("sqlite"):
        lite.executescript(step.text)
    ours = {
        (table, column, _TYPES[kind])
        for (table,) in lite.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        if not table.startswith(("sqlite_", *_SEARCHED))
        for _, column, kind, *_ in lite.execute(f"PRAGMA table_info({table})")
    }
    ours.remove(("search_doc", "terms", "text"))
    ours.add(("search_doc", "terms", "tsvector"))
    lite.close()
    clock = Clock()
    store = PostgresStore(database, shown="test", now=clock, random=clock.bytes)
    assert store.make()
    assert not store.make()
    store.close()
    with psycopg.connect(database) as other:
        columns = other.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = current_schema()"
        )
        assert set(columns) == ours
