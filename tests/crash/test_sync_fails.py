"""A sync that fails: nobody is told that it was written, and the next write begins on a new connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from retoma.errors import Unavailable
from retoma.model.ids import SessionId, TenantKey
from retoma.model.session import NewSession
from retoma.stores.conformance.store import Clock, append
from retoma.stores.contract.store import Transaction
from retoma.stores.sqlite.store import SqliteStore

OURS = TenantKey(1)


class Faults:
    """How many of the next syncs fail, and how many connections were opened."""

    syncs = 0
    opened = 0


@pytest.fixture
def faults() -> Iterator[Faults]:
    faults, base = Faults(), apsw.vfs_names()[0]

    class File(apsw.VFSFile):
        def xSync(self, flags: int) -> None:
            if faults.syncs:
                faults.syncs -= 1
                raise apsw.IOError("on purpose")
            super().xSync(flags)

    class System(apsw.VFS):
        def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> File:
            return File(base, name, flags)

    def hook(connection: apsw.Connection) -> None:
        faults.opened += 1

    system = System("retoma-faults", base, makedefault=True)
    apsw.connection_hooks.append(hook)
    yield faults
    apsw.connection_hooks.remove(hook)
    system.unregister()


@pytest.fixture
def store(faults: Faults, tmp_path: Path) -> Iterator[SqliteStore]:
    clock = Clock()
    store = SqliteStore(tmp_path / "retoma.db", now=clock, random=clock.bytes)
    store.write(lambda tx: tx.sessions.add(OURS, SessionId("one"), NewSession(), parent=None))
    yield store
    faults.syncs = 0
    store.close()


def say(text: str):
    def use_case(tx: Transaction) -> str:
        head = tx.sessions.head(OURS, "one")
        assert head is not None
        append(tx, head, text)
        return text

    return use_case


def said(store: SqliteStore) -> list[str]:
    def use_case(tx: Transaction) -> list[str]:
        head = tx.sessions.head(OURS, "one")
        assert head is not None
        return [event.value()["content"] for event in tx.journal.read(head.key, limit=100)]

    return store.read(use_case)


def test_one_caller_is_told_and_the_next_write_goes_on(store: SqliteStore, faults: Faults) -> None:
    opened = faults.opened
    faults.syncs = 1
    with pytest.raises(Unavailable) as told:
        store.write(say("lost"))
    assert told.value.code == "io"
    store.write(say("kept"))
    assert faults.opened == opened + 1
    assert said(store) == ["kept"]


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_group_runs_again_one_at_a_time(store: SqliteStore, faults: Faults, failing: int) -> None:
    inside, go = threading.Event(), threading.Event()

    def first(tx: Transaction) -> str:
        inside.set()
        go.wait()
        return say("first")(tx)

    async def main() -> list[object]:
        writer = asyncio.get_running_loop().run_in_executor(None, store.write, first)
        inside.wait()
        futures = [store.submit(say(text)) for text in ("a", "b", "c")]
        faults.syncs = failing  # the group's, that of the first alone, that of the second
        go.set()
        return await asyncio.gather(writer, *futures, return_exceptions=True)

    outcomes = asyncio.run(main())
    kept = [one for one in outcomes if isinstance(one, str)]
    assert all(isinstance(one, (Unavailable, str)) for one in outcomes)
    assert kept == ["first", "a", "b", "c"][failing - 1 :]
    assert said(store) == kept
