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
from retoma.stores.conformance.store import ALL, OURS, Clock, Open, add, append
from retoma.stores.contract.store import Store, Transaction


class WriterContract:
    """What a store promises to many writers. Use it beside StoreContract, which has the fixtures."""

    def test_who_writes_at_the_same_time_shares_a_commit_in_order(self, store: Store) -> None:
        store.write(add)
        before = store.facts().commits
        assert before is not None, "the store counts its commits"
        assert _while_held(store, *[_append_one] * 20) == [*range(2, 22)]
        assert store.facts().commits == before + 1

    def test_an_error_undoes_its_own_writes_alone(self, store: Store) -> None:
        store.write(add)

        def fails(tx: Transaction) -> None:
            append(tx, _head(tx), "lost")
            add(tx, "two")
            raise ValueError("on purpose")

        for first_seq in (2, 5):
            first, failing, last = _while_held(store, _append_one, fails, _append_one)
            assert (first, last) == (first_seq, first_seq + 1)
            assert isinstance(failing, ValueError)
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

        first, refused, last = _while_held(store, once("a"), lambda tx: add(tx, "taken"), once("b"))
        assert (first, last) == (2, 3)
        assert isinstance(refused, RetomaError)
        assert {*runs} == {"a", "b"}
        assert store.read(_texts) == ["held", "a", "b"]

    def test_who_gives_up_before_its_turn_is_not_run(self, store: Store) -> None:
        store.write(add)

        async def main() -> None:
            with _held(store) as go:
                first, second, third = (store.submit(_append_one) for _ in range(3))
                assert second.cancel()
                go()
                assert (await first, await third) == (2, 3)

        asyncio.run(main())
        assert store.read(_texts) == ["held", "x", "x"]

    def test_who_gives_up_later_has_written(self, store: Store) -> None:
        store.write(add)
        inside, go = threading.Event(), threading.Event()

        def use_case(tx: Transaction) -> None:
            append(tx, _head(tx), "stands")
            inside.set()
            go.wait()

        async def main() -> None:
            waits = store.submit(use_case)
            await asyncio.to_thread(inside.wait)
            waits.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waits
            go.set()
            assert await store.submit(_append_one) == 2

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
            return [await store.submit(partial(_append_to, name=name)) for _ in range(10)]

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

        async def submitted(use_case: Callable[[Transaction], int]) -> int:
            return await store.submit(use_case)

        assert asyncio.run(submitted(lambda tx: add(tx).seq)) == 0
        store.close()
        with pytest.raises(Unavailable, match="was closed"):
            asyncio.run(submitted(_append_one))
        with pytest.raises(Unavailable, match="was closed"):
            store.write(_append_one)


def _while_held(store: Store, *use_cases: Callable[[Transaction], object]) -> list[object]:
    """Submit them while another writes; return what came of each, its result or its error."""

    async def main() -> list[object]:
        with _held(store) as go:
            futures = [store.submit(use_case) for use_case in use_cases]
            assert not any(future.done() for future in futures)
            go()
            return await asyncio.gather(*futures, return_exceptions=True)

    return asyncio.run(main())


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
        writer.add_done_callback(lambda _: inside.set())  # it failed before it was inside
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
