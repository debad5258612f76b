"""Who waits in the writer queue: threads, and tasks with the thread that writes for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from retoma.errors import Unavailable
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from queue import SimpleQueue

T = TypeVar("T")


class Caller:
    """Somebody who waits for a use case: on a thread, or in a task."""

    alone = False
    """Whether it is run outside of any transaction, and so by itself."""
    answered = False
    """Whether `result` or `error` is there for it to take."""
    error: BaseException | None = None

    def run(self, transaction: Transaction) -> None:
        """Run the use case and keep its result."""
        raise NotImplementedError

    def starts(self) -> bool:
        """Return whether it is still to be run; from then on it cannot be called off."""
        raise NotImplementedError

    def takes_seat(self, seat: dict[None, int]) -> bool:
        """Make it the writer, which `seat` then says; return False when it gave up."""
        raise NotImplementedError


class Case(Caller, Generic[T]):
    """A use case and its result."""

    result: T

    def __init__(self, use_case: Callable[[Transaction], T]) -> None:
        self._use_case = use_case

    def run(self, transaction: Transaction) -> None:
        self.result = self._use_case(transaction)


class Blocked(Caller):
    """A thread that blocks on `ready` until it is woken, answered or with the seat."""

    def __init__(self, me: int) -> None:
        self.ready = threading.Lock()
        self.ready.acquire()
        self.gave_up = False
        self._me = me
        self._deciding = threading.Lock()

    def starts(self) -> bool:
        return not self.gave_up

    def takes_seat(self, seat: dict[None, int]) -> bool:
        with self._deciding:
            if self.gave_up:
                return False
            seat[None] = self._me
            self.ready.release()
        return True

    def give_up(self) -> None:
        with self._deciding:
            self.gave_up = True


class Waiting(Case[T], Blocked):
    """A thread that waits for its use case."""

    def __init__(self, use_case: Callable[[Transaction], T], me: int, *, alone: bool = False) -> None:
        Case.__init__(self, use_case)
        Blocked.__init__(self, me)
        self.alone = alone


class Submitted(Case[T]):
    """A task that awaits `future`; `thread` writes when it is next."""

    def __init__(self, use_case: Callable[[Transaction], T], thread: WriterThread) -> None:
        from asyncio import get_running_loop

        super().__init__(use_case)
        self.loop: AbstractEventLoop = get_running_loop()
        self.future: Future[T] = self.loop.create_future()
        self._thread = thread

    def starts(self) -> bool:
        return not self.future.cancelled()

    def takes_seat(self, seat: dict[None, int]) -> bool:
        if not self.starts():
            return False
        if self._thread.takes_seat(self, seat):
            return True
        self.error = Unavailable("The store was closed.", code="closed", hint="Open it again.")
        tell([self])
        return False


def tell(calls: Iterable[Submitted[Any]]) -> None:
    """Let tasks go on that have been answered: one call for each event loop. Telling them twice is no harm."""
    loops: dict[AbstractEventLoop, list[Submitted[Any]]] = {}
    for call in calls:
        loops.setdefault(call.loop, []).append(call)
    for loop, several in loops.items():
        with suppress(RuntimeError):  # the loop was closed, and its tasks with it
            loop.call_soon_threadsafe(_settle, several)


def _settle(calls: list[Submitted[Any]]) -> None:
    for call in calls:
        if call.future.done():
            continue
        if call.error is None:
            call.future.set_result(call.result)
        elif isinstance(call.error, StopIteration):
            # It would end the coroutine that awaits it, as if nothing had happened.
            call.future.set_exception(RuntimeError(f"A use case raised {call.error!r}."))
        else:
            call.future.set_exception(call.error)


class WriterThread:
    """The thread that writes for those who have none here. It begins with the first of them."""

    def __init__(self, serve: Callable[[Caller], None]) -> None:
        self.ident: int | None = None
        self._serve = serve
        self._calls: SimpleQueue[Caller | None] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._deciding = threading.Lock()

    def start(self) -> None:
        if self._calls is not None:
            return
        from queue import SimpleQueue

        with self._deciding:
            if self._calls is None and not self._closed:
                calls: SimpleQueue[Caller | None] = SimpleQueue()
                self._thread = threading.Thread(
                    target=self._run, args=(calls,), name="retoma-writer", daemon=True
                )
                self._thread.start()
                self.ident = self._thread.ident
                self._calls = calls

    def takes_seat(self, call: Caller, seat: dict[None, int]) -> bool:
        with self._deciding:
            if self._closed or self._calls is None or self.ident is None:
                return False
            seat[None] = self.ident
            self._calls.put(call)
            return True

    def close(self) -> None:
        with self._deciding:
            self._closed = True
            calls, thread = self._calls, self._thread
        if calls is not None and thread is not None:
            calls.put(None)
            if thread.ident != get_ident():
                thread.join()

    def _run(self, calls: SimpleQueue[Caller | None]) -> None:
        while (call := calls.get()) is not None:
            self._serve(call)
