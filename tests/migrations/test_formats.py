"""A store that an earlier version wrote opens, and holds what it held."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.calls import Calls

from retoma.config import StorePlace
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.runtime.drive import Request
from retoma.stores.conformance.store import Clock
from retoma.stores.sql import migrate
from retoma.stores.sqlite.connection import APPLICATION_ID
from retoma.wiring import Sources, open_store

HERE = Path(__file__).parent
TOUR = Path(__file__).parents[2] / "examples/tour"


@pytest.fixture
def format_1(tmp_path: Path) -> Path:
    """Return a store as format 1 had it: a tour under way, a session made under a key, and a child that ended."""
    file = tmp_path / "retoma.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript((HERE / "format-1.sql").read_text(encoding="utf-8"))
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute("PRAGMA user_version = 1")
        database.commit()
    return file


def opened(file: Path) -> Calls:
    clock = Clock()
    url = f"sqlite:///{file}"
    place = StorePlace(kind="sqlite", path=file, url=url, given=True, source="test")
    store = open_store(place, Sources(clock, clock.bytes))
    return Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes))


def test_a_store_of_format_1_is_brought_to_this_one_and_goes_on(format_1: Path) -> None:
    with opened(format_1) as client:
        assert client.facts().format == migrate.FORMAT
        assert client.get("child").status == "completed"
        assert client.show("made").about.tags == ("a",)
        assert client.position("tour").position.context["road"] == "The scenic one"
        with client.drive(Request(directory=TOUR, session="tour", fresh=True)) as drive:
            assert drive.prompt is not None
        client.append("made", "user", "goes on")


def test_a_version_that_format_1_kept_goes_with_its_last_session(format_1: Path) -> None:
    with opened(format_1) as client:
        version = client.get("tour").flow_version
        client.delete("tour")
        assert client._store.read(lambda tx: tx.flows.version(LOCAL_TENANT, version)) is None


def test_a_fresh_store_is_the_sum_of_the_migrations(format_1: Path, tmp_path: Path) -> None:
    opened(format_1).close()
    fresh = tmp_path / "fresh" / "retoma.db"
    opened(fresh).close()

    def schema(file: Path) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(file)) as database:
            rows = database.execute("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")
            return [(name, " ".join(sql.split())) for name, sql in rows]

    assert schema(format_1) == schema(fresh)
