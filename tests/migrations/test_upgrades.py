"""An upgrade is announced, keeps the file as it was, repairs what earlier versions wrote, and is all or nothing."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import psycopg
import pytest

import retoma
from retoma.errors import Unavailable
from retoma.stores.sql.migrate import FORMAT, migrations
from retoma.stores.sqlite import upgrade as sqlite_upgrade
from retoma.stores.sqlite import upkeep as sqlite_upkeep
from retoma.stores.sqlite.connection import APPLICATION_ID

HERE = Path(__file__).parent


def run(store: Path | str, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "retoma", "--store", str(store), *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def of_format(number: int, file: Path) -> Path:
    """Make a store of an older format: what format 1 had, and the steps that a Retoma of that format applied."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript((HERE / "format-1.sql").read_text(encoding="utf-8"))
        for step in migrations("sqlite")[1:number]:
            database.executescript(step.text)
            row = (step.version, step.name, step.checksum)
            database.execute(
                "INSERT INTO migration (version, name, checksum, applied_at) VALUES (?, ?, ?, 0)", row
            )
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {number}")
        database.commit()
    return file


def branched(place: Path | str) -> None:
    """Make a store with branches inside a batch, as this format has them."""
    with retoma.open(place, user="ana") as client:
        session = client.create("one")
        with session.batch() as batch:
            batch.append("user", "first")
            batch.state["k"] = 1
            batch.append("user", "second")
        session.fork("two", at=3).fork("three")
        session.undo()


AS_FORMAT_6 = (
    "UPDATE state SET seq = 4 WHERE key = 'k'",
    "DELETE FROM store_log",
    "DELETE FROM migration WHERE version > 6",
    "DROP TABLE pending",
    "DROP TABLE second_copy",
    "ALTER TABLE store_log DROP COLUMN mark",
)
"""What makes a store as format 6 had it, of one that `branched` made."""
NEW_INDEX = ("index", "session", "due", "doc")


def old_index(dialect: str) -> list[str]:
    """Return what gives a store the tables of the search index as formats 5 to 8 had them."""
    own = ("vocabulary", "terms") if dialect == "sqlite" else ()
    drops = [f"DROP TABLE search_{name}" for name in (*own, *NEW_INDEX)]
    return [*drops, migrations(dialect)[4].text]


def format_6(file: Path) -> Path:
    branched(file)
    with closing(apsw.Connection(str(file))) as database:
        for statement in (*AS_FORMAT_6, *old_index("sqlite"), "PRAGMA user_version = 6"):
            database.execute(statement)
    return file


def format_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        version: int = database.execute("PRAGMA user_version").fetchone()[0]
        return version


@pytest.mark.parametrize("number", range(1, FORMAT))
def test_a_store_of_each_format_is_upgraded_announced_and_kept(tmp_path: Path, number: int) -> None:
    file = of_format(number, tmp_path / "retoma.db")
    kept = tmp_path / f"retoma.format-{number}.db"
    done = run(file, "session", "ls", "--json", "--quiet")
    assert f"Upgraded the store {file} from format {number} to {FORMAT}." in done.stderr
    assert f"The old file is kept as {kept}." in done.stderr
    assert "delete it if you erased content" in done.stderr
    assert "rebuild the search index" in done.stderr
    assert {one["id"] for one in json.loads(done.stdout)["items"]} >= {"tour", "made"}
    assert (format_of(file), format_of(kept)) == (FORMAT, number)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run(file, "store", "check").returncode == 0
    assert run(file, "session", "ls").stderr == ""
    assert [one["deed"] for one in json.loads(run(file, "store", "log", "--json").stdout)["items"]] == [
        "upgraded"
    ]
    assert [one.name for one in tmp_path.glob("*format*")] == [kept.name]


