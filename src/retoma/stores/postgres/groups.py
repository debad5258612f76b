"""Appends and changes of the state that meet: one of their callers runs all of them in one transaction.

A use case is run up to the first thing it asks for. When that is the head of a session, it may go in a group: the
group locks all those heads in one packet, runs the use cases one after the other on what came back, and sends all they
wrote with COMMIT in another. What a group has not got (see `batch`) makes a use case run by itself, as if there were no
group. So does whatever goes wrong with it. Nobody waits in a group for a session that somebody else has locked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Event, get_ident
from time import monotonic
from typing import Any, TypeVar

import psycopg

from retoma.errors import RetomaError
from retoma.model.lease import Ticking, no_ticks
from retoma.stores.postgres import errors
from retoma.stores.postgres.batch import HEAD, Asked, Batch, Beyond, Wanted
from retoma.stores.postgres.columns import columns
from retoma.stores.postgres.connection import Wire
from retoma.stores.postgres.search import Tsvector
from retoma.stores.postgres.statements import own, writing
from retoma.stores.postgres.writes import Write
from retoma.stores.sql.statements import Row, Values
from retoma.stores.sql.transaction import SqlTransaction
from retoma.stores.write_queue.callers import Blocked, Caller
from retoma.stores.write_queue.seat import GROUP_CALLERS, GROUP_S, Turns

T = TypeVar("T")

GROUP_BYTES = 1 << 20
HELD_S = 1.0
"""How long writes are put off while somebody else has their session; then each waits for it by itself."""
BEYOND, KEPT, APART = 16, 4, 48
"""What a function's score gains when a use case of it was beyond a group, and loses when one was not; and from where on
its use cases go by themselves. Each that does takes one off, so that groups are tried again.
"""
_ONE_HEAD = f"{writing(HEAD).text} SKIP LOCKED"


class _Asks(BaseException):
    def __init__(self, text: str, values: Values) -> None:
        self.text = text
        self.values = values


class _Joined(Blocked):
    """A thread whose write goes in somebody else's group."""

    def __init__(self, write: Write[Any], me: int) -> None:
        super().__init__(me)
        self.write = write


