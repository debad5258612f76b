"""Forgetting: what a redaction names, what a reset cuts off, what was deleted or lay in the trash too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from retoma.model import event as kinds
from retoma.model.call import result_sets
from retoma.model.codec import Json, encode
from retoma.model.event import Event, new_event
from retoma.model.ids import Operation, new_operation
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED, Wanted, holds
from retoma.model.session import About, Head, Session, in_trash
from retoma.model.state import SYS
from retoma.model.times import DAY
from retoma.service.access import append, fence, head_of
from retoma.service.calls import in_system
from retoma.service.profiles import TRASH_KEPT_MS, trash_due
from retoma.service.sessions import hide, show
from retoma.stores.api import Transaction

CHUNK = 500
"""How many events one transaction reads or removes."""
_PAGES = 64
"""And how many pages of the search index."""
_MOST_NAMED = 50_000
"""How many events one event names."""
TRASH = "trash"
"""Who the store's log says deleted what lay in the trash too long."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be forgotten: the events from `first` to `last`, or whatever `wanted` finds, in all that is kept."""

    first: int = 1
    last: int | None = None
    wanted: Wanted | None = None


class Redaction(msgspec.Struct, frozen=True, kw_only=True):
    """What one stretch of a redaction took; `after` is where the next one begins, None when it was the last."""

    events: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    after: int | None = None


def redact(
    tx: Transaction,
    who: Principal,
    session: str,
    selection: Selection,
    *,
    after: int = 0,
    operation: Operation | None,
) -> Redaction:
    """Forget what `selection` takes of the next stretch of the journal behind `after`, and what it left in the state.

    Without an operation nothing is changed: what would go is returned. With the last stretch goes what is found in the
    state and in what is said of the session. Raises NotFound, Busy while the session is driven.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if head.trashed:
        raise in_trash(head.id)
    if operation is not None:
        fence(tx, head, None)
    after = max(after, selection.first - 1, head.base)
    until = head.seq if selection.last is None else min(selection.last, head.seq)
    page = tx.journal.read(head.key, after=after, limit=CHUNK, until=until + 1)
    found = [event for event in page if not event.erased and _takes(selection, event)]
    more = len(page) == CHUNK and page[-1].seq < until
    state = tx.state.get(head.key)
    keys, ans = _in_state(state, found, None if more else selection.wanted)
    tools = in_system(state.get(SYS), found, None if more else selection.wanted)
    whole = show(tx, who, head.id)
    fields = (
        () if more or selection.wanted is None else _in_profile(whole.session, whole.about, selection.wanted)
    )
    taken = Redaction(
        events=tuple(event.seq for event in found),
        keys=keys,
        fields=fields,
        after=page[-1].seq if more else None,
    )
    if operation is None or not (found or keys or fields or ans or tools):
        return taken
    tx.erasing.erase(head.key, taken.events)
    data: dict[str, Json] = {"events": list(taken.events), "keys": _sayable(keys, selection.wanted)}
    if fields:
        data["fields"] = list(fields)
    if ans:
        data["ans"] = True
    data |= tools
    moved = append(tx, who, head, [new_event(kinds.ERASED, encode(data))], operation)
    _clear_state(tx, moved, keys, selection.wanted)
    if ans or tools:
        system = state.get(SYS)
        known = system if isinstance(system, dict) else {}
        tx.state.put(moved.key, {SYS: known | ({"ans": REDACTED} if ans else {}) | tools}, seq=moved.seq)
    if fields and selection.wanted is not None:
        row, about = _cleared(whole.session, whole.about, selection.wanted)
        tx.profiles.put(who.tenant, moved, row, whole.about, about)
    return taken


def explain(
    tx: Transaction,
    who: Principal,
    session: str,
    events: Sequence[int],
    keys: Sequence[str],
    fields: Sequence[str],
    *,
    ans: bool,
) -> int:
    """Journal a redaction that was made on the way out of another store; return the journal's length.

    The data of `events` is not here, and what they and the pattern left in the state says so already.
    """
    operation = Operation(new_operation(tx.now, tx.random))
    head = head_of(tx, who, session)
    for first in range(0, max(len(events), 1), _MOST_NAMED):
        data: dict[str, Json] = {"events": [*events[first : first + _MOST_NAMED]], "keys": [*keys]}
        if fields:
            data["fields"] = [*fields]
        if ans:
            data["ans"] = True
        head = append(tx, who, head, [new_event(kinds.ERASED, encode(data))], operation)
    _clear_state(tx, head, keys, None)
    if ans:
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
        after=other.after,
    )


def purge(tx: Transaction, who: Principal) -> bool:
    """Remove one more piece of what was deleted, cut off or left in the trash; False when nothing was due."""
    return sweep(tx, who) or empty_trash(tx, who)


def sweep(tx: Transaction, who: Principal) -> bool:
    """Remove one more piece of what was deleted or cut off; False when nothing was left."""
    doomed = tx.sessions.doomed(who.tenant)
    if doomed is not None:
        if not tx.erasing.drop_events(doomed, limit=CHUNK):
            tx.erasing.drop_flows(doomed)
            tx.sessions.drop(doomed)
        return True
    due = tx.erasing.due(who.tenant)
    if due is not None:
        tx.erasing.drop_events(due[0], until=due[1], limit=CHUNK)
        return True
    return clean_index(tx, who)


def clean_index(tx: Transaction, who: Principal) -> bool:
    """Take what was forgotten out of some pages of the search index; False when nothing was left in it."""
    return tx.indexing.clean(who.tenant, pages=_PAGES)


def empty_trash(tx: Transaction, who: Principal, *, now: int | None = None) -> bool:
    """Begin to delete a session whose time in the trash is over, at `now` if it is given; False when there is none."""
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
        or any(part.dirty for part in tx.search.parts(who.tenant))
    )


def due(tx: Transaction, who: Principal) -> bool:
    """Return whether `purge` would find something to do."""
    return unswept(tx, who) or trash_due(tx, who) is not None


def _takes(selection: Selection, event: Event) -> bool:
    if event.type in _OURS:
        return False
    if event.type == kinds.ERASED:
        return selection.wanted is not None and holds(event.value().get("keys"), selection.wanted)
    if selection.wanted is None:
        return True
    data = {name: value for name, value in event.value().items() if name not in _HASHES}
    return holds(data, selection.wanted)


_OURS = (kinds.RESET, kinds.FLOW_VERSION)
"""Events that hold nothing of what was said: numbers, hashes and names of nodes."""
_HASHES = ("version", "uid", "key")
"""What is hexadecimal in an event's data: a short pattern would be found in it by chance."""


