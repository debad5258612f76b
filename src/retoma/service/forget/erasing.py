"""Forgetting: what a redaction names, what a reset cuts off, what was deleted or lay in the trash too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from retoma.model import event as kinds
from retoma.model.branch import shared as together
from retoma.model.codec import Json, encode
from retoma.model.event import Event, new_event
from retoma.model.events import kind_of
from retoma.model.fold import deleted_by, nodes_of
from retoma.model.ids import Operation, SessionId, new_operation
from retoma.model.pattern import Pattern
from retoma.model.plain import Plain
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED, holds
from retoma.model.retention import TRASH_KEPT_MS
from retoma.model.session import in_trash
from retoma.model.state import SYS
from retoma.model.times import DAY
from retoma.service.access import append, fence, head_of
from retoma.service.forget.deleting import hide
from retoma.service.forget.forgetting import clear_state, erase, forget, look, look_beside
from retoma.service.forget.sharing import sharing
from retoma.service.profiles import trash_due
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from retoma.model.transfer import RedactedPart

CHUNK = 500
"""How many events one transaction reads or removes."""
_DOCS = 32
"""And how many documents it takes out of the search index."""
_MOST_NAMED = 2_000
"""How many events one event names."""
TRASH = "trash"
"""Who the store's log says deleted what lay in the trash too long."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be forgotten: the events from `first` to `last`, or whatever `wanted` finds, in all that is kept."""

    first: int = 1
    last: int | None = None
    wanted: Pattern | None = None


class Redaction(msgspec.Struct, Plain, frozen=True, kw_only=True):
    """What one stretch of a redaction took; `after` is where the next one begins, None when it was the last.

    `branches` are other sessions from which it was taken, too.
    """

    events: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    after: int | None = None


def redact(
    tx: Transaction,
    who: Principal,
    session: str,
    selection: Selection,
    *,
    after: int = 0,
    operation: Operation | None,
    fenced: bool = True,
) -> Redaction:
    """Forget what `selection` takes of the next stretch of the journal behind `after`, and what it left in the state.

    Whoever shares one of these events forgets it too. Without an operation nothing is changed: what would go is
    returned. With the last stretch goes what is found in the state and in what is said of the session. Raises NotFound,
    and Busy while the session (unless `fenced` is off) or one that shares with it is driven.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if head.trashed:
        raise in_trash(head.id)
    if operation is not None and fenced:
        fence(tx, head, None)
    after = max(after, selection.first - 1, head.base)
    until = head.seq if selection.last is None else min(selection.last, head.seq)
    page = tx.journal.read(head.key, after=after, limit=CHUNK, until=until + 1)
    found = [event for event in page if not event.erased and takes(selection, event)]
    more = len(page) == CHUNK and page[-1].seq < until
    loss = look(tx, who, head, found, selection.wanted, last=not more)
    others = sharing(tx, who, head, found)
    taken = Redaction(
        events=loss.events,
        keys=loss.keys,
        fields=loss.fields,
        branches=tuple(one.head.id for one in others),
        after=page[-1].seq if more else None,
    )
    losses = [
        loss,
        *(look_beside(tx, who, one.head, one.events, selection.wanted, one.shared) for one in others),
    ]
    if operation is None or loss.nothing:
        return taken
    tx.erasing.begin()
    for one in others:
        fence(tx, one.head, None)
    erase(tx, head, found, everywhere=selection.wanted is not None)
    for each in losses:
        forget(tx, who, each, operation)
    return taken


def explain(
    tx: Transaction,
    who: Principal,
    session: str,
    events: Sequence[int],
    left: RedactedPart,
) -> int:
    """Journal a redaction that was made on the way out of another store; return the journal's length.

    The data of `events` is not here, and what they and the pattern left in the state says so already.
    """
    operation = Operation(new_operation(tx.now, tx.random))
    head = head_of(tx, who, session)
    for first in range(0, max(len(events), 1), _MOST_NAMED):
        named = events[first : first + _MOST_NAMED]
        data: dict[str, Json] = {"events": [*named], "keys": [*left.keys]}
        nodes = {str(seq): left.nodes[str(seq)] for seq in named if str(seq) in left.nodes}
        if nodes:
            data["nodes"] = {**nodes}
        if left.deleted:
            data["deleted"] = {**left.deleted}
        if left.fields:
            data["fields"] = [*left.fields]
        if left.ans:
            data["ans"] = True
        head = append(tx, who, head, [new_event(kinds.ERASED, encode(data))], operation)
    clear_state(tx, head, left.keys, None)
    if left.ans:
        system = tx.state.some(head.key, [SYS]).get(SYS)
        known = system if isinstance(system, dict) else {}
        tx.state.put(head.key, {SYS: known | {"ans": REDACTED}}, seq=head.seq)
    return head.seq


def joined(one: Redaction, other: Redaction) -> Redaction:
    """Return what two stretches took together."""
    return Redaction(
        events=one.events + other.events,
        keys=tuple(sorted({*one.keys, *other.keys})),
        fields=one.fields + other.fields,
        branches=tuple(sorted({*one.branches, *other.branches})),
        after=other.after,
    )


def said_by(event: Event) -> Redaction:
    """Return what an event says that a redaction took."""
    data = event.value()
    seqs, keys, fields = (data.get(name) for name in ("events", "keys", "fields"))
    return Redaction(
        events=tuple(one for one in seqs if isinstance(one, int)) if isinstance(seqs, list) else (),
        keys=tuple(map(str, keys)) if isinstance(keys, list) else (),
        fields=tuple(map(str, fields)) if isinstance(fields, list) else (),
    )


def forks_of(tx: Transaction, who: Principal, session: str) -> list[tuple[SessionId, int]]:
    """Return the sessions that share what this one wrote itself, each with the first event that is not this one's."""
    key = head_of(tx, who, session).key
    line, found = tx.branches.line(key), []
    for reader in tx.branches.readers(key):
        other = tx.branches.line(reader.key)
        if line is not None and other is not None:
            found.append((reader.id, together(line, other) + 1))
    return found


