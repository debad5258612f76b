"""The lock between processes: nobody is shut out, and nobody waits for ever."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from retoma.errors import Unavailable
from retoma.stores.write_queue import lock as write_lock
from retoma.stores.write_queue.lock import WriteLock


@pytest.fixture
def locks(tmp_path: Path) -> Iterator[tuple[WriteLock, WriteLock]]:
    pair = WriteLock(tmp_path / "write.lock", "here"), WriteLock(tmp_path / "write.lock", "here")
    yield pair
    for lock in pair:
        lock.close()


def test_it_is_held_by_one(locks: tuple[WriteLock, WriteLock], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_lock, "WAIT_S", 0.02)
    first, second = locks
    first.acquire()
    with pytest.raises(Unavailable, match="Another process has been writing to here") as refused:
        second.acquire()
    assert refused.value.code == "write_lock"
    first.release()
    second.acquire()


def test_who_has_written_for_long_lets_others_go_first(
    locks: tuple[WriteLock, WriteLock], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_lock, "WAIT_S", 0.02)
    monkeypatch.setattr(write_lock, "TURN_S", 0)
    slept: list[float] = []
    monkeypatch.setattr(write_lock, "sleep", slept.append)
    first, _ = locks
    first.acquire()
    first.release()
    assert slept == []
    with (tmp_path / "write.queue").open() as waiting:
        fcntl.flock(waiting, fcntl.LOCK_SH)
        first.acquire()
    assert len(slept) == 1
    first.release()


def test_who_waits_tries_more_often_the_longer_it_waits(
    locks: tuple[WriteLock, WriteLock], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slept = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    monkeypatch.setattr(write_lock, "sleep", sleep)
    monkeypatch.setattr(write_lock, "monotonic", lambda: now)
    monkeypatch.setattr(write_lock, "WAIT_S", 0.2)
    first, second = locks
    first.acquire()
    with pytest.raises(Unavailable):
        second.acquire()
    assert slept == sorted(slept, reverse=True)
    assert slept[0] > 50 * slept[-1]
