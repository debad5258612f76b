"""The writer queue: callers that write at the same time share a transaction, and its commit. For SQLite.

A caller that finds nobody writing runs its use case itself, on its own thread. Who comes meanwhile queues. A writer
that has run its own use case takes along whoever waits, up to 64 callers or 5 ms, and commits for all of them; then the
first that still waits writes next. So nobody waits longer than for those before it, and a commit is as large as the
crowd. Where a commit takes long, a writer first waits a moment for those whom the last one answered. Callers of
`submit` have no thread here: when one of them is next, the queue's own thread writes.

Nobody is answered before COMMIT returned, neither with a result nor with an error. The error of a use case that is
taken along undoes its own writes alone. Where that cannot be done, or the transaction is gone, or COMMIT fails, nobody
of the group was written, and each of it runs again in a transaction of its own. So a use case can run twice.

A caller that gives up before its use case was begun (a task that is cancelled, an interrupt) is not run. Later, its
result is dropped, and the write stands.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

from retoma.errors import RetomaError
from retoma.stores.contract.store import Transaction
from retoma.stores.write_queue.callers import Caller, Case, Submitted, Waiting, WriterThread
from retoma.stores.write_queue.seat import GROUP_CALLERS, GROUP_S, Turns

if TYPE_CHECKING:
    from asyncio import Future

T = TypeVar("T")


class Turn(Protocol):
    """What a dialect gives the queue: its one connection that writes, for one transaction at a time."""

    @property
    def open(self) -> bool:
        """Whether the transaction that was begun is still there."""
        ...

    def begin(self) -> Transaction:
        """Wait until no other process writes, and begin. Raises Unavailable when that takes too long."""
        ...

    def mark(self) -> Transaction:
        """Begin a part of the transaction that can be undone by itself."""
        ...

    def keep(self) -> None:
        """End the part; what it wrote stays."""
        ...

    def undo(self, error: BaseException) -> bool:
        """Undo the part, which raised `error`; return whether the transaction can go on."""
        ...

    def commit(self) -> None:
        """Make all of it durable. Raises when it is not."""
        ...

    def end(self, error: BaseException | None) -> None:
        """Undo what was not committed and let others write. After an I/O error, the next turn connects anew."""
        ...

    def translated(self, error: BaseException) -> BaseException:
        """Return what an error of the driver's means, or the error itself."""
        ...


class _Gone(Exception):
    """The transaction went with the error of one use case."""


class _CannotBegin(Exception):
    """What to tell a caller without trying for it."""

    def __init__(self, said: BaseException) -> None:
        self.said = said


