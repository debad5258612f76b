"""The index is kept up with a process that writes, in its pauses; and nobody who writes waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.calls import Calls

import retoma
from retoma.errors import Unavailable
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.runtime import indexer as indexers
from retoma.runtime.indexer import PAUSE_S, Indexer
from retoma.service.search.found import Asked
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

ANA = Principal(LOCAL_TENANT, "ana")


class Pauses:
    """Pauses of the supervisor, which end when the test says so."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer

    def end(self) -> None:
        """End a pause, and return in the next one."""
        while (seconds := self._indexer.work()) <= 0:
            pass
        assert seconds == PAUSE_S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    clock = Clock()
    store = SqliteStore(tmp_path / "retoma.db", now=clock, random=clock.bytes)
    yield store
    store.close()


@pytest.fixture
def pauses(store: SqliteStore) -> Pauses:
    return Pauses(Indexer(store, ANA))


def say(store: SqliteStore, count: int, session: str = "s") -> None:
    clock = Clock()
    client = Calls(store, ANA, sources=Sources(clock, clock.bytes))
    client.create(NewSession(id=session))
    for n in range(count):
        client.append(session, "user", f"word {n}")


def indexed(store: SqliteStore) -> int:
    return store.read(lambda tx: len(tx.search.docs_from(LOCAL_TENANT, 0, limit=10_000)))


def test_few_writes_are_left_to_those_who_search(store: SqliteStore, pauses: Pauses) -> None:
    say(store, 5)
    for _ in range(3):
        pauses.end()
    assert indexed(store) == 0


def test_many_writes_are_indexed_in_the_pauses(
    store: SqliteStore, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexers, "_SLICE_S", 0)
    say(store, 700)
    assert indexed(store) == 0, "it did not wait for a pause"
    pauses.end()
    some = indexed(store)
    assert 0 < some <= 256, "somebody wrote since the pause before: that was to be one step"
    pauses.end()
    assert 700 - indexed(store) < 256, "nobody wrote: it was to go on to the end"
    commits = store.writes
    for _ in range(3):
        pauses.end()
    assert store.writes == commits, "it wrote though nothing was due"


def test_what_goes_wrong_in_the_background_is_tried_again(
    store: SqliteStore, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(store, 300)

    def refuse(use_case: object) -> None:
        raise Unavailable("No.", code="locked")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", refuse)
        pauses.end()
        assert indexed(store) == 0
    pauses.end()
    assert indexed(store) > 0


def test_a_client_in_python_has_such_a_thread_and_ends_it(tmp_path: Path) -> None:
    with retoma.open(tmp_path / "store"):
        assert "retoma-beside" in {one.name for one in threading.enumerate()}
    assert "retoma-beside" not in {one.name for one in threading.enumerate()}


def test_a_command_that_wrote_indexes_a_little_and_one_that_reads_does_not(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "retoma.db"

    def opened() -> Calls:
        store = SqliteStore(file, now=clock, random=clock.bytes)
        return Calls(store, ANA, sources=Sources(clock, clock.bytes))

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