class Groups(Turns):
    """Groups of writes, one at a time. `lent` lends a connection that writes, and undoes what it leaves open."""

    def __init__(
        self,
        lent: Callable[[], AbstractContextManager[Wire]],
        *,
        now: Callable[[], int],
        random: Callable[[int], bytes],
        ticks: Ticking = no_ticks,
    ) -> None:
        super().__init__()
        self._lent = lent
        self._now = now
        self._batch: Batch | None = None
        self._beyond: dict[object, int] = {}
        # Whose session somebody else has, and what says that one of them had its turn there.
        self._holders: dict[Asked, Event] = {}
        self._transaction = SqlTransaction(self._run, random, Tsvector, ticks)
        self._first = SqlTransaction(_asks, random, Tsvector)

    @property
    def idle(self) -> bool:
        """Whether nobody writes here, and the last who did was by itself."""
        return not (self._seat or self._waiting or self._crowd)

    def take(self, write: Write[Any]) -> bool:
        """Return whether the write may go in a group: whether it asks for a head before anything else."""
        if self._beyond.get(_code(write.use_case), 0) >= APART:
            self._score(write, -1)
            return False
        self._first.now = self._now()
        try:
            write.use_case(self._first)
        except _Asks as asks:
            if asks.text is HEAD and not isinstance(asks.values, dict):
                write.asks = tuple(asks.values)
                return True
        except Exception:
            return False  # it raises that again, by itself
        self._score(write, APART)
        return False

    def write(self, write: Write[T], alone: Callable[[], T]) -> T:
        """Return what a group made of `write`, or what `alone` did with it."""
        until = monotonic() + HELD_S
        while True:
            self._join(write)
            if write.settled or write.error is not None:
                return write.answer()
            if write.held:
                over = Event()
                try:
                    before = self._holders.setdefault(write.asks, over)
                    # All who were put off go on together once the first of them had its turn at the session.
                    if before is over or not before.wait(max(0.0, until - monotonic())):
                        return alone()
                finally:
                    if self._holders.get(write.asks) is over:
                        del self._holders[write.asks]
                        over.set()
            elif not write.put_off:
                return alone()

    def _join(self, write: Write[Any]) -> None:
        """Run `write` with those who write now."""
        seat, me = self._seat, get_ident()
        try:
            if seat or self._waiting or seat.setdefault(None, me) != me:
                call = _Joined(write, me)
                if not self._has_seat(call, me):
                    return
            self._lead(write)
        except BaseException:
            if seat.get(None) == me:
                self._let_go()
            raise

    def _lead(self, write: Write[Any]) -> None:
        if self._crowd:
            self._gather()
        waiting, calls, writes = self._waiting, list[Caller](), [write]
        try:
            while waiting and len(calls) < GROUP_CALLERS - 1:
                call = waiting[0]
                del waiting[0]
                calls.append(call)
                if not call.starts():
                    calls.pop()
                elif isinstance(call, _Joined):
                    writes.append(call.write)
            began = monotonic()
            self._together(writes)
            self._took(monotonic() - began, len(calls))
        finally:
            try:
                self._let_go()
            finally:
                self._answer(calls)

    # One group

    def _together(self, writes: Sequence[Write[Any]]) -> None:
        try:
            with self._lent() as wire:
                batch = self._batch = self._read(wire, writes)
                self._run_all(wire, batch, [write for write in writes if not write.held])
                self._commit(wire, batch, [write for write in writes if write.settled])
        except (psycopg.Error, OSError, RetomaError) as error:
            # What was wrong with one of them is no matter of the others'. A server that is gone is.
            gone = not isinstance(error, RetomaError) and errors.gone(error)
            for write in writes:
                write.is_out(type(error)(*error.args) if gone else None)
        except BaseException:
            for write in writes:
                write.is_out(None)
            raise
        finally:
            self._batch = None

    def _read(self, wire: Wire, writes: Sequence[Write[Any]]) -> Batch:
        """Lock the heads, and return them with their leases."""
        asked = list(dict.fromkeys(write.asks for write in writes))
        heads, leases = _of_one(wire, asked[0]) if len(asked) == 1 else _of_all(wire, asked)
        free = {head[:2]: head[2:] for head in heads}
        there = {lease[:2] for lease in leases}
        for write in writes:
            write.held = write.asks not in free and write.asks in there
        return Batch(free, {(row[2],): [row[3:]] if row[3] is not None else [] for row in leases})

    def _run_all(self, wire: Wire, batch: Batch, writes: Sequence[Write[Any]]) -> None:
        """Run the use cases; then again those that wanted to read something."""
        until = monotonic() + GROUP_S
        again = []
        for write in writes:
            write.put_off = batch.size > GROUP_BYTES or monotonic() > until
            if not write.put_off and not self._ran(batch, write):
                again.append(write)
        if not again:
            return
        for text, values in batch.wanted:
            wire.put(writing(text).text, values)
        batch.answers.update(zip(batch.wanted, wire.answered(), strict=True))
        for write in again:
            self._ran(batch, write)

    def _ran(self, batch: Batch, write: Write[Any]) -> bool:
        """Run one use case; return False when it wants to know more."""
        self._transaction.now = self._now()
        try:
            write.run(self._transaction)
        except KeyboardInterrupt:
            raise  # it is for this thread, whoever's use case it runs
        except Wanted:
            batch.drop()
            return False
        except Beyond:
            batch.drop()
            self._score(write, BEYOND if batch.has(write.asks) else 0)
        except BaseException as error:
            batch.drop()
            write.error, write.settled = error, True
        else:
            write.mark, write.settled = batch.keep(), True
            self._score(write, -KEPT)
        return True

    def _commit(self, wire: Wire, batch: Batch, writes: Sequence[Write[Any]]) -> None:
        for text, values in batch.statements():
            wire.put(text, values)
        for write in writes:
            write.is_asked_for()
        try:
            wire.commit()
        except psycopg.Error as error:
            for write in writes:
                write.is_unanswered() if errors.lost(error) else write.is_undone()
            raise
        except BaseException:
            for write in writes:
                write.is_unanswered()
            raise

    def _score(self, write: Write[Any], change: int) -> None:
        code = _code(write.use_case)
        self._beyond[code] = min(max(self._beyond.get(code, 0) + change, 0), APART + BEYOND)

    def _run(self, text: str, values: Values = ()) -> list[Row]:
        if self._batch is None:
            raise RuntimeError("the transaction of this use case is over")
        return self._batch.run(text, values)


def _of_all(wire: Wire, asked: Sequence[Asked]) -> tuple[list[Row], list[Row]]:
    """Lock heads and return them, then their leases, each behind what was asked."""
    names = columns(asked, "it")
    wire.put(own("heads_together").text, names)
    wire.put(own("leases_together").text, names)
    *_, heads, leases = wire.answered()
    return heads, leases


def _of_one(wire: Wire, asked: Asked) -> tuple[list[Row], list[Row]]:
    """Do the same for one with less work."""
    wire.put(_ONE_HEAD, asked)
    wire.put(own("lease_beside").text, asked)
    *_, heads, leases = wire.answered()
    return [asked + head for head in heads], [asked + lease for lease in leases]


def _asks(text: str, values: Values = ()) -> list[Row]:
    raise _Asks(text, values)


def _code(use_case: object) -> object:
    """Return what the use cases of one function share."""
    function = getattr(use_case, "func", use_case)
    return getattr(function, "__code__", type(function))
