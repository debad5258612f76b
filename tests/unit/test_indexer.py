"""The index is kept up with a process that writes, in its pauses; and nobody who writes waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from retoma.client import Client
from retoma.errors import Unavailable
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.runtime import indexer as indexers
from retoma.runtime.indexer import Indexer
from retoma.service.found import Asked
from retoma.stores.api import Listing
from retoma.stores.conformance import Clock
from retoma.stores.sqlite import SqliteStore
from retoma.wiring import Sources

ANA = Principal(LOCAL_TENANT, "ana")


class Pauses:
    """Pauses that end when the test says so. `taken` counts those that began."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.ends = threading.Semaphore(0)
        self.over = False

    def __call__(self, seconds: float) -> bool:
        assert seconds > 0
        self.begun.release()
        assert self.ends.acquire(timeout=30)
        return self.over


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    clock = Clock()
    store = SqliteStore(tmp_path / "retoma.db", now=clock, random=clock.bytes)
    yield store
    store.close()


def say(store: SqliteStore, count: int, session: str = "s") -> None:
    clock = Clock()
    client = Client(store, ANA, sources=Sources(clock, clock.bytes))
    client.create(NewSession(id=session))
    for n in range(count):
        client.append(session, "user", f"word {n}")


def indexed(store: SqliteStore) -> int:
    return store.read(lambda tx: sum(part.docs for part in tx.search.parts(LOCAL_TENANT)))


def test_few_writes_wake_nobody(store: SqliteStore) -> None:
    say(store, 5)
    indexer = Indexer(store, ANA)
    for _ in range(5):
        indexer.wrote()
    indexer.close()
    assert threading.active_count() == 1 or "retoma-index" not in {one.name for one in threading.enumerate()}
    assert indexed(store) == 0


def test_many_writes_are_indexed_in_the_next_pause(store: SqliteStore) -> None:
    pauses = Pauses()
    indexer = Indexer(store, ANA, pause=pauses)
    say(store, 600)
    for _ in range(600):
        indexer.wrote()
    assert pauses.begun.acquire(timeout=30)
    assert indexed(store) == 0, "it did not wait for a pause"
    pauses.ends.release()
    assert pauses.begun.acquire(timeout=30)  # somebody wrote since it began: one step, and it waits again
    assert 0 < indexed(store) <= 256
    pauses.ends.release()
    assert indexer._thread is not None
    indexer._thread.join(30)
    assert 600 - indexed(store) < 256
    for _ in range(256):
        indexer.wrote()
    assert pauses.begun.acquire(timeout=30), "it did not begin again"
    pauses.over = True
    pauses.ends.release()
    indexer.close()


def test_closing_ends_the_thread_and_does_a_little(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(store, 300)
    indexer = Indexer(store, ANA)
    monkeypatch.setattr(indexers, "_PAUSE_S", 3_600)
    for _ in range(300):
        indexer.wrote()
    indexer.close()
    assert indexed(store) > 0
    assert "retoma-index" not in {one.name for one in threading.enumerate()}


def test_what_goes_wrong_in_the_background_is_nobodys_error(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(store, 300)
    indexer = Indexer(store, ANA)

    def refuse(use_case: object) -> None:
        raise Unavailable("No.", code="locked")

    monkeypatch.setattr(store, "write", refuse)
    for _ in range(300):
        indexer.wrote()
    indexer.close()


def test_a_client_of_the_command_line_indexes_and_one_that_reads_does_not(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "retoma.db"

    def opened() -> Client:
        store = SqliteStore(file, now=clock, random=clock.bytes)
        return Client(store, ANA, sources=Sources(clock, clock.bytes), indexes=True)

    with opened() as client:
        client.create(NewSession(id="s"))
        for n in range(255):
            client.append("s", "user", f"word {n}")
        before = client.facts().commits
    with opened() as client:
        client.search(Asked(text="word"))
        client.list([Listing()])
    with opened() as client:
        commits = client.facts().commits
        assert commits is not None
        assert before is not None
        assert commits > before, "closing did not index"
        assert client.search(Asked(text="word"), limit=300).total == 255
    with opened() as client:
        assert client.facts().commits == commits, "reading wrote"