class WriterQueue(Turns):
    """Runs use cases through `turn`, one group at a time."""

    def __init__(self, turn: Turn) -> None:
        super().__init__()
        self._turn = turn
        self._thread = WriterThread(self._serve)

    def write(self, use_case: Callable[[Transaction], T]) -> T:
        """Run `use_case` and return its result once it is durable."""
        seat, me = self._seat, get_ident()
        try:
            if not seat and not self._waiting and seat.setdefault(None, me) == me:
                return self._write(use_case)
            call = Waiting(use_case, self._caller(me))
            if self._has_seat(call, me):
                return self._write(use_case)
        except BaseException:
            if seat.get(None) == me:
                self._let_go()
            raise
        if call.error is not None:
            raise call.error
        return call.result

    def submit(self, use_case: Callable[[Transaction], T]) -> Future[T]:
        """Run `use_case` soon, for a task of the running event loop: the Future has its result once that is durable."""
        me = self._caller(get_ident())
        call = Submitted(use_case, self._thread)
        self._thread.start()
        self._queue(call, me)
        return call.future

    def alone(self, work: Callable[[], T]) -> T:
        """Run `work` while nobody writes; within a use case, at once."""
        seat, me = self._seat, get_ident()
        if seat.get(None) == me:
            return work()
        try:
            if seat or self._waiting or seat.setdefault(None, me) != me:
                self._has_seat(Waiting(_nothing, self._caller(me), alone=True), me)
            return work()
        finally:
            if seat.get(None) == me:
                self._let_go()

    def close(self) -> None:
        """End the queue's own thread, once nobody waits for it."""
        self._thread.close()

    # One turn. Whoever comes here has the seat.

    def _serve(self, call: Caller) -> None:
        try:
            self._write(call.run, call)
        except BaseException as error:
            if not call.answered:
                call.error = error
            if self._seat.get(None) == get_ident():
                self._let_go()
        if not call.answered:
            self._answer([call])

    def _write(self, use_case: Callable[[Transaction], T], *callers: Caller) -> T:
        """Run `use_case`, and those of whoever waits; answer these, and `callers`, if it is for them."""
        turn, me = self._turn, get_ident()
        group: list[Caller] = []
        if self._crowd:
            self._gather()
        try:
            transaction = turn.begin()
        except BaseException as error:
            turn.end(error)
            if isinstance(error, Exception):
                self._refuse_all(error)
            self._raise(error)
        try:
            result = use_case(transaction)
            if self._waiting or self._crowd:
                self._take_waiting(group)
                began = monotonic()
                turn.commit()
                self._took(monotonic() - began, len(group))
            else:
                turn.commit()
        except BaseException as error:
            if group:
                return self._again(use_case, group, error)
            turn.end(error)
            self._raise(error)
        try:
            turn.end(None)
            # As `_let_go` does it, without its call where nobody waits.
            if self._waiting:
                self._let_go()
            else:
                del self._seat[None]
                if self._waiting and self._seat.setdefault(None, me) == me:
                    self._let_go()
        finally:
            if group or callers:
                self._answer([*callers, *group])
        return result

    def _take_waiting(self, group: list[Caller]) -> None:
        """Run those who wait."""
        waiting, turn = self._waiting, self._turn
        until = monotonic() + GROUP_S
        while waiting and len(group) < GROUP_CALLERS - 1:
            call = waiting[0]
            if call.alone:
                return
            del waiting[0]
            group.append(call)
            if not call.starts():
                group.pop()
                continue
            transaction = turn.mark()
            try:
                call.run(transaction)
            except KeyboardInterrupt:
                raise  # it is for this thread, whoever's use case it runs
            except BaseException as error:
                call.error = turn.translated(error)
                if not turn.undo(error):
                    raise _Gone from error
            else:
                turn.keep()
            if monotonic() > until:
                return

    def _again(self, use_case: Callable[[Transaction], T], group: list[Caller], error: BaseException) -> T:
        """Run a group that was not committed again, one at a time; after an interrupt, leave it to the others."""
        turn, own = self._turn, Case(use_case)
        calls, done = [own, *group], 0
        try:
            if _committed(turn, error):
                done = len(calls)
            turn.end(error)
            if not isinstance(error, Exception):
                raise error
            while done < len(calls):
                self._run_alone(calls, done)
                done += 1
        finally:
            left = calls[max(done, 1) :]
            try:
                self._waiting.extendleft(left[::-1])
                self._let_go()
            finally:
                self._answer(calls[1:done])
        if own.error is not None:
            raise own.error
        return own.result

    def _run_alone(self, calls: list[Caller], at: int) -> None:
        turn, call = self._turn, calls[at]
        if isinstance(call.error, _CannotBegin):
            call.error = call.error.said
            return
        call.error = None
        try:
            transaction = turn.begin()
        except Exception as error:
            turn.end(error)
            for one in calls[at + 1 :]:
                one.error = _CannotBegin(self._copied(error))
            call.error = turn.translated(error)
            return
        try:
            call.run(transaction)
            turn.commit()
        except BaseException as error:
            undone = not _committed(turn, error)
            turn.end(error)
            if undone and isinstance(error, KeyboardInterrupt):
                raise
            call.error = turn.translated(error) if undone else None
        else:
            turn.end(None)

    def _refuse_all(self, error: BaseException) -> None:
        """Nobody can write now. All who wait are told so at once: else each would wait as long after the one before."""
        waiting = self._waiting
        refused: list[Caller] = []
        try:
            while waiting and not waiting[0].alone:
                call = waiting[0]
                del waiting[0]
                refused.append(call)
                if not call.starts():
                    refused.pop()
                    continue
                call.error = self._copied(error)
        finally:
            self._answer(refused)

    def _copied(self, error: BaseException) -> BaseException:
        """Return what `error` means, for one of several threads that raise it."""
        said = self._turn.translated(error)
        return copy(said) if isinstance(said, RetomaError) else said

    def _raise(self, error: BaseException) -> NoReturn:
        said = self._turn.translated(error)
        if said is error:
            raise error
        raise said from error

    def _caller(self, me: int) -> int:
        if self._seat.get(None) == me:
            raise RuntimeError("a use case must not begin another write: it is given its transaction")
        return me


def _committed(turn: Turn, error: BaseException) -> bool:
    """Return whether an interrupt came after the commit: a transaction goes with no interrupt by itself."""
    return not isinstance(error, Exception) and not turn.open


def _nothing(transaction: Transaction) -> None:
    raise AssertionError("work of its own is not run in a transaction")
