"""A session's life: made, listed, looked at, paused, resumed, ended, begun anew, deleted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from retoma.errors import Conflict, Limit, NotFound
from retoma.model import event as kinds
from retoma.model import shapes
from retoma.model.codec import Json, encode
from retoma.model.event import new_event
from retoma.model.ids import Operation, SessionId, SessionKey, generated_id, session_id
from retoma.model.lease import FencingToken, Lease
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.principal import Principal
from retoma.model.session import (
    About,
    Head,
    NewSession,
    Session,
    Status,
    change_status,
    checked,
    in_trash,
)
from retoma.service.access import append, expect_head, fence, head_of, missing, other_request, repeated
from retoma.stores.contract.store import Listing, Place, Transaction

_EVERY = 1 << 62


class Whole(msgspec.Struct, frozen=True):
    """All there is to say of one session."""

    session: Session
    about: About
    lease: Lease | None

    def shape(self, now_ms: int) -> shapes.Whole:
        """Return it as callers get it, at that instant."""
        return shapes.whole(self.session, self.about, self.lease, now_ms)


class Page(msgspec.Struct, frozen=True):
    """A page of sessions. `next` is where it ended, None on the last."""

    items: list[Session]
    next: Place | None


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
        return _made_before(tx, who, before[1])
    within(tx, who, limits or NO_LIMITS)
    chosen = wanted or _free_id(tx, who, new)
    if wanted and tx.sessions.key(who.tenant, wanted) is not None:
        raise id_taken(wanted)
    parent = tx.sessions.key(who.tenant, new.parent) if new.parent else None
    if new.parent and parent is None:
        raise missing(tx, who, new.parent)
    head = tx.sessions.add(who.tenant, chosen, new, parent=parent)
    append(tx, who, head, [new_event(kinds.CREATED, encode(_said(chosen, new)))], operation)
    if operation.request is not None:
        tx.sessions.add_operation(who.tenant, operation.id, operation.request, head.key.to_bytes(8))
    return chosen


def id_taken(wanted: SessionId) -> Conflict:
    """Return the error for an id that another session bears."""
    return Conflict(
        f"Session '{wanted}' already exists.",
        code="id_taken",
        hint=f"Show it with `retoma session show {wanted}`, or choose another id.",
        session=wanted,
    )


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
) -> Page:
    """Return a page of the sessions that any of `listings` means (they must not overlap), newest first."""
    rows = [
        row
        for listing in listings
        for row in tx.sessions.list(who.tenant, listing, after=after, limit=limit + 1)
    ]
    if listings[0].sort == "id":
        rows.sort(key=lambda row: row[1].id)
    else:
        rows.sort(key=lambda row: (row[1].pinned, row[1].at, row[1].key), reverse=True)
    page, more = rows[:limit], len(rows) > limit
    return Page([session for session, _ in page], page[-1][1] if more else None)


def count(tx: Transaction, who: Principal, listings: Sequence[Listing], *, most: int | None = None) -> int:
    """Return how many sessions any of `listings` means, counting no further than `most` of each."""
    return sum(
        tx.sessions.count(who.tenant, listing, most=_EVERY if most is None else most) for listing in listings
    )


def change(
    tx: Transaction,
    who: Principal,
    session: str,
    to: Status,
    *,
    reason: str = "",
    operation: Operation,
    token: FencingToken | None = None,
    expect: int | None = None,
) -> tuple[Status, Status]:
    """Change the session's status; return the old and the new. Raises Refused naming both and what is allowed.

    A driver of the session is not asked: it finds the change at its next step and stops there. Raises Conflict when
    `expect` is given and is not the number of its events.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if repeated(tx, head.key, operation) is not None:
        return head.status, head.status
    if head.trashed:
        raise in_trash(head.id)
    if token is not None:
        fence(tx, head, token)
    expect_head(head, expect)
    change_status(head, to)
    data: dict[str, Json] = {"from": head.status, "to": to}
    if reason:
        data["reason"] = reason
    append(tx, who, head, [new_event(kinds.STATUS, encode(data))], operation, token=token)
    tx.sessions.set_status(head.key, to, reason)
    return head.status, to


def reset(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    erase: bool = False,
    forgotten: int = 0,
    operation: Operation,
    token: FencingToken | None = None,
) -> Head:
    """Begin a new epoch: conversation, state and flow start empty, what was is kept. A final session is active again.

    Without a token whoever drives the session is fenced off. With `erase` the earlier epochs are cut off the journal;
    `purge` removes their rows. Raises Conflict unless what forks share of them was redacted, up to `forgotten`.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if (before := repeated(tx, head.key, operation)) is not None:
        first = dict(tx.sessions.epochs(head.key)).get(before[0], head.epoch)
        return msgspec.structs.replace(head, epoch=first)
    if head.trashed:
        raise in_trash(head.id)
    if erase and tx.branches.shared_until(head.key) > max(forgotten, head.base):
        raise Conflict(
            f"Session '{head.id}' was forked at the same time.",
            code="forked_meanwhile",
            hint="Run the command again.",
            session=head.id,
        )
    if token is None:
        tx.leases.drop(head.key)
    else:
        fence(tx, head, token)
    uid = tx.sessions.new_epoch(head)
    data: dict[str, Json] = {"epoch": head.epoch + 1, "uid": uid.hex()}
    if erase:
        data["erased"] = head.seq
        tx.erasing.cut(who.tenant, head)
    begun = msgspec.structs.replace(
        head,
        status="active",
        epoch=head.epoch + 1,
        epoch_seq=head.seq + 1,
        messages=0,
        base=head.seq if erase else head.base,
    )
    return append(tx, who, begun, [new_event(kinds.RESET, encode(data))], operation, token=token)


def within(tx: Transaction, who: Principal, limits: Limits, *, active: bool = True) -> None:
    """Raise Limit unless there is room for one more session, an `active` one or not."""
    for most, listing, what, key in (
        (limits.sessions, Listing(), "session", "limits.sessions"),
        (limits.sessions_active if active else None, Listing(status="active"), "active session", _ACTIVE),
    ):
        if most is not None and tx.sessions.count(who.tenant, listing, most=most) >= most:
            there = f"There are {most:,} {what}s" if most != 1 else f"There is 1 {what}"
            raise Limit(
                f"{there}, the most that {key} allows.",
                code="too_many_sessions",
                hint=f"End or delete sessions, or raise the limit in {limits.where(key)}.",
                limit=most,
                key=key,
            )


_ACTIVE = "limits.sessions_active"


def _made_before(tx: Transaction, who: Principal, result: bytes) -> SessionId:
    # Format 1 kept the session's id, which has no NUL; a number begins with one.
    key = (
        SessionKey(int.from_bytes(result))
        if result[:1] == b"\0"
        else tx.sessions.key(who.tenant, result.decode())
    )
    name = tx.sessions.name(key) if key is not None else None
    if name is None:
        raise NotFound(
            "The session made with this key was deleted.",
            code="deleted",
            hint="Use a new key to make another one.",
        )
    return name


def _free_id(tx: Transaction, who: Principal, new: NewSession) -> SessionId:
    while True:
        drawn = generated_id(new.title or new.agent or "session", tx.random)
        if tx.sessions.key(who.tenant, drawn) is None:
            return drawn


def _said(chosen: SessionId, new: NewSession) -> dict[str, object]:
    """Return what was said of a new session, without what was left open."""
    said = msgspec.to_builtins(new)
    return {"id": chosen} | {name: value for name, value in said.items() if value and name != "id"}
