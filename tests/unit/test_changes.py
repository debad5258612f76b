"""Wake-ups on SQLite: their files are private and go away, and a store without a place for them works."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from retoma.stores.conformance.store import Clock, add
from retoma.stores.sqlite.store import SqliteStore

LISTENS = """
import sys
from pathlib import Path
from retoma.stores.sqlite.changes import SqliteChanges
listener = SqliteChanges(Path(sys.argv[1])).listen()
print(listener.prompt, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    clock = Clock()
    with closing(SqliteStore(tmp_path / "retoma.db", now=clock, random=clock.bytes)) as store:
        yield store


def sockets(directory: Path) -> list[Path]:
    return sorted((directory / "write.wake").glob("*"))


def test_its_files_are_the_owners_alone_and_go_with_the_listener(store: SqliteStore, tmp_path: Path) -> None:
    one, two = store.changes(), store.changes()
    assert [place.stat().st_mode & 0o777 for place in sockets(tmp_path)] == [0o600, 0o600]
    assert (tmp_path / "write.wake").stat().st_mode & 0o777 == 0o700
    one.close()
    assert len(sockets(tmp_path)) == 1
    two.close()
    assert not (tmp_path / "write.wake").exists()
    assert (tmp_path / "write.lock").read_bytes() == b"\1"
    store.write(add)
    assert (tmp_path / "write.lock").read_bytes() == b""


def test_what_a_dead_listener_left_is_removed_by_the_next_writer(store: SqliteStore, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENS, tmp_path / "retoma.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    process.kill()
    process.communicate()
    assert len(sockets(tmp_path)) == 1
    store.write(add)
    assert not (tmp_path / "write.wake").exists()
    assert (tmp_path / "write.lock").read_bytes() == b""


def test_a_place_whose_path_is_long_has_wake_ups(tmp_path: Path) -> None:
    clock, place = Clock(), tmp_path / ("d" * 100) / "retoma.db"
    with closing(SqliteStore(place, now=clock, random=clock.bytes)) as store:
        store.write(add)
        with closing(store.changes()) as changes:
            assert changes.prompt
            store.write(lambda tx: add(tx, "two"))
            with pytest.raises(BlockingIOError), socket.fromfd(os.dup(changes.fileno()), 1, 2) as peeked:
                assert peeked.recv(1) == b"!"
                peeked.recv(1)


@pytest.mark.parametrize("refused", ["mkdir", "bind"])
def test_a_store_without_a_place_for_them_works(
    store: SqliteStore, tmp_path: Path, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if refused == "mkdir":
        (tmp_path / "write.wake").write_text("a file of somebody else's")
    else:
        monkeypatch.setattr("retoma.stores.sqlite.changes._bind", _refuses)
    with closing(store.changes()) as changes:
        assert not changes.prompt
        store.write(add)
        changes.wait(0.001)
    store.write(lambda tx: add(tx, "two"))


def _refuses(*_: object) -> str:
    raise OSError("read-only")
