"""A session held by one handle: nobody else writes its messages, steps and state meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retoma.client import given
from retoma.client.faces import waitable
from retoma.client.handle import Handle
from retoma.errors import Busy, Conflict, Invalid
from retoma.model.lease import LEASE_TTL_MS

if TYPE_CHECKING:
    from retoma.runtime.lease import Held

SHORTEST_MS, LONGEST_MS = 1_000, 3_600_000


class Lease:
    """The right to drive a session, from `with` to its end; a thread renews it meanwhile.

    Writes of the handle are fenced by it: when it was lost, because this process was stopped for longer than its term
    and another took the session, they raise Busy, and say who has it.

    >>> with session.lease() as lease:
    ...     session.append("user", "Nobody comes between.")
    ...     lease.lost
    2
    False
    """

    def __init__(
        self, session: Handle, ttl: given.Duration | None, wait: given.Duration | None = None
    ) -> None:
        self._session = session
        self._wait_s = (given.duration(wait) or 0) / 1_000
        self._ttl_ms = LEASE_TTL_MS if ttl is None else _term(ttl)
        self._held: Held | None = None

    @property
    def token(self) -> int | None:
        """The fencing token, which grows with each driver of the session; None outside of the `with`."""
        return self._held.token if self._held else None

    @property
    def lost(self) -> bool:
        """Whether a renewal found that the session is another's. A write may find it sooner."""
        return self._held is not None and self._held.lost

    @property
    def ttl(self) -> timedelta:
        """Its term: how long it holds after the last renewal. It is renewed three times in a term."""
        return timedelta(milliseconds=self._ttl_ms)

    def _take(self) -> None:
        from retoma.commands.flow import HoldSession

        session, opened = self._session, self._session._opened
        session._ready()
        if self._held is not None or session._held is not None:
            raise Conflict(
                f"This handle already holds the lease of '{session.id}'.",
                code="held",
                hint="Take a lease only once for each handle.",
                session=session.id,
            )
        self._held = HoldSession(session=session.id, ttl_ms=self._ttl_ms).run(opened)
        session._held = self._held
        opened.held[self._held] = self._held.release

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            if self._session._held is held:
                self._session._held = None
            self._session._opened.let_go(held)


class BlockingLease(Lease):
    """What `session.lease()` returns."""

    def __enter__(self) -> Self:
        with _Place(self._session, self._wait_s) as place:
            while not place.tried(self._take):
                place.following.wait(place.left_s)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()


class AwaitedLease(Lease):
    """What `session.lease()` returns to tasks, for an `async with`."""

    async def __aenter__(self) -> Self:
        from asyncio import CancelledError, wrap_future

        opened = self._session._opened
        with _Place(self._session, self._wait_s) as place:
            taken = False
            while not taken:
                taking = opened.threads().submit(place.tried, self._take)
                try:
                    taken = await wrap_future(taking)
                except CancelledError:
                    taking.add_done_callback(lambda done: self._let_go())
                    raise
                if not taken:
                    await place.following.come(opened.in_thread, place.left_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session._opened.in_thread(self._let_go)


class _Place:
    """A place among those in this process that wait for a session: they take it in the order in which they came."""

    def __init__(self, session: Handle, wait_s: float) -> None:
        from retoma.runtime.follow import Following

        self._opened = session._opened
        self._me = (session.id, self)
        self._ends = self._opened.sources.elapsed() + wait_s
        self.following = Following(self._opened.store)

    @property
    def left_s(self) -> float:
        """How long it still waits."""
        return max(0.0, self._ends - self._opened.sources.elapsed())

    def tried(self, take: Callable[[], None]) -> bool:
        """Take the session, if it is free and this one's turn. Raises Busy when the time is over."""
        session, waiting = self._me[0], self._opened.waiting
        if (
            next((one for one in tuple(waiting) if one[0] == session), self._me) is not self._me
            and self.left_s
        ):
            return False
        try:
            take()
        except Busy as busy:
            if not self.left_s:
                raise waitable(busy) from busy.__cause__
            return False
        return True

    def __enter__(self) -> Self:
        self._opened.waiting.append(self._me)
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.waiting.remove(self._me)
        self.following.close()


def _term(ttl: given.Duration) -> int:
    ms = given.duration(ttl) or 0
    if not SHORTEST_MS <= ms <= LONGEST_MS:
        raise Invalid(
            "A lease lasts between one second and one hour.",
            code="bad_ttl",
            hint="For example 15s or 2m.",
        )
    return ms
