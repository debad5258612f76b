"""What a redaction does in each session that has the events: state, what is said of it, and an event that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from retoma.model import event as kinds
from retoma.model.call import with_call, without_call
from retoma.model.codec import Json, JsonField, encode
from retoma.model.event import Event, new_event
from retoma.model.events import kind_of
from retoma.model.fold import deleted_by, nodes_of, sets_of
from retoma.model.ids import Operation
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED, Wanted, holds
from retoma.model.session import PROPERTIES, TEXTS, About, Head, Session
from retoma.model.state import SYS
from retoma.service.access import append, fence
from retoma.service.calls import in_system, waiting
from retoma.service.forget.sharing import by_source, set_since, sharing
from retoma.service.sessions import Whole, show
from retoma.stores.contract.store import Transaction


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What a session loses: events, keys of its state, the last input (`ans`), and fields of what is said of it.

    `named` are events that were erased before, as one of `events` says, which is to be said again. `deleted` are keys
    that the state does not have any more, each with the last of `events` that took it away. `nodes` are what steps of
    `events` entered: it stays in the history. `tools` is what stays of a tool call and a rollback that are under way.
    """

    head: Head
    whole: Whole
    wanted: Wanted | None
    events: tuple[int, ...]
    named: tuple[int, ...]
    keys: tuple[str, ...]
    deleted: dict[str, int]
    nodes: dict[str, str]
    ans: bool
    tools: dict[str, JsonField]
    fields: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        return not (self.events or self.keys or self.fields or self.ans or self.tools)


def look(
    tx: Transaction,
    who: Principal,
    head: Head,
    found: Sequence[Event],
    wanted: Wanted | None,
    *,
    last: bool = True,
) -> Loss:
    """Return what the session loses with the events `found`, and with the `last` of them what in its rows is wanted."""
    state, looked_for = tx.state.get(head.key), wanted if last else None
    keys, ans = _in_state(state, found, looked_for)
    gone, tools = _deleted(state, found, wanted), _tools(tx, head, state.get(SYS), found, looked_for)
    return _loss(tx, who, head, found, wanted, keys, gone, ans, tools, profile=last)


def look_beside(
    tx: Transaction, who: Principal, head: Head, found: Sequence[Event], wanted: Wanted | None, shared: int
) -> Loss:
    """Return what a session loses that has the events `found` too, and shares its past up to event `shared`.

    What it set itself since stays in its state: the events that did are not looked at.
    """
    state = tx.state.get(head.key)
    keys, ans = _in_state(state, found, None)
    gone, tools = _deleted(state, found, wanted), _tools(tx, head, state.get(SYS), found, None)
    named = {name for name in keys if wanted is not None and wanted(name)}
    own = set_since(tx, head.key, named, shared) if named else set()
    kept = tuple(name for name in keys if name not in own)
    return _loss(tx, who, head, found, wanted, kept, gone, ans, tools, profile=True)


def _loss(
    tx: Transaction,
    who: Principal,
    head: Head,
    found: Sequence[Event],
    wanted: Wanted | None,
    keys: tuple[str, ...],
    gone: dict[str, int],
    ans: bool,
    tools: dict[str, Json],
    *,
    profile: bool,
) -> Loss:
    whole = show(tx, who, head.id)
    return Loss(
        head=head,
        whole=whole,
        wanted=wanted,
        events=tuple(event.seq for event in found),
        named=tuple(seq for event in found if event.type == kinds.ERASED for seq in _seqs(event)),
        keys=keys,
        deleted=gone,
        nodes=_nodes(found, wanted),
        ans=ans,
        tools=tools,
        fields=_in_profile(whole.session, whole.about, wanted) if profile and wanted is not None else (),
    )


def erase(tx: Transaction, head: Head, found: Sequence[Event], *, everywhere: bool) -> None:
    """Erase the rows of the events, in whichever journal they are, and the snapshots that may have what they said.

    `everywhere`: all snapshots of the line.
    """
    line = tx.branches.line(head.key)
    if line is None:
        return
    rows = by_source(line, found)
    for source, events in rows.items():
        tx.erasing.erase(source, [event.seq for event in events])
    for source in {one.source for one in line.segments} if everywhere else rows:
        tx.branches.drop_snapshots(source)


