"""Sessions as a program takes them up: one by its id, made when it is not there, or a page of a list."""

from __future__ import annotations

from collections.abc import Sequence

from retoma.errors import Conflict, Invalid
from retoma.model.ids import Operation
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import About, NewSession, Session, in_trash
from retoma.service.sessions import Whole, change, create, get, show
from retoma.stores.contract.store import Transaction


def get_or_create(
    tx: Transaction, who: Principal, new: NewSession, *, operation: Operation, limits: Limits | None = None
) -> Whole:
    """Return the session as it is, or make it as `new` says. Raises Invalid without an id, and as `create` does."""
    if new.id is None:
        raise Invalid("Getting a session needs its id.", code="no_id", hint="Pass an id, or use create().")
    if get(tx, who, new.id) is None:
        try:
            create(tx, who, new, operation=operation, limits=limits)
        except Conflict as error:
            # Somebody made it since we looked: a transaction sees what others commit meanwhile.
            if error.code != "id_taken":
                raise
    return show(tx, who, new.id)


def take_up(tx: Transaction, who: Principal, session: str, *, operation: Operation) -> Whole:
    """Return the session, to go on with: a suspended one is active again. Raises NotFound, Refused when it is final."""
    whole = show(tx, who, session)
    if whole.session.trashed_at is not None:
        raise in_trash(session)
    if whole.session.status == "active":
        return whole
    change(tx, who, session, "active", operation=operation)
    return show(tx, who, session)


def wholes(tx: Transaction, found: Sequence[Session]) -> list[Whole]:
    """Return all there is to say of each session of a page, in its order."""
    keys = [session.key for session in found]
    abouts, leases = tx.sessions.abouts(keys), tx.leases.of(keys)
    return [Whole(session, abouts.get(session.key, About()), leases.get(session.key)) for session in found]
