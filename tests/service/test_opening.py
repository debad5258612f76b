"""Two processes that open a store that is not there yet."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from retoma.stores.conformance.store import Clock
from retoma.stores.sql.migrate import FORMAT
from retoma.stores.sqlite import store as sqlite
from retoma.stores.sqlite.connection import Connection, format_of
from retoma.stores.sqlite.store import SqliteStore


@pytest.mark.parametrize("statement", [1, 2, 3])
def test_a_store_that_is_made_while_its_file_is_looked_at_is_ours(tmp_path: Path, statement: int) -> None:
    clock = Clock()
    file = tmp_path / "retoma.db"
    looking = Connection(str(file), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, clock.bytes)
    ask, asked = looking.run, []

    def made_meanwhile(text: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        asked.append(text)
        rows = ask(text, values)
        if len(asked) == statement:
            SqliteStore(file, now=clock, random=clock.bytes).close()
        return rows

    looking.run = made_meanwhile
    assert format_of(looking, "here") in {0, FORMAT}
    looking.close()


def test_the_directory_that_another_process_made_first_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    place = tmp_path / "new"
    mkdir = Path.mkdir

    def made_first(path: Path, *args: object, **kwargs: object) -> None:
        mkdir(path)
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(sqlite.Path, "mkdir", made_first)
    SqliteStore(place / "retoma.db", now=clock, random=clock.bytes).close()
    assert (place / "retoma.db").exists()