def test_branches_that_format_6_made_inside_a_batch_are_repaired(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = format_6(tmp_path / "retoma.db")
    with caplog.at_level(logging.WARNING, "retoma"), retoma.open(file) as client:
        assert [one.detail for one in client.check().damage] == []
        assert dict(client.session("three").state) == {"k": 1}
    assert [record.name for record in caplog.records] == ["retoma"]
    assert "Repaired 3 rows of the state of branches" in caplog.text
    caplog.clear()
    with retoma.open(file):
        assert caplog.records == []


def test_an_index_of_format_8_is_dropped_and_built_again(tmp_path: Path) -> None:
    file = tmp_path / "retoma.db"
    with retoma.open(file) as client:
        client.create("one").append("user", "the word")
    secret = b"planted-in-the-old-index"
    with closing(apsw.Connection(str(file))) as database:
        for statement in (
            *old_index("sqlite"),
            "DELETE FROM migration WHERE version > 8",
            "PRAGMA user_version = 8",
        ):
            database.execute(statement)
        database.execute("INSERT INTO search_index VALUES (1, 1, 9, 2, 1, 99999999999999, 0)")
        database.execute("INSERT INTO search_session VALUES (1, 2)")
        database.execute("INSERT INTO search_doc VALUES (1, 1, 4294967298, 1)")
        database.execute("INSERT INTO search_part VALUES (1, 0, 1, 1, 0, NULL)")
        database.execute("INSERT INTO search_page VALUES (1, 0, x'61', ?)", (secret * 500,))
    with retoma.open(file) as client:
        assert [hit.seq for hit in client.search("word")] == [2]
        assert client.check().damage == []
    kept = tmp_path / "retoma.format-8.db"
    assert (secret in kept.read_bytes(), secret in file.read_bytes()) == (True, False)


def test_a_row_that_differs_otherwise_is_left_for_check(tmp_path: Path) -> None:
    file = format_6(tmp_path / "retoma.db")
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE state SET value = CAST('2' AS BLOB) WHERE session = 3")
        database.commit()
    with retoma.open(file) as client:
        assert ["value of 'k'" in one.detail for one in client.check().damage] == [True]


@pytest.mark.parametrize(
    "args", [("doctor",), ("store", "info"), ("config",), ("init",), ("store", "migrate", "--dry-run")]
)
def test_what_describes_a_store_does_not_upgrade_it(tmp_path: Path, args: tuple[str, ...]) -> None:
    file = format_6(tmp_path / "retoma.db")
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    before = file.read_bytes()
    done = run(file, *args)
    assert file.read_bytes() == before
    assert (format_of(file), [*tmp_path.glob("*format-6*")]) == (6, [])
    if args not in {("config",), ("init",)}:
        assert "format 6" in done.stderr or "step 7" in done.stdout, done
    if args in {("doctor",), ("store", "info")}:
        assert "retoma store migrate" in done.stderr


def test_a_shell_that_completes_words_does_not_upgrade(tmp_path: Path) -> None:
    file = format_6(tmp_path / "retoma.db")
    words = {"_RETOMA_COMPLETE": "bash_complete", "COMP_WORDS": "retoma session show ", "COMP_CWORD": "3"}
    command = [sys.executable, "-m", "retoma"]
    subprocess.run(
        command, env={**words, "RETOMA_STORE": str(file)}, capture_output=True, check=False, timeout=60
    )
    assert format_of(file) == 6


def full(*_: object) -> None:
    raise apsw.FullError("FullError: database or disk is full")


def read_only(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(("fault", "said"), [(full, "The disk is full"), (read_only, "read-only")])
def test_without_a_copy_there_is_no_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None], said: str
) -> None:
    file = format_6(tmp_path / "retoma.db")
    monkeypatch.setattr(sqlite_upkeep, "backup", fault)
    with pytest.raises(Unavailable, match="was not upgraded") as raised:
        retoma.open(file)
    assert (raised.value.code, said in raised.value.hint) == ("no_copy", True)
    assert (format_of(file), [*tmp_path.glob(".*"), *tmp_path.glob("*format*")]) == (6, [])


def test_an_upgrade_that_fails_changes_nothing_and_makes_one_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = format_6(tmp_path / "retoma.db")
    with monkeypatch.context() as broken:
        broken.setattr("retoma.service.upgrade.repair", full)
        with pytest.raises(Unavailable):
            retoma.open(file)
    assert format_of(file) == 6
    retoma.open(file).close()
    assert [one.name for one in tmp_path.glob("*format*")] == ["retoma.format-6.db"]


def test_a_copy_of_other_commits_is_left_alone(tmp_path: Path) -> None:
    file, before = format_6(tmp_path / "retoma.db"), tmp_path / "retoma.format-6.db"
    before.write_bytes(b"of somebody else")
    retoma.open(file).close()
    assert before.read_bytes() == b"of somebody else"
    assert format_of(tmp_path / "retoma.format-6-2.db") == 6


def test_a_backup_of_an_older_format_is_restored_without_another_copy(tmp_path: Path) -> None:
    backup = format_6(tmp_path / "backup.db")
    place = tmp_path / "there" / "retoma.db"
    done = run(place, "store", "restore", str(backup))
    assert done.returncode == 0, done.stderr
    assert (format_of(backup), format_of(place)) == (6, FORMAT)
    assert [*tmp_path.rglob("*format-6*")] == []


def test_postgresql_is_upgraded_by_migrate_alone(database: str) -> None:
    branched(database)
    with psycopg.connect(database) as other:
        for statement in (*AS_FORMAT_6, *old_index("postgresql")):
            other.execute(statement)
    for args in (("session", "ls"), ("doctor",), ("store", "info"), ("session", "create", "x")):
        done = run(database, *args)
        assert (done.returncode != 0, "has format 6" in done.stderr) == (True, True), done
        assert "retoma store migrate" in done.stderr
    with pytest.raises(Unavailable, match="store migrate") as raised:
        retoma.open(database)
    assert raised.value.code == "older_store"
    assert "Pending: step 7, trust" in run(database, "store", "migrate", "--dry-run").stdout
    assert "Pending: step 7, trust" in run(database, "store", "migrate", "--dry-run").stdout
    assert run(database, "init").returncode == 0
    done = run(database, "store", "migrate")
    assert "Applied: step 7, trust" in done.stdout
    assert "Repaired 3 rows of the state of branches" in done.stdout
    assert "no steps are pending" in run(database, "store", "migrate").stdout
    with retoma.open(database) as client:
        assert [one.detail for one in client.check().damage] == []


def test_an_error_after_the_upgrade_does_not_say_that_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **named: object) -> None:
        raise apsw.IOError("the disk is full")

    file = format_6(tmp_path / "retoma.db")
    monkeypatch.setattr(sqlite_upgrade, "clear", full)
    with retoma.open(file) as client:
        assert client.check().damage == []
    assert format_of(file) == FORMAT
    assert (tmp_path / "retoma.format-6.db").is_file()


def test_a_pipe_where_the_copy_would_be_is_left_alone(tmp_path: Path) -> None:
    file = format_6(tmp_path / "retoma.db")
    os.mkfifo(tmp_path / "retoma.format-6.db")
    with retoma.open(file) as client:
        assert client.check().damage == []
    assert (tmp_path / "retoma.format-6-2.db").is_file()
