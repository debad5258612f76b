"""Undo: a fork that ends before what was said last takes the session's place, and the line that was is kept."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from retoma.errors import Refused
from retoma.model import event as kinds
from retoma.model.changes import Changes, difference
from retoma.model.codec import encode
from retoma.model.event import Event, new_event
from retoma.model.events import kind_of
from retoma.model.ids import ID_LENGTH, Operation, SessionId, session_id
from retoma.model.lease import FencingToken
from retoma.model.outcomes import Undone
from retoma.model.principal import Principal
from retoma.model.session import PROPERTIES, About, Head, Session
from retoma.service.access import append, fence, head_of, named_at
from retoma.service.branch import branches
from retoma.stores.contract.store import Transaction

_CHUNK: Final = 500
_MANY: Final = 1 << 31


def undo(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    operation: Operation,
    token: FencingToken | None = None,
    near: int | None = None,
) -> Undone:
    """Take the session back to before the last user message, or the last input of its flow, in the running epoch.

    A fork takes over its id, its lease, its parent and children, and what is said of it now. The line that was is kept
    whole under another id, and archived. Raises NotFound, Busy, Refused when nothing was said or it is suspended, and
    past.Far when more than `near` events would have to be folded.
    """
    who.may_write()
    if (before := branches.done_before(tx, who, session, operation)) is not None:
        head = head_of(tx, who, session)
        now_row, first = tx.sessions.get(who.tenant, head.id), tx.journal.operation(head.key, operation.id)
        seq = first[0][0] - 1 if first is not None else now_row.fork_seq or 0 if now_row else 0
        return Undone(id=head.id, seq=seq, kept=tx.sessions.name(before))
    head, row = branches.found(tx, who, session)
    fence(tx, head, token)
    if head.status == "suspended":
        raise Refused(
            f"Session '{head.id}' is suspended, so nothing can be undone in it.",
            code="not_active",
            hint=f"Resume it first: retoma session resume {head.id}",
            status=head.status,
        )
    point = _before_it_took_over(tx, row, _last_said(tx, head) - 1)
    then, held = branches.moment(tx, who, row, point, passes=_passes, near=near)
    about = tx.sessions.about(head.key)
    if token is None:
        tx.leases.drop(head.key)  # of a holder whose time is over: it must not find itself in the new line
    kept = _set_aside(tx, who, head, row, about, operation, token)
    said = _difference(row, about, then.session, then.about)
    now = {name: getattr(row, name) for name in (*_SAID, "expires_at")}
    then = msgspec.structs.replace(then, session=msgspec.structs.replace(then.session, **now), about=about)
    if row.fork_seq is not None and point <= row.fork_seq + 2 and named_at(tx, head.key) > point:
        # What made it another session than the one that it was forked from goes: that is said again.
        said["set"] = {**said.get("set", {}), "id": head.id}
    made = branches.add(tx, who, head.id, row, then, operation, said, held=held)
    tx.branches.succeed(who.tenant, head, made.key)
    if operation.request is not None:
        tx.sessions.add_operation(who.tenant, operation.id, operation.request, head.key.to_bytes(8))
    return Undone(id=head.id, seq=point, kept=kept)


_SAID: Final = (*PROPERTIES, "pinned", "archived")


def _passes(event: Event) -> bool:
    return not event.erased and kind_of(event.type).passing


def _last_said(tx: Transaction, head: Head) -> int:
    """Return the seq of the last user message or input. Raises Refused."""
    before: int | None = None
    after = max(head.base, head.epoch_seq - 1, 0)
    while page := tx.journal.tail(head.key, before=before, after=after, limit=_CHUNK):
        for event in page:
            kind = kind_of(event.type)
            if kind.said and (kind.role or event.value().get("role")) == "user":
                return event.seq
        before = page[-1].seq
    raise Refused(
        f"There is nothing to undo: there is no user message or input in '{head.id}'"
        + (f" since epoch {head.epoch} started." if head.epoch > 1 else "."),
        code="nothing_said",
        hint=f"A fork can start after any event: retoma session fork {head.id} --at SEQ",
        session=head.id,
    )


def _before_it_took_over(tx: Transaction, row: Session, seq: int) -> int:
    """Return where the shared past ends, if `seq` is among the events that made the fork: what they say is said anew.

    So a session that is undone again and again does not get a longer line each time.
    """
    began = row.fork_seq
    if began is None or seq <= began:
        return seq
    made = tx.journal.read(row.key, after=began, until=seq + 1, limit=8)
    of_one = len(made) == seq - began and all(event.write == made[0].write for event in made)
    return began if of_one and made[0].type == kinds.FORKED else seq


def _set_aside(
    tx: Transaction,
    who: Principal,
    head: Head,
    row: Session,
    about: About,
    operation: Operation,
    token: FencingToken | None,
) -> SessionId:
    """Keep the line that was, archived and under another id; return that. Its own id is free then."""
    kept = _line_id(tx, who, head.id)
    data = {"set": {"id": kept, "pinned": False, "archived": True}}
    after = append(
        tx, who, head, [new_event(kinds.UPDATED, encode(data))], Operation(operation.id), token=token
    )
    tx.profiles.put(
        who.tenant, after, msgspec.structs.replace(row, pinned=False, archived=True), about, about
    )
    tx.profiles.rename(who.tenant, head, kept)
    return kept


def _line_id(tx: Transaction, who: Principal, session: SessionId) -> SessionId:
    """Return `ID~1`, or the number behind the last of those that are taken."""
    stem = session[: ID_LENGTH - 10] + "~"
    numbers = (name[len(stem) :] for name in tx.sessions.names(who.tenant, stem, limit=_MANY))
    taken = [int(number) for number in numbers if number.isdecimal() and len(number) < 9]
    return session_id(f"{stem}{max(taken, default=0) + 1}")


def _difference(row: Session, about: About, then: Session, said: About) -> dict[str, Any]:
    """Return what a fork of `then` has to say, so that what is said of it is what is said of the session now."""
    changes = Changes(
        **{name: getattr(row, name) for name in _SAID},
        description=about.description,
        tag=about.tags,
        untag=tuple(set(said.tags) - set(about.tags)),
        link=about.contexts,
        unlink=tuple(set(said.contexts) - set(about.contexts)),
        metadata=about.metadata,
        forget=tuple(set(said.metadata) - set(about.metadata)),
    )
    return {**difference(msgspec.structs.replace(then, pinned=False, archived=False), said, changes)}
