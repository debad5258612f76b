"""The writer queue by itself, on a turn that keeps a log: who shares a commit, and what becomes of whom."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from retoma.errors import Unavailable
from retoma.stores.write_queue import seat as turns
from retoma.stores.write_queue import writer
from retoma.stores.write_queue.writer import GROUP_CALLERS, WriterQueue

pytestmark = pytest.mark.alone


class Gone(Exception):
    """An error that takes the transaction along."""


class Log:
    """A turn without a database: `done` is what was committed, transaction by transaction."""

    def __init__(self) -> None:
        self.done: list[list[str]] = []
        self.began = 0
        self.fails: dict[str, list[BaseException]] = {}
        self.open = False
        self._written: list[str] = []
        self._mark = 0
        self.transaction = SimpleNamespace(put=self._put)

    def begin(self):
        self._fail("begin")
        assert not self.open
        self.began += 1
        self.open, self._written = True, []
        return self.transaction

    def mark(self):
        self._mark = len(self._written)
        return self.transaction

    def keep(self) -> None:
        self._fail("keep")

    def undo(self, error: BaseException) -> bool:
        if isinstance(error, Gone):
            self.open = False
            return False
        del self._written[self._mark :]
        return True

    def commit(self) -> None:
        self._fail("commit")
        self.open = False
        if self._written:
            self.done.append(self._written)
        self._fail("committed")

    def end(self, error: BaseException | None) -> None:
        self.open = False

    def translated(self, error: BaseException) -> BaseException:
        return Unavailable("translated", code="io") if isinstance(error, OSError) else error

    def _put(self, text: str) -> None:
        self._written.append(text)

    def _fail(self, at: str) -> None:
        if self.fails.get(at):
            raise self.fails[at].pop(0)


@pytest.fixture
def turn() -> Log:
    return Log()


@pytest.fixture
def queue(turn: Log) -> Iterator[WriterQueue]:
    queue = WriterQueue(turn)
    yield queue
    queue.close()


def puts(text: str) -> Callable[..., str]:
    def use_case(tx) -> str:
        tx.put(text)
        return text

    return use_case


def raises(error: BaseException) -> Callable[..., None]:
    def use_case(tx) -> None:
        tx.put("undone")
        raise error

    return use_case


class Held:
    """A writer on a thread of its own, that stays in its use case until it is let go."""

    def __init__(self, queue: WriterQueue, text: str = "first") -> None:
        self._go, inside = threading.Event(), threading.Event()

        def use_case(tx) -> str:
            tx.put(text)
            inside.set()
            self._go.wait()
            return text

        self._pool = ThreadPoolExecutor(1)
        self.future = self._pool.submit(queue.write, use_case)
        self.future.add_done_callback(lambda _: inside.set())  # it failed before it was inside
        inside.wait()

    def lets_go(self) -> None:
        self._go.set()
        self._pool.shutdown()


class Tasks:
    """Tasks of an event loop that runs on a thread of its own; what they come to, as Futures."""

    def __init__(self, queue: WriterQueue) -> None:
        self._queue = queue
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def submit(self, use_case: Callable[..., object]) -> Future[object]:
        """Queue `use_case`; it waits there when this returns."""

        async def begin() -> asyncio.Future[object]:
            return self._queue.submit(use_case)

        async def wait() -> object:
            return await waits

        waits = asyncio.run_coroutine_threadsafe(begin(), self._loop).result()
        return asyncio.run_coroutine_threadsafe(wait(), self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def tasks(queue: WriterQueue) -> Iterator[Tasks]:
    tasks = Tasks(queue)
    yield tasks
    tasks.close()


def outcome(future: Future[object]) -> object:
    error = future.exception()
    return future.result() if error is None else type(error)


def test_one_caller_is_one_transaction(queue: WriterQueue, turn: Log) -> None:
    assert queue.write(puts("a")) == "a"
    assert queue.write(puts("b")) == "b"
    assert turn.done == [["a"], ["b"]]


def test_who_comes_meanwhile_shares_the_commit_in_order(queue: WriterQueue, tasks: Tasks, turn: Log) -> None:
    held = Held(queue)
    futures = [tasks.submit(puts(str(n))) for n in range(10)]
    assert not any(future.done() for future in futures)
    held.lets_go()
    assert [future.result() for future in futures] == [str(n) for n in range(10)]
    assert turn.done == [["first", *map(str, range(10))]]


def test_an_error_is_its_callers_alone(queue: WriterQueue, tasks: Tasks, turn: Log) -> None:
    held = Held(queue)
    futures = [tasks.submit(puts("a")), tasks.submit(raises(KeyError("x"))), tasks.submit(puts("b"))]
    held.lets_go()
    assert [outcome(future) for future in futures] == ["a", KeyError, "b"]
    assert turn.done == [["first", "a", "b"]]


def test_a_group_is_cut_at_its_size(
    queue: WriterQueue, tasks: Tasks, turn: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GROUP_S", 60)
    held = Held(queue)
    futures = [tasks.submit(puts(str(n))) for n in range(100)]
    held.lets_go()
    assert [future.result() for future in futures] == [str(n) for n in range(100)]
    assert [len(group) for group in turn.done] == [GROUP_CALLERS, 101 - GROUP_CALLERS]


def test_a_group_is_cut_at_its_time(
    queue: WriterQueue, tasks: Tasks, turn: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GROUP_S", 0)
    held = Held(queue)
    futures = [tasks.submit(puts(str(n))) for n in range(4)]
    held.lets_go()
    assert [future.result() for future in futures] == [str(n) for n in range(4)]
    assert turn.done == [["first", "0"], ["1", "2"], ["3"]]


def test_where_commits_are_slow_a_writer_waits_for_those_whom_the_last_one_answered(
    queue: WriterQueue, tasks: Tasks, turn: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, commit = [0.0], turn.commit

    def slow() -> None:
        now[0] += 480
        commit()

    for module in (turns, writer):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(turns, "PAUSE_S", 60)
    monkeypatch.setattr(turn, "commit", slow)
    held = Held(queue)
    first = [tasks.submit(puts(str(n))) for n in range(3)]
    held.lets_go()
    assert [future.result() for future in first] == ["0", "1", "2"]
    again = [tasks.submit(puts(text)) for text in "abcd"]
    assert [future.result() for future in again] == [*"abcd"]
    assert turn.done == [["first", "0", "1", "2"], [*"abcd"]]
    # Nobody else comes: it is not waited for them for ever, nor the next time.
    monkeypatch.setattr(turns, "PAUSE_S", 0.001)
    assert [queue.write(puts(text)) for text in "ef"] == ["e", "f"]


@pytest.mark.parametrize("at", ["commit", "keep"])
def test_a_group_that_was_not_committed_runs_again_one_at_a_time(
    queue: WriterQueue, tasks: Tasks, turn: Log, at: str
) -> None:
    held = Held(queue)
    futures = [tasks.submit(puts("a")), tasks.submit(raises(KeyError("x"))), tasks.submit(puts("b"))]
    turn.fails[at] = [OSError("disk")]
    held.lets_go()
    assert held.future.result() == "first"
    assert [outcome(future) for future in futures] == ["a", KeyError, "b"]
    assert turn.done == [["first"], ["a"], ["b"]]


def test_a_transaction_that_went_with_an_error_runs_again_one_at_a_time(
    queue: WriterQueue, tasks: Tasks, turn: Log
) -> None:
    held = Held(queue)
    futures = [tasks.submit(puts("a")), tasks.submit(raises(Gone())), tasks.submit(puts("b"))]
    held.lets_go()
    assert held.future.result() == "first"
    assert [outcome(future) for future in futures] == ["a", Gone, "b"]
    assert turn.done == [["first"], ["a"], ["b"]]


def test_nobody_is_answered_before_the_commit(queue: WriterQueue, tasks: Tasks, turn: Log) -> None:
    held = Held(queue)
    futures = [tasks.submit(puts("a")), tasks.submit(raises(KeyError("x")))]
    seen: list[bool] = []
    commit = turn.commit

    def watched() -> None:
        seen.extend(future.done() for future in futures)
        commit()

    turn.commit = watched  # type: ignore[method-assign]
    held.lets_go()
    assert [outcome(future) for future in futures] == ["a", KeyError]
    assert seen == [False, False]


def test_when_nobody_can_write_all_who_wait_are_told_at_once(
    queue: WriterQueue, tasks: Tasks, turn: Log
) -> None:
    held = Held(queue)
    # The callers of `alone` are taken along by nobody, so the one behind it begins a turn.
    inside, go = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        go.wait()

    with ThreadPoolExecutor(1) as pool:
        alone = pool.submit(queue.alone, work)
        held.lets_go()
        inside.wait()
        futures = [tasks.submit(puts(str(n))) for n in range(5)]
        turn.fails["begin"] = [Unavailable("locked", code="write_lock")]
        go.set()
        assert [outcome(future) for future in futures] == [Unavailable] * 5
        alone.result()
    assert len({id(future.exception()) for future in futures}) == 5
    assert queue.write(puts("after")) == "after"
    assert turn.done == [["first"], ["after"]]


def test_a_cancelled_caller_is_not_run(queue: WriterQueue, tasks: Tasks, turn: Log) -> None:
    held = Held(queue)

    async def main() -> None:
        futures = [queue.submit(puts(str(n))) for n in range(3)]
        assert futures[1].cancel()
        held.lets_go()
        assert await futures[2] == "2"
        with pytest.raises(asyncio.CancelledError):
            await futures[1]

    asyncio.run(main())
    assert turn.done == [["first", "0", "2"]]


def test_what_is_cancelled_later_stands(queue: WriterQueue, turn: Log) -> None:
    inside, go = threading.Event(), threading.Event()

    def use_case(tx) -> None:
        tx.put("written")
        inside.set()
        go.wait()

    async def main() -> None:
        waits = queue.submit(use_case)
        await asyncio.to_thread(inside.wait)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        go.set()
        await queue.submit(puts("next"))

    asyncio.run(main())
    assert turn.done == [["written"], ["next"]] or turn.done == [["written", "next"]]


def test_only_submitting_makes_a_thread(queue: WriterQueue, tasks: Tasks, turn: Log) -> None:
    before = threading.active_count()
    queue.write(puts("a"))
    assert threading.active_count() == before
    assert tasks.submit(puts("b")).result() == "b"
    assert threading.active_count() == before + 1
    queue.close()
    assert threading.active_count() == before
    with pytest.raises(Unavailable, match="closed"):
        tasks.submit(puts("c")).result()


def test_a_write_in_a_use_case_is_refused(queue: WriterQueue, turn: Log) -> None:
    for inner in (queue.write, queue.submit):
        with pytest.raises(RuntimeError, match="another write"):
            queue.write(lambda tx, inner=inner: inner(puts("x")))
    assert queue.write(puts("a")) == "a"


def test_what_runs_alone_runs_between_groups(queue: WriterQueue, turn: Log) -> None:
    held = Held(queue)
    with ThreadPoolExecutor(1) as pool:
        alone = pool.submit(queue.alone, lambda: turn.open)
        held.lets_go()
        assert alone.result() is False
    assert queue.write(lambda tx: queue.alone(lambda: turn.open)) is True


@pytest.mark.parametrize("at", ["commit", "committed"])
def test_an_interrupt_is_the_writers_alone(queue: WriterQueue, tasks: Tasks, turn: Log, at: str) -> None:
    held = Held(queue)
    futures = [tasks.submit(puts("a")), tasks.submit(puts("b"))]
    turn.fails[at] = [KeyboardInterrupt()]
    held.lets_go()
    assert isinstance(held.future.exception(), KeyboardInterrupt)
    assert [future.result() for future in futures] == ["a", "b"]
    queue.write(puts("last"))
    written = [text for group in turn.done for text in group]
    assert written == (["a", "b", "last"] if at == "commit" else ["first", "a", "b", "last"])


def test_every_caller_is_answered_once_whoever_they_are(queue: WriterQueue, tasks: Tasks, turn: Log) -> None:
    """Threads and Futures, some of which fail, all at once."""
    begin = threading.Barrier(12)
    answered: list[object] = []

    def thread(n: int) -> None:
        begin.wait()
        for m in range(100):
            text = f"{n}.{m}"
            if m % 7:
                answered.append(queue.write(puts(text)))
            else:
                with pytest.raises(KeyError):
                    queue.write(raises(KeyError(text)))

    def submits(n: int) -> None:
        begin.wait()
        for m in range(25):
            futures = [tasks.submit(puts(f"{n}.{m}.{k}")) for k in range(4)]
            answered.extend(future.result() for future in futures)

    with ThreadPoolExecutor(12) as pool:
        for each in [pool.submit(thread, n) for n in range(8)] + [
            pool.submit(submits, n) for n in range(8, 12)
        ]:
            each.result()
    written = [text for group in turn.done for text in group]
    assert sorted(written) == sorted(map(str, answered))
    assert len(set(written)) == len(written) == 8 * 85 + 4 * 100


@pytest.mark.parametrize("late_s", [-1, 60], ids=["all at once", "each by the one before"])
def test_threads_are_woken(queue: WriterQueue, monkeypatch: pytest.MonkeyPatch, late_s: float) -> None:
    monkeypatch.setattr(turns, "LATE_S", late_s)
    monkeypatch.setattr(turns, "LOST_S", 60)
    held = Held(queue)
    with ThreadPoolExecutor(20) as pool:
        futures = [
            pool.submit(lambda n=n: [queue.write(puts(f"{n}.{m}")) for m in range(50)]) for n in range(20)
        ]
        held.lets_go()
        assert [future.result() for future in futures] == [[f"{n}.{m}" for m in range(50)] for n in range(20)]


def test_a_thread_that_nobody_wakes_finds_its_answer_by_itself(
    queue: WriterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOST_S", 0.001)
    monkeypatch.setattr(queue, "_wake_next", lambda: None)
    held = Held(queue)
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(queue.write, puts(str(n))) for n in range(5)]
        held.lets_go()
        assert [future.result() for future in futures] == [str(n) for n in range(5)]


def test_tasks_of_several_loops_are_told_and_a_closed_one_is_in_nobodys_way(queue: WriterQueue) -> None:
    held, left = Held(queue), asyncio.new_event_loop()

    async def leave() -> None:
        queue.submit(puts("left"))

    left.run_until_complete(leave())
    left.close()
    several = [Tasks(queue), Tasks(queue)]
    futures = [tasks.submit(puts(str(n))) for n, tasks in enumerate(several)]
    held.lets_go()
    assert [future.result() for future in futures] == ["0", "1"]
    for tasks in several:
        tasks.close()


def test_what_would_end_a_coroutine_is_an_error_of_its_own(queue: WriterQueue) -> None:
    async def main() -> None:
        await queue.submit(raises(StopIteration()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(main())


def test_interrupts_at_any_moment_leave_nobody_waiting(queue: WriterQueue, turn: Log) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def thread(n: int) -> list[str]:
        return [queue.write(puts(f"{n}.{m}")) for m in range(1_000)]

    tried, answered = 0, []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with ThreadPoolExecutor(3) as pool:
            others = [pool.submit(thread, n) for n in range(3)]
            while not all(other.done() for other in others):
                with contextlib.suppress(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, 0.00005 + 0.000001 * (tried % 200))
                    # An interrupt in a finalizer is swallowed by Python: then the loop ends by itself.
                    for _ in range(1_000):
                        tried += 1
                        answered.append(queue.write(puts(f"main.{tried}")))
                    signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    written = [text for group in turn.done for text in group]
    assert len(set(written)) == len(written)
    assert set(written) >= {*answered, *(text for other in others for text in other.result())}
