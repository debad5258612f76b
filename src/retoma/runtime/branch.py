"""Branches that go out from a point of the past: the way to a far one is made shorter first, in short transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from retoma.errors import RetomaError
from retoma.model.ids import Operation
from retoma.model.lease import FencingToken
from retoma.model.limits import Limits
from retoma.model.outcomes import Forked, Undone
from retoma.model.principal import Principal
from retoma.runtime.lease import unless_driven
from retoma.service.branch import branches, past
from retoma.service.branch import undo as undoing
from retoma.service.flows import Snapshot
from retoma.stores.contract.store import Store, Transaction

T = TypeVar("T")


def fork(
    store: Store,
    who: Principal,
    session: str,
    new: str | None,
    *,
    seq: int | None,
    operation: Operation,
    limits: Limits,
) -> Forked:
    """Fork the session at event `seq`, or its last one: see `branches.fork`."""

    def made(tx: Transaction, near: int | None) -> Forked:
        return branches.fork(tx, who, session, new, seq=seq, operation=operation, limits=limits, near=near)

    return _from_near(store, who, session, made)


def undo(
    store: Store, who: Principal, session: str, *, operation: Operation, token: FencingToken | None = None
) -> Undone:
    """Take the session undo the last message or input: see `undo.undo`."""

    def undone(tx: Transaction, near: int | None) -> Undone:
        return undoing.undo(tx, who, session, operation=operation, token=token, near=near)

    return _from_near(store, who, session, undone)


def look(store: Store, who: Principal, session: str, seq: int) -> Snapshot:
    """Return where the session's flow stood at event `seq`. Raises NotFound, Invalid."""
    seen = partial(past.look, who=who, session=session, seq=seq)
    try:
        return store.read(partial(seen, near=past.NEAR))
    except past.Far:
        with suppress(RetomaError):  # snapshots only make it faster the next time
            past.prepare(store, who, session, seq)
        return store.read(seen)


def _from_near(
    store: Store, who: Principal, session: str, use_case: Callable[[Transaction, int | None], T]
) -> T:
    try:
        return unless_driven(store, who, session, lambda tx: use_case(tx, past.NEAR))
    except past.Far as far:
        past.prepare(store, who, session, far.seq)
        return unless_driven(store, who, session, lambda tx: use_case(tx, None))
