"""A planted secret, indexed wherever it may be, is in no table once it was forgotten; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import psycopg
import pytest
from psycopg import sql
from tests.calls import Calls
from tests.conformance.test_search import SMALL, clock, found, index, say

from retoma.model.changes import Changes
from retoma.model.pattern import Pattern
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import Clock
from retoma.stores.postgres.store import PostgresStore
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

__all__ = ["clock"]

SECRET = "planted-7f3a9c"
TERM = b"7f3a9c"
"""What the index keeps of it."""
WANTED = Selection(wanted=Pattern("planted-[0-9a-f]+"))
Tables = Callable[[], set[str]]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "store" / "retoma.db"
    return str(request.getfixturevalue("database"))


@pytest.fixture
def client(place: Path | str, clock: Clock) -> Iterator[Calls]:
    if isinstance(place, Path):
        store = SqliteStore(place, now=clock, random=clock.bytes)
    else:
        store = PostgresStore(place, shown="test", now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        yield client


@pytest.fixture
def tables(place: Path | str) -> Tables:
    """Return the names of the tables, and for SQLite of the files, that hold the secret."""
    return lambda: _in_files(place) if isinstance(place, Path) else _in_tables(place)


def _in_files(place: Path) -> set[str]:
    with_it = {file.name for file in place.parent.iterdir() if TERM in file.read_bytes()}
    connection = apsw.Connection(str(place), flags=apsw.SQLITE_OPEN_READONLY)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    with_it |= {name for name in names if _said(connection.execute(f'SELECT * FROM "{name}"'))}
    connection.close()
    return with_it


def _in_tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        ).fetchall()
        assert len(names) > 20
        return {
            name
            for (name,) in names
            if _said(connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))))
        }


def _said(rows: object) -> bool:
    texts = (str(value).encode() if not isinstance(value, bytes) else value for row in rows for value in row)
    return any(TERM in text for text in texts)


def plant(client: Calls) -> None:
    """Put the secret into a session and what was forked of it, before and after, beside words like it."""
    client.create(NewSession(id="others", title="7f3a9b and 7f3a9d"))
    say(client, "others", *(f"7f3a9{n} plant planter" for n in "bdx"))
    client.create(NewSession(id="s", title=f"T {SECRET}", description=SECRET))
    say(client, "s", f"the word {SECRET}", "a word")
    client.note("s", SECRET)
    client.fork("s", "fork")
    say(client, "fork", f"of the fork: {SECRET}")
    client.fork("fork", "of-fork")
    say(client, "s", f"once more {SECRET}")


def _reset_all(client: Calls) -> None:
    for name in ("s", "fork", "of-fork"):
        client.update(name, Changes(title="", description=""))
        client.redact(
            name, Selection(wanted=Pattern(f"^{SECRET}$|^T {SECRET}$"))
        )  # what the profile's events say
        client.reset(name, erase=True)


FORGET: dict[str, Callable[[Calls], object]] = {
    "redact": lambda client: client.redact("s", WANTED),
    "redact, of a deleted session": lambda client: (client.delete("s"), client.redact("fork", WANTED)),
    "reset --erase": _reset_all,
    "rm": lambda client: client.delete("s", with_forks=True),
    "rm, one by one": lambda client: [client.delete(name) for name in ("s", "of-fork", "fork")],
}


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("how", FORGET)
def test_it_is_nowhere(
    client: Calls, tables: Tables, how: str, indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retoma.service.search.indexing.DOCS", 4)
    monkeypatch.setattr("retoma.stores.sqlite.search._SETTINGS", SMALL)
    plant(client)
    if indexed:
        index(client)
        assert "search_doc" in tables()
    assert len(found(client, "7f3a9c")) > 3
    FORGET[how](client)
    assert tables() == set()
    assert found(client, "7f3a9c") == []
    index(client)
    assert tables() == set()
    assert len(found(client, "planter")) == 3
    assert [one.detail for one in client.check().damage] == []
