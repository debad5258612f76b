"""`retoma store …` as a user meets it: what it prints, what it exits with, what --json says."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.interfaces.conftest import Retoma

from retoma.stores.sql.migrate import migrations

WHOLE = {
    "whole", "sample", "sessions", "events", "erased", "cut", "contents", "documents", "unreferenced", "witness",
    "damage", "unlisted", "quarantined", "repaired",
}  # fmt: skip


@pytest.fixture
def filled(retoma: Retoma, store: Path) -> Path:
    retoma("session", "create", "a", "--title", "First")
    retoma("session", "append", "a", "user", "hello")
    return store


def out(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    value = json.loads(done.stdout)
    assert isinstance(value, dict)
    return value


def spoiled(store: Path) -> None:
    with sqlite3.connect(store / "retoma.db") as database:
        database.execute("UPDATE event SET data = replace(data, 'hello', 'hallo') WHERE k & 4294967295 = 2")
    database.close()


def test_a_whole_store(retoma: Retoma, filled: Path) -> None:
    done = retoma("store", "check")
    assert (done.returncode, done.stderr) == (0, "checked 1 session · 2 events · 0 pieces of large content\n")
    assert done.stdout.startswith("OK: every event verified")
    assert "no commits missing (witness 2)" in done.stdout
    said = out(retoma("store", "check", "--json"))
    assert set(said) == WHOLE
    assert (said["whole"], said["sessions"], said["events"], said["damage"]) == (True, 1, 2, [])


def test_damage_is_listed_and_put_aside(retoma: Retoma, filled: Path) -> None:
    spoiled(filled)
    done = retoma("store", "check")
    assert done.returncode == 6
    assert (
        "Session 'a', event 2: its data was changed after it was written.\n  Restore a backup" in done.stdout
    )
    assert done.stdout.endswith("damaged: 1 finding.\n")
    said = retoma("store", "check", "--json")
    assert said.returncode == 6
    (damage,) = out(said)["damage"]
    assert (damage["what"], damage["session"], damage["seq"]) == ("event", "a", 2)
    assert retoma("store", "backup", str(filled.parent / "copy.db")).returncode == 6
    assert not (filled.parent / "copy.db").exists()
    repaired = retoma("store", "check", "--repair", "--json")
    assert repaired.returncode == 0
    assert out(repaired)["repaired"] == {"sessions": ["a"], "index": False, "left": 0}
    after = retoma("store", "check")
    assert after.returncode == 0
    assert "In quarantine since just now: a. Session 'a', event 2" in after.stdout
    assert retoma("session", "show", "a").returncode == 4


def respoiled(store: Path, old: str, new: str) -> None:
    with sqlite3.connect(store / "retoma.db") as database:
        database.execute(
            "UPDATE event SET data = CAST(replace(data, ?, ?) AS BLOB) WHERE k & 4294967295 = 2", (old, new)
        )
    database.close()


def test_what_is_in_quarantine_is_counted_exported_and_restored_when_it_is_sound(
    retoma: Retoma, filled: Path, tmp_path: Path
) -> None:
    respoiled(filled, "hello", "hallo")
    retoma("store", "check", "--repair")
    assert "quarantine  1 damaged session: see `retoma store quarantine`" in retoma("doctor").stdout
    assert out(retoma("doctor", "--json"))["quarantined"] == 1
    said = out(retoma("store", "info", "--json"))
    assert (said["sessions"], said["by_status"], said["by_shelf"]) == (0, {}, {"quarantined": 1})
    assert "quarantine" in retoma("store", "info").stdout
    assert "- a (number 1), since just now: Session 'a', event 2" in retoma("store", "quarantine").stdout
    (listed,) = out(retoma("store", "quarantine", "ls", "--json"))["items"]
    assert (listed["id"], listed["number"]) == ("a", 1)

    header, *events = map(json.loads, retoma("store", "quarantine", "export", "a").stdout.splitlines())
    assert (header["id"], [one["intact"] for one in events]) == ("a", [True, False])
    assert "hallo" in json.dumps(events[1]["data"])
    file = tmp_path / "rest.jsonl"
    assert retoma("store", "quarantine", "export", "1", "-o", str(file)).returncode == 0
    assert len(file.read_text().splitlines()) == 3

    refused = retoma("store", "quarantine", "restore", "a")
    assert (refused.returncode, "stays in quarantine" in refused.stderr) == (6, True)
    assert "data was changed" in refused.stderr
    respoiled(filled, "hallo", "hello")
    retoma("session", "create", "a")
    assert retoma("store", "quarantine", "restore", "a").returncode == 5
    restored = retoma("store", "quarantine", "restore", "a", "--as", "b")
    assert restored.stdout == "Restored a\n", restored.stderr
    assert "hello" in retoma("session", "read", "b").stdout
    assert retoma("store", "check").returncode == 0
    assert retoma("store", "quarantine").stdout == "Nothing is in quarantine.\n"


def test_what_is_in_quarantine_can_be_deleted(retoma: Retoma, filled: Path) -> None:
    respoiled(filled, "hello", "hallo")
    with sqlite3.connect(filled / "retoma.db") as database:
        database.execute("INSERT INTO state VALUES (99, 'k', '1', 1)")
        database.execute("CREATE TEMP TABLE copied AS SELECT * FROM event WHERE k & 4294967295 = 2")
        database.execute("UPDATE copied SET k = (98 << 32) + 2")
        database.execute("INSERT INTO event SELECT * FROM copied")
    database.close()
    assert retoma("store", "check", "--repair").returncode == 0
    assert retoma("store", "quarantine", "rm", "a", "98", "99", "zz").returncode == 4
    assert retoma("store", "quarantine").stdout == "Nothing is in quarantine.\n"
    assert retoma("store", "check").returncode == 0
    assert b"hallo" not in b"".join(one.read_bytes() for one in filled.iterdir() if one.is_file())
    for wrong in (("export",), ("rm",), ("ls", "a"), ("ls", "--as", "b"), ("restore", "a", "b", "--as", "c")):
        assert retoma("store", "quarantine", *wrong).returncode == 2, wrong


def test_a_damaged_store_is_copied_unchecked(retoma: Retoma, filled: Path, tmp_path: Path) -> None:
    respoiled(filled, "hello", "hallo")
    refused = retoma("store", "backup", str(tmp_path / "copy.db"))
    assert (refused.returncode, "--unchecked" in refused.stderr) == (6, True)
    done = retoma("store", "backup", str(tmp_path / "copy.db"), "--unchecked")
    assert (done.returncode, done.stdout.endswith("It was not checked.\n")) == (0, True)
    assert retoma("store", "check", at=tmp_path / "copy.db").returncode == 6


def test_a_store_that_nobody_may_write_to_is_read(retoma: Retoma, filled: Path, tmp_path: Path) -> None:
    assert retoma("store", "backup", str(tmp_path / "copy.db")).returncode == 0
    for file in (tmp_path / "copy.db", filled / "retoma.db"):
        file.chmod(0o400)
        beside = sorted(file.parent.iterdir())
        for args in (
            ("session", "ls"),
            ("session", "read", "a"),
            ("session", "search", "hello"),
            ("store", "info"),
        ):
            read = retoma(*args, at=file)
            assert (read.returncode, "is read-only. Nothing may change it" in read.stderr) == (0, True), read
        for args in (("doctor",), ("store", "check"), ("session", "export", "a")):
            assert retoma(*args, at=file).returncode == 0, args
        for args in (("session", "append", "a", "user", "x"), ("session", "rm", "a"), ("store", "gc")):
            refused = retoma(*args, at=file)
            assert (refused.returncode, "can be read, but not written to" in refused.stderr) == (1, True), (
                refused
            )
        assert sorted(file.parent.iterdir()) == beside


def test_a_log_that_has_more_than_the_file_is_not_passed_over(retoma: Retoma, filled: Path) -> None:
    (filled / "retoma.db-wal").write_bytes(b"something")
    (filled / "retoma.db").chmod(0o400)
    assert "is read-only." not in retoma("session", "ls").stderr


def test_a_file_that_is_no_store_any_more(retoma: Retoma, filled: Path) -> None:
    file = filled / "retoma.db"
    data = bytearray(file.read_bytes())
    data[4096 : 4096 * 8] = bytes(4096 * 7)
    file.write_bytes(data)
    assert retoma("store", "check").returncode == 6
    assert retoma("store", "check", "--repair").returncode == 6


@pytest.mark.parametrize("loss", ["gone", "emptied"])
def test_a_store_that_is_lost_is_not_taken_for_a_new_one(
    retoma: Retoma, filled: Path, tmp_path: Path, loss: str
) -> None:
    assert retoma("store", "backup", str(tmp_path / "copy.db")).returncode == 0
    database = filled / "retoma.db"
    database.unlink() if loss == "gone" else database.write_bytes(b"")
    beside = {file.name: file.read_bytes() for file in filled.iterdir()}
    for verb in (
        ["session", "ls"],
        ["session", "create", "x"],
        ["store", "check"],
        ["store", "info"],
        ["init"],
    ):
        done = retoma(*verb)
        assert done.returncode == 6, verb
        assert f"is {'gone' if loss == 'gone' else 'empty'}, but " in done.stderr
        assert "store restore FILE" in done.stderr
    assert {file.name: file.read_bytes() for file in filled.iterdir()} == beside
    assert retoma("store", "restore", str(tmp_path / "copy.db")).returncode == 0
    assert retoma("store", "check").returncode == 0


def test_a_lost_store_begins_anew_when_its_witness_goes(retoma: Retoma, filled: Path) -> None:
    (filled / "retoma.db").write_bytes(b"")
    (filled / "retoma.db-witness").unlink()
    assert retoma("session", "ls").returncode == 0


@pytest.mark.parametrize("part", ["0%", "0", "101%", "x", "10%%", "-1"])
def test_a_part_that_is_none(retoma: Retoma, filled: Path, part: str) -> None:
    assert retoma("store", "check", f"--sample={part}").returncode == 2


@pytest.mark.parametrize("verb", ["check", "info", "migrate", "gc"])
def test_where_there_is_no_store_none_is_made(retoma: Retoma, store: Path, verb: str) -> None:
    done = retoma("store", verb)
    assert done.returncode == 4
    assert "There is no store at" in done.stderr
    assert not store.exists()


def test_a_backup_is_restored(retoma: Retoma, filled: Path, tmp_path: Path) -> None:
    file, again = tmp_path / "copy.db", tmp_path / "again"
    said = out(retoma("store", "backup", str(file), "--json"))
    assert (said["file"], said["sessions"], said["events"], said["aside"]) == (str(file), 1, 2, None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if "copy" in one.name] == ["copy.db"]
    taken = retoma("store", "backup", str(file))
    assert (taken.returncode, "already" in taken.stderr) == (5, True)
    assert retoma("store", "backup", str(tmp_path / "none" / "copy.db")).returncode == 4
    before = file.read_bytes()
    assert "1 session, 2 events, checked" in retoma("store", "restore", str(file), at=again).stdout
    assert file.read_bytes() == before
    assert "hello" in retoma("session", "read", "a", at=again).stdout
    assert store_id(again) != store_id(filled)
    assert retoma("session", "append", "a", "user", "more", at=again).returncode == 0
    assert retoma("store", "check", at=again).returncode == 0
    refused = retoma("store", "restore", str(file), at=again)
    assert (refused.returncode, "--force" in refused.stderr) == (5, True)
    done = out(retoma("store", "restore", str(file), "--force", "--json", at=again))
    assert "more" in retoma("session", "read", "a", at=Path(str(done["aside"]))).stdout
    assert "more" not in retoma("session", "read", "a", at=again).stdout


def store_id(store: Path) -> bytes:
    with sqlite3.connect(store / "retoma.db") as database:
        (value,) = database.execute("SELECT id FROM store").fetchone()
    database.close()
    return bytes(value)


def test_a_backup_that_is_damaged_is_not_restored(retoma: Retoma, filled: Path, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    retoma("store", "backup", str(file))
    data = file.read_bytes()
    file.write_bytes(data.replace(b"hello", b"hallo"))
    done = retoma("store", "restore", str(file), "--force", "--yes")
    assert done.returncode == 6
    assert "hello" in retoma("session", "read", "a").stdout
    assert retoma("store", "restore", str(tmp_path / "none.db"), "--force").returncode == 4
    (tmp_path / "text.db").write_text("this is no database, and long enough to look like one " * 100)
    assert retoma("store", "restore", str(tmp_path / "text.db"), "--force").returncode == 6
    assert [one.name for one in filled.iterdir() if "partial" in one.name or "replaced" in one.name] == []


def test_a_store_with_a_log_is_restored_with_it(retoma: Retoma, filled: Path, tmp_path: Path) -> None:
    import apsw

    held = apsw.Connection(str(filled / "retoma.db"))
    held.execute("SELECT count(*) FROM session").fetchall()
    retoma("session", "append", "a", "user", "in the log")
    assert (filled / "retoma.db-wal").stat().st_size
    retoma("store", "restore", str(filled / "retoma.db"), at=tmp_path / "again")
    held.close()
    assert "in the log" in retoma("session", "read", "a", at=tmp_path / "again").stdout


def test_what_a_store_holds(retoma: Retoma, filled: Path) -> None:
    said = out(retoma("store", "info", "--json"))
    assert (said["sessions"], said["events"], said["messages"]) == (1, 2, 1)
    assert said["by_status"] == {"active": 1}
    assert [kind["kind"] for kind in said["kinds"]] == [
        "events",
        "contents",
        "state",
        "flow versions",
        "search index",
    ]
    assert said["largest"][0]["id"] == "a"
    assert "- a  2 events" in retoma("store", "info").stdout


def test_an_older_store_is_migrated(retoma: Retoma, store: Path) -> None:
    store.mkdir()
    with sqlite3.connect(store / "retoma.db") as database:
        database.executescript((Path(__file__).parents[1] / "migrations/format-1.sql").read_text())
        database.execute(f"PRAGMA application_id = {0x52544D41}")
        database.execute("PRAGMA user_version = 1")
    database.close()
    steps = migrations("sqlite")[1:]
    dry = out(retoma("store", "migrate", "--dry-run", "--json"))
    assert dry["steps"] == [{"number": step.version, "name": step.name} for step in steps]
    assert (dry["before"], dry["applied"]) == (1, False)
    applied = [f"Applied: step {step.version}, {step.name}" for step in steps]
    *done, said = retoma("store", "migrate").stdout.splitlines()
    assert (done, said.startswith("Upgraded the store ")) == (applied, True)
    assert "no steps are pending" in retoma("store", "migrate").stdout
    assert retoma("store", "check").returncode == 0


def test_what_is_due_goes(retoma: Retoma, filled: Path) -> None:
    assert retoma("store", "gc", "--dry-run").stdout == "There is no work due.\n"
    retoma("session", "trash", "a")
    with sqlite3.connect(filled / "retoma.db") as database:
        database.execute("UPDATE session SET trashed_at = 1")
    database.close()
    assert "sessions seven days in the trash" in retoma("store", "gc", "--dry-run").stdout
    said = out(retoma("store", "gc", "--vacuum", "--json"))
    assert (said["trashed"], said["done"]) == (1, True)
    assert retoma("session", "ls", "--deleted", "--json").stdout.startswith('{"items":[]')
    assert "and has" in retoma("store", "gc", "--vacuum").stdout


def test_a_bar_is_drawn_after_a_second_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: object) -> None:
    from retoma.interfaces.cli import bar as module
    from retoma.interfaces.cli.output import Output

    written: list[str] = []

    class Terminal:
        isatty: Callable[[], bool] = staticmethod(lambda: True)
        flush: Callable[[], None] = staticmethod(lambda: None)
        write = staticmethod(written.append)

    moments = iter([0.0, 0.5, 1.5, 1.55, 2.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(module.sys, "stderr", Terminal)
    with module.Bar(Output(), "checking", "events") as bar:
        for done in (1, 5_000, 6_000, 10_000):
            bar(done, 10_000)
    assert [line.strip("\r") for line in written] == [
        "checking  ████████████░░░░░░░░░░░░  5,000 of 10,000 events\x1b[K",
        "checking  ████████████████████████  10,000 of 10,000 events\x1b[K",
        "\x1b[K",
    ]