def _in_state(
    state: Mapping[str, Json], found: Sequence[Event], wanted: Wanted | None
) -> tuple[tuple[str, ...], bool]:
    """Return the keys whose value is one that a forgotten event set, or has what is wanted; and whether `ans` has."""
    keys = set()
    system = state.get(SYS)
    ans = system.get("ans") if isinstance(system, dict) else None
    spoken = wanted is not None and holds(ans, wanted)
    for event in found:
        data = event.value()
        if event.type == kinds.ERASED:
            # It is forgotten for a name in it. What else it says still holds, and is said again.
            keys |= {name for name, value in state.items() if value == REDACTED and name in _named(data)}
            spoken |= bool(data.get("ans")) and ans == REDACTED
            continue
        sets = data.get("set")
        said = sets if isinstance(sets, dict) else {}
        if event.type == kinds.TOOL_RESULT:
            said = result_sets(data)
            spoken |= "undo" not in data and ans == data.get("error", data.get("result"))
        for name, value in said.items():
            if name in state and state[name] == value and value != REDACTED:
                keys.add(name)
        spoken |= (
            event.type == kinds.FLOW_INPUT
            and ans is not None
            and ans == data.get("answer", data.get("input"))
        )
    if wanted is not None:
        keys |= {n for n, value in state.items() if n != SYS and (wanted(n) or holds(value, wanted))}
    return tuple(sorted(keys)), spoken


def _named(data: Mapping[str, Json]) -> Sequence[Json]:
    keys = data.get("keys")
    return keys if isinstance(keys, list) else ()


def _clear_state(tx: Transaction, head: Head, keys: Sequence[str], wanted: Wanted | None) -> None:
    gone = [name for name in keys if wanted is not None and wanted(name)]
    tx.state.delete(head.key, gone)
    tx.state.put(head.key, {name: REDACTED for name in keys if name not in gone}, seq=head.seq)


def _sayable(keys: Sequence[str], wanted: Wanted | None) -> list[Json]:
    """Return the keys to journal: one whose name itself was to be forgotten is left out."""
    return [name for name in keys if wanted is None or not wanted(name)]


def _in_profile(session: Session, about: About, wanted: Wanted) -> tuple[str, ...]:
    row, said = _cleared(session, about, wanted)
    names = [name for name in _TEXTS if getattr(row, name) != getattr(session, name)]
    names += [name for name in said.__struct_fields__ if getattr(said, name) != getattr(about, name)]
    return tuple(names)


_TEXTS = ("title", "agent", "model", "channel", "reason")


def _cleared(session: Session, about: About, wanted: Wanted) -> tuple[Session, About]:
    texts = {name: REDACTED for name in _TEXTS if wanted(getattr(session, name))}
    return msgspec.structs.replace(session, **texts), About(
        description=REDACTED if wanted(about.description) else about.description,
        metadata={
            name: REDACTED if holds(value, wanted) else value
            for name, value in about.metadata.items()
            if not wanted(name)
        },
        tags=tuple(tag for tag in about.tags if not wanted(tag)),
        contexts=tuple(pair for pair in about.contexts if not wanted(pair[0]) and not wanted(pair[1])),
    )
