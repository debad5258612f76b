"""What is said of a session, said anew: texts, labels, metadata, pin, archive, trash, notes, id."""

from __future__ import annotations

from retoma.errors import Refused
from retoma.model import changes as rules
from retoma.model import event as kinds
from retoma.model.changes import Changes
from retoma.model.codec import Json, encode
from retoma.model.event import Event, new_event
from retoma.model.ids import Operation, SessionId, session_id
from retoma.model.principal import Principal
from retoma.model.retention import TRASH_KEPT_MS
from retoma.model.session import FINAL, SHOWN, TRASHED, Head, in_trash
from retoma.service import clock
from retoma.service.access import append, fence, head_of, repeated
from retoma.service.sessions import Whole, id_taken, show
from retoma.stores.contract.store import Transaction


def update(tx: Transaction, who: Principal, session: str, changes: Changes, *, operation: Operation) -> Whole:
    """Make `changes`, journal what they make different, and return the session as it is then.

    Raises NotFound, Invalid, and Refused for a new agent, model, thinking or channel of a session that is final.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if repeated(tx, head.key, operation) is not None:
        return show(tx, who, head.id)
    _refuse_trashed(head)
    changes = rules.checked(changes)
    whole = show(tx, who, head.id)
    data = rules.difference(whole.session, whole.about, changes)
    if not data:
        return whole
    _refuse_routing(head, data)
    after = append(tx, who, head, [new_event(kinds.UPDATED, encode(data))], operation)
    row, about = rules.applied(whole.session, whole.about, data)
    tx.profiles.put(who.tenant, after, row, whole.about, about)
    return show(tx, who, head.id)


def rename(tx: Transaction, who: Principal, session: str, new: str, *, operation: Operation) -> SessionId:
    """Give the session another id; its history stays. Raises Invalid, NotFound, Conflict, Busy while it is driven."""
    wanted = session_id(new)
    taken = tx.sessions.key(who.tenant, wanted)
    if operation.request is not None and taken is not None and repeated(tx, taken, operation) is not None:
        return wanted
    who.may_write()
    head = head_of(tx, who, session)
    if repeated(tx, head.key, operation) is not None:
        return head.id
    _refuse_trashed(head)
    if wanted == head.id:
        return wanted
    if taken is not None:
        raise id_taken(wanted)
    fence(tx, head, None)
    data: dict[str, Json] = {"set": {"id": wanted}}
    append(tx, who, head, [new_event(kinds.UPDATED, encode(data))], operation)
    tx.profiles.rename(who.tenant, head, wanted)
    return wanted


def note(tx: Transaction, who: Principal, session: str, text: str, *, operation: Operation) -> int:
    """Add a note about the session and return its seq. Every state takes notes. Raises NotFound, Invalid."""
    who.may_write()
    head = head_of(tx, who, session)
    before = repeated(tx, head.key, operation)
    if before is not None:
        return before[0]
    _refuse_trashed(head)
    seq = append(tx, who, head, [new_event(kinds.NOTE, encode({"text": text}))], operation).seq
    tx.profiles.add_note(head.key, seq)
    return seq


def notes(tx: Transaction, who: Principal, session: str) -> list[Event]:
    """Return the session's notes, oldest first. Raises NotFound."""
    key = head_of(tx, who, session).key
    return [tx.journal.read(key, after=seq - 1, limit=1)[0] for seq in tx.profiles.notes(key)]


def trash(tx: Transaction, who: Principal, session: str, *, operation: Operation) -> None:
    """Hide the session; it is deleted after seven days unless it is restored. Raises NotFound, Busy."""
    who.may_write()
    clock.keep(tx, who)
    head = head_of(tx, who, session)
    if repeated(tx, head.key, operation) is not None or head.trashed:
        return
    fence(tx, head, None)
    put_in_trash(tx, who, head, operation)


def put_in_trash(tx: Transaction, who: Principal, head: Head, operation: Operation) -> None:
    """Hide a session that nobody drives."""
    _shelve(tx, who, head, TRASHED, operation)


def restore(tx: Transaction, who: Principal, session: str, *, operation: Operation) -> None:
    """Take the session out of the trash. Raises NotFound, Refused when it is not in it."""
    who.may_write()
    head = head_of(tx, who, session)
    if repeated(tx, head.key, operation) is not None:
        return
    if not head.trashed:
        raise Refused(
            f"Session '{head.id}' is not in the trash.",
            code="not_trashed",
            hint="`retoma session ls --deleted` lists the trash.",
            session=head.id,
        )
    _shelve(tx, who, head, SHOWN, operation)


def trash_due(tx: Transaction, who: Principal, *, now: int) -> SessionId | None:
    """Return a session whose time in the trash is over at `now`."""
    return tx.profiles.trash_due(who.tenant, now - TRASH_KEPT_MS)


def _refuse_trashed(head: Head) -> None:
    if head.trashed:
        raise in_trash(head.id)


def _shelve(tx: Transaction, who: Principal, head: Head, shelf: int, operation: Operation) -> None:
    data = encode({"set": {"trashed": shelf == TRASHED}})
    append(tx, who, head, [new_event(kinds.UPDATED, data)], operation)
    tx.profiles.shelve(head.key, shelf)


def _refuse_routing(head: Head, data: dict[str, Json]) -> None:
    """A final session has no next turn that another agent, model, level or channel could be for."""
    changed = data.get("set")
    names = set(changed) & {"agent", "model", "thinking", "channel"} if isinstance(changed, dict) else set()
    if names and head.status in FINAL:
        raise Refused(
            f"Session '{head.id}' is {head.status}: its {min(names)} can no longer be changed.",
            code="not_active",
            hint=f"To change it, start a new epoch: retoma session reset {head.id}",
            status=head.status,
        )
