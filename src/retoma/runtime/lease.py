"""Holding a session while it is driven: taken, renewed beside the work, let go at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from retoma.errors import Busy, RetomaError
from retoma.model.lease import LEASE_TTL_MS, RENEWALS, FencingToken, Holder, Lease
from retoma.model.principal import Principal
from retoma.runtime.process import is_gone
from retoma.runtime.supervisor import Supervisor
from retoma.service import leases
from retoma.stores.contract.store import Store, Transaction

T = TypeVar("T")


class Held:
    """A lease of this process on a session. `beside` renews it; `token` fences every write made under it.

    `lost`: a renewal found the session to be another's. A write may find it sooner.
    """

    def __init__(
        self,
        store: Store,
        who: Principal,
        session: str,
        holder: Holder,
        *,
        beside: Supervisor | None = None,
        ttl_ms: int = LEASE_TTL_MS,
    ) -> None:
        self._store = store
        self._who = who
        self._session = session
        self._ttl_ms = ttl_ms
        self.lost = False
        self._lease = acquire(store, who, session, holder, ttl_ms=ttl_ms)
        self._every_s = ttl_ms / RENEWALS / 1_000
        self._beside = beside or Supervisor()
        self._beside.add(self._renew, self._every_s)

    @property
    def token(self) -> FencingToken:
        return self._lease.token

    def release(self) -> None:
        """Let go; a lost lease is let go already."""
        self._beside.remove(self._renew)
        try:
            self._store.write(lambda tx: leases.release(tx, self._who, self._session, self.token))
        except RetomaError:
            # A store that cannot be written now frees the session when the lease runs out, or at once for
            # a process that sees this one gone.
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _renew(self) -> float | None:
        def renewed(tx: Transaction) -> bool:
            return leases.renew(tx, self._who, self._session, self.token, ttl_ms=self._ttl_ms)

        # While the store does not answer, and until somebody takes it, the lease is still ours.
        with suppress(RetomaError):
            # Another's now: the next write under this token says so.
            self.lost = not self._store.write(renewed)
        return None if self.lost else self._every_s


def acquire(
    store: Store, who: Principal, session: str, holder: Holder, *, ttl_ms: int = LEASE_TTL_MS
) -> Lease:
    """Take the session, at once from a holder on this machine whose process is gone. Raises Busy."""
    try:
        return store.write(lambda tx: leases.acquire(tx, who, session, holder, ttl_ms=ttl_ms))
    except Busy as busy:
        gone = gone_token(busy)
        if gone is None:
            raise
        return store.write(lambda tx: leases.acquire(tx, who, session, holder, over=gone, ttl_ms=ttl_ms))


def write_over(
    store: Store, who: Principal, session: str, use_case: Callable[[Transaction], T], busy: Busy
) -> T:
    """Run a use case that was refused with `busy` again, when the holder's process is certainly gone. Raises Busy.

    It may write in more sessions than one: whose driver is in the way is what `busy` says.
    """
    while True:
        gone, driven = gone_token(busy), str(busy.facts.get("session", session))
        if gone is None:
            raise busy
        store.write(partial(leases.release, who=who, session=driven, token=gone))
        try:
            return store.write(use_case)
        except Busy as again:
            busy = again


def unless_driven(store: Store, who: Principal, session: str, use_case: Callable[[Transaction], T]) -> T:
    """Write; a holder on this machine whose process is gone stands in nobody's way. Raises Busy for any other."""
    try:
        return store.write(use_case)
    except Busy as busy:
        return write_over(store, who, session, use_case, busy)


def gone_token(busy: Busy) -> FencingToken | None:
    """Return the token of the holder that refused us when its process is certainly gone, else None."""
    holder, token = busy.facts.get("holder"), busy.facts.get("token")
    if isinstance(holder, Holder) and isinstance(token, int) and is_gone(holder):
        return FencingToken(token)
    return None
