"""A directory of another tool: its sessions are found, and what else it holds is named."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from backports import zstd
from tests.calls import Calls
from tests.service.test_imports import SAMPLES

from retoma.errors import NotFound
from retoma.importers.directory import Aside, sessions_in
from retoma.model.session import NewSession

ROLLOUT = "rollout-2026-09-01T10-00-00-0a0b0c0d-1111-7222-8333-{:012}.jsonl"
LINE = b'{"timestamp": "2026-09-01T10:00:00Z", "type": "session_meta", "payload": {"id": "a"}}\n'
UUID = "5e550006-0000-4000-8000-000000000006"


def found_in(directory: Path) -> tuple[list[str], list[str], Aside]:
    """Return the names of the sessions' files, what was noted, and all that was put aside."""
    aside = Aside()
    names = [path.name for path, _ in sessions_in(directory, aside=aside)]
    return names, [notice.detail.replace(f"{directory}/", "") for notice in aside.notices.all()], aside


def database(path: Path, *tables: str) -> None:
    with sqlite3.connect(path) as made:
        for table in tables:
            made.execute(f"CREATE TABLE {table}")
    made.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / ROLLOUT.format(1)).write_bytes(LINE)
    return tmp_path


def test_neighbours_that_are_no_sessions(directory: Path) -> None:
    index = b'{"version":1,"entries":[{"sessionId":"x","isSidechain":false}]}'
    (directory / "sessions-index.json").write_bytes(index)
    (directory / "indented.json").write_bytes(
        b'\xef\xbb\xbf{\n  "version": 1,\n  "originalPath": "/x y",\n  "entries": [\n {"isSidechain": false}]}'
    )
    (directory / "history.jsonl").write_bytes(b'{"display":"a","project":"/x"}\n')
    (directory / "index.json").write_bytes(b'{"version": 1, "snapshots": [{"userMessage": "x"}]}')
    (directory / "empty.json").write_bytes(b"")
    database(directory / "state_5.sqlite", "threads (id)")
    database(directory / "session.db", "messages (id, session_id)")
    (directory / "broken.db").write_bytes(b"not a database")
    (directory / "notes.txt").write_bytes(LINE)
    shutil.copy(SAMPLES / "openai-agents" / "sessions.db", directory)
    shutil.copy(SAMPLES / "openai-agents" / "damaged" / "torn-file.db", directory)
    names, notes, aside = found_in(directory)
    # A database that is damaged, or none, is tried: reading it says what is wrong.
    assert names == ["broken.db", ROLLOUT.format(1), "sessions.db", "torn-file.db"]
    (note,) = notes
    assert note.startswith(
        "7 other files have no session and were not read: empty.json, history.jsonl, indented.json,"
    )
    assert note.endswith(" index.json, session.db, sessions-index.json, state_5.sqlite")
    assert aside.errors == []


def test_what_looks_like_a_session_and_is_not_read_is_named(directory: Path) -> None:
    for name in (
        ROLLOUT.format(2) + ".gz",
        ROLLOUT.format(3) + ".bak",
        f"{UUID}.jsonl~",
        f"{UUID}.jsonl.2",
        "a.jsonl.gz",
    ):
        (directory / name).write_bytes(LINE)
    (directory / "other").mkdir()
    (directory / "link").symlink_to(directory / "other")
    deep = directory.joinpath(*"abcdefghijklm")
    deep.mkdir(parents=True)
    (deep / ROLLOUT.format(4)).write_bytes(LINE)
    (deep.parent / ROLLOUT.format(5)).write_bytes(LINE)
    (directory / ".git").mkdir()
    names, notes, _ = found_in(directory)
    assert sorted(names) == [ROLLOUT.format(1), ROLLOUT.format(5)]
    assert notes == [
        "link: not read, because it is a link to a directory.",
        f"{UUID}.jsonl.2: not read, because its name ends in '.2'.",
        f"{UUID}.jsonl~: not read, because its name ends in '~'.",
        f"{ROLLOUT.format(2)}.gz: not read, because its name ends in '.gz'.",
        f"{ROLLOUT.format(3)}.bak: not read, because its name ends in '.bak'.",
        "a/b/c/d/e/f/g/h/i/j/k/l/m: not read, because it is more than 12 levels deep.",
    ]


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ROLLOUT.format(1)).symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / ROLLOUT.format(2))
    (tmp_path / "package.json").symlink_to(tmp_path / "gone")
    names, notes, aside = found_in(tmp_path)
    assert names == []
    assert notes == ["1 other file has no session and was not read: package.json"]
    assert [(path.name, error.code) for path, error in aside.errors] == [
        (ROLLOUT.format(1), "unreadable_file"), (ROLLOUT.format(2), "unreadable_file"),
    ]  # fmt: skip


def test_a_compressed_copy_is_read_when_the_file_is_gone(directory: Path) -> None:
    for number in (1, 2, 3):
        (directory / f"{ROLLOUT.format(number)}.zst").write_bytes(zstd.compress(LINE))
    (directory / ROLLOUT.format(3)).write_bytes(b"")
    (directory / "x.jsonl.zst").write_bytes(zstd.compress(b'{"a": 1}\n'))
    names, notes, _ = found_in(directory)
    assert names == [
        ROLLOUT.format(1), f"{ROLLOUT.format(2)}.zst", ROLLOUT.format(3), f"{ROLLOUT.format(3)}.zst",
    ]  # fmt: skip
    assert notes == ["1 other file has no session and was not read: x.jsonl.zst"]


def test_only_neighbours_are_no_session(tmp_path: Path) -> None:
    database(tmp_path / "state_5.sqlite", "threads (id)")
    with pytest.raises(NotFound, match="There is no session of a tool"):
        sessions_in(tmp_path)


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_an_export_may_have_a_byte_order_mark_and_be_compressed(client: Calls, format: str) -> None:
    client.create(NewSession(id="a"))

    data = b"\xef\xbb\xbf" + b"".join(client.export("a", format))
    for file in (data, zstd.compress(data)):
        assert [one.imported.outcome for one in client.bring(io.BytesIO(file)).sessions] == ["unchanged"]
