"""A session held by one handle: nobody else writes its messages, steps and state meanwhile."""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retoma.client import given
from retoma.client.handle import Handle
from retoma.errors import Conflict, Invalid
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

    def __init__(self, session: Handle, ttl: given.Duration | None) -> None:
        self._session = session
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
        self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()


class AwaitedLease(Lease):
    """What `session.lease()` returns to tasks, for an `async with`."""

    async def __aenter__(self) -> Self:
        from asyncio import CancelledError, wrap_future

        taking = self._session._opened.threads().submit(self._take)
        try:
            await wrap_future(taking)
        except CancelledError:
            taking.add_done_callback(lambda done: self._let_go())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session._opened.in_thread(self._let_go)


def _term(ttl: given.Duration) -> int:
    ms = given.duration(ttl) or 0
    if not SHORTEST_MS <= ms <= LONGEST_MS:
        raise Invalid(
            "A lease lasts between one second and one hour.",
            code="bad_ttl",
            hint="For example 15s or 2m.",
        )
    return ms
