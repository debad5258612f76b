"""Who writes: one of all callers has the seat, and the others wait in a queue. What it does there is a subclass's.

A caller that finds the seat free and nobody waiting takes it, on its own thread. Who comes meanwhile queues, and is
answered by the one that has the seat, or given it. Where a turn takes long, the next one first waits a moment for those
whom the last one answered: each would have to wait for a turn of one who came back a little sooner.

Of those who were answered each thread wakes the next one, and the tasks of an event loop are told together.

An interrupt (KeyboardInterrupt) can come after any call in the main thread, and must leave nobody waiting for ever.
So a caller is in one place at each such moment: in the queue, in the group, or answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock, get_ident
from time import monotonic

from retoma.stores.write_queue.callers import Blocked, Caller, Submitted, tell

GROUP_CALLERS = 64
GROUP_S = 0.005
PAUSE_S = 0.0005
WORTH_S = 0.0001
"""A commit that takes 8 times as long or longer is worth a pause for the callers that were answered a moment ago."""

LATE_S = 0.002
LOST_S = 0.1
"""How long a thread waits before it looks whether it was answered: an interrupt can take whoever was to wake it."""


class Turns:
    """The seat, and who waits for it."""

    def __init__(self) -> None:
        self._waiting: deque[Caller] = deque()
        # Which thread writes. A dictionary, because setdefault takes the seat and says whose it is in one step: the
        # thread that has it knows so, wherever it is interrupted.
        self._seat: dict[None, int] = {}
        # How long the last commit took, and how many others had written or wanted to when it was done.
        self._crowd = 0
        self._commit_s = 0.0
        # How long it took last time until all of them were there again; 0 when some did not come.
        self._gathering_s = 0.0
        # How many have to wait before the writer begins, and what tells it that they do.
        self._awaited = 0
        self._gathered = Lock()
        # Threads that were answered and not woken yet, and since when.
        self._told: deque[Blocked] = deque()
        self._told_at = 0.0

    def _gather(self) -> None:
        """Where a commit takes long, wait until all are there who were about when the last one was done.

        That ends when nobody comes any more, or half the time of a commit is over. Nothing is begun yet: other
        processes may write, and those who come have Python for themselves.
        """
        pause = min(self._commit_s / 8, PAUSE_S)
        if pause < WORTH_S:
            return
        waiting, crowd, gathered = self._waiting, self._crowd, self._gathered
        began = monotonic()
        most = min(self._commit_s / 2, GROUP_S)
        until = began + most
        # Each look at who is there takes Python from those who come: where all came last time, one look is enough.
        pause = min(max(pause, 2 * self._gathering_s), most)
        gathered.acquire(blocking=False)
        self._awaited = crowd
        came = len(waiting)
        while came < crowd and monotonic() < until:
            if gathered.acquire(timeout=pause) or len(waiting) == came:
                break
            came = len(waiting)
        self._awaited = 0
        self._gathering_s = monotonic() - began if len(waiting) >= crowd else 0.0

    def _took(self, seconds: float, others: int) -> None:
        """Say how long the commit took, and for how many others it was."""
        self._commit_s = seconds
        self._crowd = min(others + len(self._waiting), GROUP_CALLERS - 1)

    # Who is answered

    def _answer(self, calls: Sequence[Caller]) -> None:
        """Answer all, whatever interrupts it."""
        try:
            self._tell(calls)
        except BaseException:
            self._tell(calls)
            raise

    def _tell(self, calls: Sequence[Caller]) -> None:
        self._told_at = monotonic()
        for call in calls:
            call.answered = True
        tell(call for call in calls if isinstance(call, Submitted))
        self._told.extend(call for call in calls if isinstance(call, Blocked))
        self._wake_next()

    def _wake_next(self) -> None:
        """Wake one thread that was answered, which then wakes the next.

        All at once they would stand in each other's way for Python's lock, each woken and put to sleep twice. But where
        threads of another kind keep the lock, none waits for the others' turns at it.
        """
        told = self._told
        late = monotonic() - self._told_at > LATE_S
        while told:
            try:
                call = told.popleft()
                call.ready.release()
            except (IndexError, RuntimeError):
                continue  # somebody else took it, or it is awake
            if not (late or call.gave_up):
                return

    # Who is next

    def _has_seat(self, call: Blocked, me: int) -> bool:
        """Wait in the queue; return True with the seat, False with the answer."""
        seat = self._seat
        try:
            self._queue(call, me)
            while not call.ready.acquire(timeout=LOST_S) and not call.answered:
                pass
            if seat.get(None) == me:
                return True
            self._wake_next()
        except BaseException:
            call.give_up()
            self._wake_next()
            raise
        return False

    def _queue(self, call: Caller, me: int) -> None:
        self._waiting.append(call)
        if 0 < self._awaited <= len(self._waiting):
            with suppress(RuntimeError):  # it was told already
                self._gathered.release()
        seat = self._seat
        try:
            if not seat and seat.setdefault(None, me) == me:
                self._let_go()
        except BaseException:
            if seat.get(None) == me:
                self._let_go()
            raise

    def _let_go(self) -> None:
        """Give the seat to the first who waits, or leave it empty."""
        seat, waiting, me = self._seat, self._waiting, get_ident()
        while True:
            while waiting:
                call = waiting[0]
                del waiting[0]
                try:
                    if call.takes_seat(seat):
                        return
                except BaseException:
                    if seat.get(None) == me:
                        waiting.appendleft(call)
                    raise
            del seat[None]
            # Who queued between those lines saw the seat taken, and waits to be given it.
            if not waiting or seat.setdefault(None, me) != me:
                return
