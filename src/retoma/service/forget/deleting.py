"""A deletion begun: the session is gone for everybody, and what forks share of it stays for them. Rows go later."""

from __future__ import annotations

from typing import Final

import msgspec

from retoma.model.ids import Operation, SessionId
from retoma.model.principal import Principal
from retoma.model.session import Head
from retoma.service.access import head_of, other_request
from retoma.stores.contract.store import Transaction

_EVERY: Final = 1 << 31


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """A deletion: `forks` are sessions that share its events up to `shared`, and keep them unless they went too.

    `lines` are what undoing left under other ids. They stay.
    """

    id: SessionId
    forks: tuple[SessionId, ...] = ()
    shared: int = 0
    lines: tuple[SessionId, ...] = ()


def delete(
    tx: Transaction, who: Principal, session: str, *, with_forks: bool = False, operation: Operation
) -> Deleted:
    """Begin a deletion: the session is gone for everybody. `purge` removes its rows. Raises NotFound.

    What forks share of it stays, for them alone, as long as there is one; `with_forks` they are deleted too.
    """
    who.may_write()
    before = tx.sessions.operation(who.tenant, operation.id) if operation.request else None
    if before:
        if before[0] != operation.request:
            raise other_request()
        return Deleted(id=SessionId(session))
    head = head_of(tx, who, session)
    forks = tx.branches.readers(head.key)
    hide(tx, who, head)
    for fork in forks if with_forks else ():
        hide(tx, who, head_of(tx, who, fork.id))
    if operation.request is not None:
        tx.sessions.add_operation(who.tenant, operation.id, operation.request, b"")
    gone = {head.id, *(fork.id for fork in forks if with_forks)}
    lines = (name for name in tx.sessions.names(who.tenant, f"{head.id}~", limit=_EVERY))
    return Deleted(
        id=head.id,
        forks=tuple(sorted(fork.id for fork in forks)),
        shared=max((fork.last for fork in forks), default=0),
        lines=tuple(one for one in lines if one not in gone and one[len(head.id) + 1 :].isdecimal()),
    )


def hide(tx: Transaction, who: Principal, head: Head) -> None:
    """Begin a deletion: nothing finds the session any more, and whoever drives it is fenced off."""
    tx.erasing.begin()
    tx.sessions.hide(who.tenant, head)