def erase_shared(
    tx: Transaction,
    who: Principal,
    head: Head,
    found: Sequence[Event],
    operation: Operation,
    wanted: Wanted | None,
) -> None:
    """Erase events that the session's own journal names as erased; other sessions that have them say so, too.

    Raises Busy while one of these is driven.
    """
    losses = []
    for other in sharing(tx, who, head, found):
        fence(tx, other.head, None)
        losses.append(look_beside(tx, who, other.head, other.events, wanted, other.shared))
    erase(tx, head, found, everywhere=True)
    for loss in losses:
        forget(tx, who, loss, operation)


def forget(tx: Transaction, who: Principal, loss: Loss, operation: Operation) -> None:
    """Journal what the session lost, and take it out of its rows."""
    data: dict[str, Json] = {
        "events": [*sorted({*loss.events, *loss.named})],
        "keys": _sayable(loss.keys, loss.wanted),
    }
    if loss.deleted:
        data["deleted"] = {**loss.deleted}
    if loss.nodes:
        data["nodes"] = {**loss.nodes}
    if loss.fields:
        data["fields"] = [*loss.fields]
    if loss.ans:
        data["ans"] = True
    data |= loss.tools
    moved = append(tx, who, loss.head, [new_event(kinds.ERASED, encode(data))], operation)
    clear_state(tx, moved, loss.keys, loss.wanted)
    if loss.ans or loss.tools:
        system = tx.state.some(moved.key, [SYS]).get(SYS)
        known = system if isinstance(system, dict) else {}
        said = {"ans": REDACTED} if loss.ans else {}
        system, call = without_call({**known, **said, **loss.tools})
        tx.state.put(moved.key, {SYS: system}, seq=moved.seq)
        if call is not None:
            tx.pending.put(moved.key, call)
    if loss.fields and loss.wanted is not None:
        row, about = _cleared(loss.whole.session, loss.whole.about, loss.wanted)
        tx.profiles.put(who.tenant, moved, row, loss.whole.about, about)


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
        for name, value in sets_of(event).items():
            if name in state and state[name] == value and value != REDACTED:
                keys.add(name)
        spoken |= ans in kind_of(event.type).answer(data)
    if wanted is not None:
        keys |= {n for n, value in state.items() if n != SYS and (wanted(n) or holds(value, wanted))}
    return tuple(sorted(keys)), spoken


def _deleted(state: Mapping[str, Json], found: Sequence[Event], wanted: Wanted | None) -> dict[str, int]:
    """Return the keys that a forgotten event deleted and that are still away: events before it would bring them back.

    A key whose own name is wanted is not named. What set it is forgotten, too.
    """
    gone: dict[str, int] = {}
    for event in found:
        gone |= deleted_by(event)
    return {name: seq for name, seq in gone.items() if name not in state and not (wanted and wanted(name))}


def _nodes(found: Sequence[Event], wanted: Wanted | None) -> dict[str, str]:
    """Return the nodes that forgotten steps entered, but for names that are wanted."""
    nodes: dict[str, str] = {}
    for event in found:
        nodes |= nodes_of(event)
    return {seq: node for seq, node in nodes.items() if wanted is None or not wanted(node)}


def _seqs(event: Event) -> list[int]:
    events = event.value().get("events")
    return [seq for seq in events if isinstance(seq, int)] if isinstance(events, list) else []


def _named(data: Mapping[str, Json]) -> Sequence[Json]:
    keys = data.get("keys")
    return keys if isinstance(keys, list) else ()


def _tools(
    tx: Transaction, head: Head, system: Json, found: Sequence[Event], wanted: Wanted | None
) -> dict[str, Json]:
    """Return what stays of the call and the rollback under way; what a forgotten event said of them is said again."""
    call = waiting(tx, head.key)
    known = with_call(system, call)
    again = {name for event in found if event.type == kinds.ERASED for name in event.value()}
    said: dict[str, Json] = {
        name: known[name]
        for name in ("call", "rollback")
        if isinstance(known, dict) and name in known and name in again
    }
    return said | in_system(system, call, found, wanted)


def clear_state(tx: Transaction, head: Head, keys: Sequence[str], wanted: Wanted | None) -> None:
    """Take the keys out of the state: what they hold, and those whose own name is wanted."""
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


_TEXTS = (*(name for name in PROPERTIES if name in TEXTS), "reason")


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
