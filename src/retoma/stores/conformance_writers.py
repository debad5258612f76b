"""The contract for callers that write at the same time, as tests: they share commits, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest

from retoma.errors import RetomaError, Unavailable
from retoma.model.codec import Json
from retoma.model.session import Head
from retoma.stores.api import Store, Transaction
from retoma.stores.conformance import ALL, OURS, Clock, Open, add, append


class WriterContract:
    """What a store promises to many writers. Use it beside StoreContract, which has the fixtures."""

    def test_who_writes_at_the_same_time_shares_a_commit_in_order(self, store: Store) -> None:
        store.write(add)
        before = store.facts().commits
        assert before is not None, "the store counts its commits"
        with _held(store) as go:
            futures = [store.submit(_append_one) for _ in range(20)]
            assert not any(future.done() for future in futures)
            go()
            assert [future.result() for future in futures] == list(range(2, 22))
        assert store.facts().commits == before + 1

    def test_an_error_undoes_its_own_writes_alone(self, store: Store) -> None:
        store.write(add)

        def fails(tx: Transaction) -> None:
            append(tx, _head(tx), "lost")
            add(tx, "two")
            raise ValueError("on purpose")

        for first_seq in (2, 5):
            with _held(store) as go:
                first, failing, last = (
                    store.submit(_append_one),
                    store.submit(fails),
                    store.submit(_append_one),
                )
                go()
                assert (first.result(), last.result()) == (first_seq, first_seq + 1)
                with pytest.raises(ValueError, match="on purpose"):
                    failing.result()
        assert store.read(lambda tx: tx.sessions.get(OURS, "two")) is None
        assert store.read(_texts) == ["held", "x", "x"] * 2

    def test_who_runs_twice_writes_once(self, store: Store) -> None:
        """The database refuses one of a group: the others are there once, however often they ran."""
        store.write(add)
        store.write(lambda tx: add(tx, "taken"))
        runs: list[str] = []

        def once(text: str) -> Callable[[Transaction], int]:
            def use_case(tx: Transaction) -> int:
                runs.append(text)
                return append(tx, _head(tx), text).seq

            return use_case

        with _held(store) as go:
            first = store.submit(once("a"))
            refused = store.submit(lambda tx: add(tx, "taken"))
            last = store.submit(once("b"))
            go()
            assert (first.result(), last.result()) == (2, 3)
            with pytest.raises(RetomaError):
                refused.result()
        assert {*runs} == {"a", "b"}
        assert store.read(_texts) == ["held", "a", "b"]

    def test_who_gives_up_before_its_turn_is_not_run(self, store: Store) -> None:
        store.write(add)
        with _held(store) as go:
            first, second, third = (store.submit(_append_one) for _ in range(3))
            assert second.cancel()
            go()
            assert (first.result(), third.result()) == (2, 3)
        assert store.read(_texts) == ["held", "x", "x"]

    def test_who_gives_up_later_has_written(self, store: Store) -> None:
        store.write(add)
        inside, go = threading.Event(), threading.Event()

        def use_case(tx: Transaction) -> None:
            append(tx, _head(tx), "stands")
            inside.set()
            go.wait()

        async def main() -> None:
            waits = asyncio.ensure_future(asyncio.wrap_future(store.submit(use_case)))
            await asyncio.to_thread(inside.wait)
            waits.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waits
            go.set()
            assert await asyncio.wrap_future(store.submit(_append_one)) == 2

        asyncio.run(main())
        assert store.read(_texts) == ["stands", "x"]

    def test_every_caller_is_answered_threads_and_tasks_alike(self, store: Store) -> None:
        for name in ("one", "two"):
            store.write(partial(add, name=name))
        begin = threading.Barrier(9)

        def write(name: str) -> list[int]:
            begin.wait()
            return [store.write(partial(_append_to, name=name)) for _ in range(20)]

        async def submit(name: str) -> list[int]:
            return [
                await asyncio.wrap_future(store.submit(partial(_append_to, name=name))) for _ in range(10)
            ]

        async def tasks() -> list[list[int]]:
            return await asyncio.gather(*(submit(name) for name in ("one", "two") * 4))

        with ThreadPoolExecutor(8) as pool:
            threads = [pool.submit(write, name) for name in ("one", "two") * 4]
            begin.wait()
            submitted = asyncio.run(tasks())
            written = [thread.result() for thread in threads]
        for n in (0, 1):
            seqs = [*written[n::2], *submitted[n::2]]
            assert all(one == sorted(one) for one in seqs)
            assert sorted(itertools.chain(*seqs)) == list(range(1, 121))

    def test_what_is_submitted_to_a_closed_store_is_refused(self, opened: Open, clock: Clock) -> None:
        store = opened(clock)
        assert store.submit(lambda tx: add(tx).seq).result() == 0
        store.close()
        with pytest.raises(Unavailable, match="was closed"):
            store.submit(_append_one).result()
        with pytest.raises(Unavailable, match="was closed"):
            store.write(_append_one)


@contextmanager
def _held(store: Store) -> Generator[Callable[[], None], None, None]:
    """Keep a writer in its use case, which appends to the session `one`, until what is yielded is called."""
    inside, go = threading.Event(), threading.Event()

    def use_case(tx: Transaction) -> None:
        append(tx, _head(tx), "held")
        inside.set()
        go.wait()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(store.write, use_case)
        inside.wait()
        try:
            yield go.set
        finally:
            go.set()
        writer.result()


def _append_one(tx: Transaction) -> int:
    return append(tx, _head(tx), "x").seq


def _append_to(tx: Transaction, name: str) -> int:
    return append(tx, _head(tx, name), "x").seq


def _texts(tx: Transaction) -> list[Json]:
    events = tx.journal.read(_head(tx).key, limit=ALL)
    return [event.value()["content"] for event in events]


def _head(tx: Transaction, name: str = "one") -> Head:
    head = tx.sessions.head(OURS, name)
    assert head is not None
    return head
