"""One thread does what is due beside a process's work, and no job keeps another from its turn."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import retoma
from retoma.runtime.supervisor import Supervisor

LONG_S = 60.0


Beside = Callable[[], list[threading.Thread]]


@pytest.fixture
def beside() -> Beside:
    """Return what finds the supervisors' threads that began in this test."""
    before = set(threading.enumerate())
    return lambda: [one for one in threading.enumerate() if one.name == "retoma-beside" and one not in before]


def test_jobs_run_when_they_are_due_until_they_say_never(beside: Beside) -> None:
    supervisor, ran, over = Supervisor(), list[str](), threading.Event()

    def often() -> float | None:
        ran.append("often")
        if len(ran) < 5:
            return 0.0
        over.set()
        return None

    supervisor.add(lambda: ran.append("once"), 0.0)
    supervisor.add(often, 0.001)
    supervisor.add(later := lambda: ran.append("later"), LONG_S)
    assert over.wait(LONG_S)
    assert len(beside()) == 1
    supervisor.remove(later)
    assert ran == ["once", *["often"] * 4]
    assert not beside()


def test_one_that_is_removed_has_ended_and_one_that_fails_ends_no_other(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, running, go, ended = Supervisor(), threading.Event(), threading.Event(), list[int]()
    said: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: said.append(kind))

    def fails() -> float:
        raise ValueError("on purpose")

    def slow() -> float:
        running.set()
        assert go.wait(LONG_S)
        ended.append(1)
        return 0.0

    supervisor.add(fails, 0.0)
    supervisor.add(slow, 0.001)
    assert running.wait(LONG_S)
    threading.Timer(0.01, go.set).start()
    supervisor.remove(slow)
    assert ended
    assert said == [ValueError]
    assert not beside()


def test_leases_and_the_index_share_the_thread(beside: Beside, tmp_path: Path) -> None:
    with retoma.open(tmp_path / "store") as client:
        one, two = client.create("one"), client.create("two")
        with one.lease(), two.lease(ttl="1s"):
            assert len(beside()) == 1
            one.append("user", "x")
            two.append("user", "x")
        assert len(beside()) == 1
    assert not beside()