def shared(tx: Transaction, who: Principal, session: str) -> tuple[int, int]:
    """Return the first and the last event that this session wrote and a fork shares; the last is 0 for none."""
    head = head_of(tx, who, session)
    line, last = tx.branches.line(head.key), tx.branches.shared_until(head.key)
    return (line.inherited_until + 1, last) if line is not None and last > head.base else (1, 0)


def with_branch(one: Redaction, branch: str, own: Redaction) -> Redaction:
    """Return what was taken of a session, and whose branches, after its fork `branch` lost what it wrote itself."""
    lost = own.events or own.keys or own.fields
    names = {*one.branches, *own.branches, *([branch] if lost else ())}
    return msgspec.structs.replace(one, branches=tuple(sorted(names)))


def purge(tx: Transaction, who: Principal, *, now: int) -> bool:
    """Remove one more piece of what was deleted, cut off or, at `now`, in the trash too long; False for none."""
    return sweep(tx, who) or empty_trash(tx, who, now=now)


def sweep(tx: Transaction, who: Principal) -> bool:
    """Remove one more piece of what was deleted or cut off; False when nothing was left."""
    doomed = tx.sessions.doomed(who.tenant)
    if doomed is not None:
        tx.erasing.begin()
        if not tx.erasing.drop_events(doomed, limit=CHUNK):
            tx.erasing.drop_flows(doomed)
            tx.sessions.drop(doomed)
        return True
    due = tx.erasing.due(who.tenant)
    if due is not None:
        if not tx.erasing.drop_events(due[0], until=due[1], limit=CHUNK):
            tx.erasing.done(who.tenant, due[0])
        return True
    return clean_index(tx)


def clean_index(tx: Transaction) -> bool:
    """Take some of what was forgotten out of the search index; False when nothing was left in it."""
    return tx.indexing.clean(docs=_DOCS)


def empty_trash(tx: Transaction, who: Principal, *, now: int) -> bool:
    """Begin to delete a session whose time in the trash is over at `now`; False when there is none."""
    trashed = trash_due(tx, who, now=now)
    if trashed is None:
        return False
    head = head_of(tx, who, trashed)
    tx.log.add(
        who.tenant,
        actor=TRASH,
        deed="erased",
        why=f"{TRASH_KEPT_MS // DAY} days in the trash",
        count=head.seq - head.base,
        session=(head.key, head.id),
    )
    hide(tx, who, head)
    return True


def unswept(tx: Transaction, who: Principal) -> bool:
    """Return whether `sweep` would find something to do."""
    return (
        tx.sessions.doomed(who.tenant) is not None
        or tx.erasing.due(who.tenant) is not None
        or tx.search.dirty()
    )


def due(tx: Transaction, who: Principal, *, now: int) -> bool:
    """Return whether `purge` would find something to do."""
    return unswept(tx, who) or trash_due(tx, who, now=now) is not None


def takes(selection: Selection, event: Event) -> bool:
    """Return whether the selection has the event, which is not erased."""
    kind = kind_of(event.type)
    if kind.fixed:
        return False
    if event.type == kinds.ERASED:
        names: list[Json] = [event.value().get("keys"), [*deleted_by(event), *nodes_of(event).values()]]
        return selection.wanted is not None and holds(names, selection.wanted)
    if selection.wanted is None:
        return True
    data = {name: value for name, value in event.value().items() if name not in kind.hashes}
    return holds(data, selection.wanted)
