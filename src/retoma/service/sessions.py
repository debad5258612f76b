"""A session's life: made, listed, looked at, paused, resumed, ended, begun anew, deleted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from retoma.errors import Conflict, Limit
from retoma.model import event as kinds
from retoma.model.codec import Json, encode
from retoma.model.event import new_event
from retoma.model.ids import Operation, SessionId, generated_id, session_id
from retoma.model.lease import FencingToken, Lease
from retoma.model.principal import Principal
from retoma.model.session import About, Head, NewSession, Session, Status, change_status, checked
from retoma.service.access import append, fence, head_of, missing, other_request, repeated
from retoma.stores.api import Listing, Place, Transaction

PURGE_ROWS = 500
COUNT_MOST = 10_000


class Limits(msgspec.Struct, frozen=True):
    """How many sessions a tenant may have, and how many events a session; None is no limit."""

    sessions: int | None = None
    sessions_active: int | None = None
    events: int | None = None


class Whole(msgspec.Struct, frozen=True):
    """All there is to say of one session."""

    session: Session
    about: About
    lease: Lease | None


class Page(msgspec.Struct, frozen=True):
    """A page of sessions. `next` is where it ended, None on the last; `total` is counted only when asked for."""

    items: list[Session]
    next: Place | None
    total: int | None


def create(
    tx: Transaction, who: Principal, new: NewSession, *, operation: Operation, limits: Limits | None = None
) -> SessionId:
    """Make a session and return its id. Raises Invalid, Conflict when the id is taken, NotFound for its parent."""
    who.may_write()
    new = checked(new)
    wanted = session_id(new.id) if new.id is not None else None
    if operation.request is not None and (before := tx.sessions.operation(who.tenant, operation.id)):
        if before[0] != operation.request:
            raise other_request()
        return SessionId(before[1].decode())
    within(tx, who, limits or Limits())
    chosen = wanted or _free_id(tx, who, new)
    if wanted and tx.sessions.key(who.tenant, wanted) is not None:
        raise Conflict(
            f"There is a session '{wanted}' already.",
            code="id_taken",
            hint=f"Look at it with `retoma session show {wanted}`, or choose another id.",
            session=wanted,
        )
    parent = tx.sessions.key(who.tenant, new.parent) if new.parent else None
    if new.parent and parent is None:
        raise missing(tx, who, new.parent)
    head = tx.sessions.add(who.tenant, chosen, new, parent=parent)
    append(tx, who, head, [new_event(kinds.CREATED, encode(_said(chosen, new)))], operation)
    if operation.request is not None:
        tx.sessions.add_operation(who.tenant, operation.id, operation.request, chosen.encode())
    return chosen


def get(tx: Transaction, who: Principal, session: str) -> Session | None:
    """Return the session, or None."""
    return tx.sessions.get(who.tenant, session)


def show(tx: Transaction, who: Principal, session: str) -> Whole:
    """Return all there is to say of the session. Raises NotFound."""
    found = tx.sessions.get(who.tenant, session)
    if found is None:
        raise missing(tx, who, session)
    return Whole(found, tx.sessions.about(found.key), tx.leases.get(found.key))


def ls(
    tx: Transaction,
    who: Principal,
    listings: Sequence[Listing],
    *,
    after: Place | None,
    limit: int,
    total: bool = False,
) -> Page:
    """Return a page of the sessions that any of `listings` means (they must not overlap), newest first."""
    rows = [
        row
        for listing in listings
        for row in tx.sessions.list(who.tenant, listing, after=after, limit=limit + 1)
    ]
    rows.sort(key=lambda row: (row[1].pinned, row[1].listed_at, row[1].key), reverse=True)
    page, more = rows[:limit], len(rows) > limit
    most = (1 << 62) if total else COUNT_MOST + 1
    count = (
        sum(tx.sessions.count(who.tenant, listing, most=most) for listing in listings)
        if more or total
        else None
    )
    return Page([session for session, _ in page], page[-1][1] if more else None, count)


def change(
    tx: Transaction,
    who: Principal,
    session: str,
    to: Status,
    *,
    reason: str = "",
    operation: Operation,
    token: FencingToken | None = None,
) -> tuple[Status, Status]:
    """Change the session's status; return the old and the new. Raises Refused naming both and what is allowed.

    A driver of the session is not asked: it finds the change at its next step and stops there.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if repeated(tx, head.key, operation) is not None:
        return head.status, head.status
    if token is not None:
        fence(tx, head, token)
    change_status(head, to)
    data: dict[str, Json] = {"from": head.status, "to": to}
    if reason:
        data["reason"] = reason
    append(tx, who, head, [new_event(kinds.STATUS, encode(data))], operation)
    tx.sessions.set_status(head.key, to, reason)
    return head.status, to


def reset(
    tx: Transaction, who: Principal, session: str, *, operation: Operation, token: FencingToken | None = None
) -> Head:
    """Begin a new epoch: conversation, state and flow start empty, what was is kept.

    A final session is active again.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if repeated(tx, head.key, operation) is not None:
        return head
    fence(tx, head, token)
    uid = tx.sessions.new_epoch(head)
    data = encode({"epoch": head.epoch + 1, "uid": uid.hex()})
    begun = msgspec.structs.replace(
        head, status="active", epoch=head.epoch + 1, epoch_seq=head.seq + 1, messages=0
    )
    return append(tx, who, begun, [new_event(kinds.RESET, data)], operation)


def delete(tx: Transaction, who: Principal, session: str, *, operation: Operation) -> SessionId:
    """Begin a deletion: the session is gone for everybody. `purge` removes its rows. Raises NotFound."""
    who.may_write()
    before = tx.sessions.operation(who.tenant, operation.id) if operation.request else None
    if before:
        if before[0] != operation.request:
            raise other_request()
        return SessionId(session)
    head = head_of(tx, who, session)
    tx.sessions.hide(who.tenant, head)
    if operation.request is not None:
        tx.sessions.add_operation(who.tenant, operation.id, operation.request, b"")
    return head.id


def purge(tx: Transaction, who: Principal) -> bool:
    """Remove one more piece of what was deleted; return whether there may be more."""
    doomed = tx.sessions.doomed(who.tenant)
    if doomed is None:
        return False
    if not tx.journal.drop(doomed, limit=PURGE_ROWS):
        tx.sessions.drop(doomed)
    return True


def within(tx: Transaction, who: Principal, limits: Limits, *, active: bool = True) -> None:
    """Raise Limit unless there is room for one more session, an `active` one or not."""
    for most, listing, what in (
        (limits.sessions, Listing(), "sessions"),
        (limits.sessions_active if active else None, Listing(status="active"), "active sessions"),
    ):
        if most is not None and tx.sessions.count(who.tenant, listing, most=most) >= most:
            raise Limit(
                f"There are {most:,} {what} already, as many as [limits] allows.",
                code="too_many_sessions",
                hint="End or delete some, or raise the limit in retoma.toml.",
                limit=most,
            )


def _free_id(tx: Transaction, who: Principal, new: NewSession) -> SessionId:
    while True:
        drawn = generated_id(new.title or new.agent or "session", tx.random)
        if tx.sessions.key(who.tenant, drawn) is None:
            return drawn


def _said(chosen: SessionId, new: NewSession) -> dict[str, object]:
    """Return what was said of a new session, without what was left open."""
    said = msgspec.to_builtins(new)
    return {"id": chosen} | {name: value for name, value in said.items() if value and name != "id"}
