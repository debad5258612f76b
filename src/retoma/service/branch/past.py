"""The past: what a session was at an event, folded from its journal and the nearest snapshot before it.

Snapshots are a copy that can be made again: each is bound to the hash of its event, and one that does not fit is passed
over. They are written where the past is asked for, and never on the way of an append.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec

from retoma.errors import Invalid
from retoma.model import event as kinds
from retoma.model.call import Pending, flow_call
from retoma.model.codec import JsonField
from retoma.model.event import Event
from retoma.model.events.message import TOKENS
from retoma.model.events.session import TEXTS
from retoma.model.ids import SessionKey
from retoma.model.ledger import Ledger
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED
from retoma.model.session import ARCHIVED, TRASHED, About, Session
from retoma.model.state import SYS
from retoma.service import calls
from retoma.service.access import missing
from retoma.service.branch.snapshots import packed, unpacked
from retoma.service.flows import Snapshot
from retoma.stores.contract.store import Store, Transaction

EVERY: Final = 1_000
"""Snapshots stand at events whose seq is a multiple of this."""

NEAR: Final = 2 * EVERY
"""How many events are folded in one transaction without a thought."""
_PAGE: Final = 1_000


class Past(msgspec.Struct):
    """What a journal says up to event `seq`, whose hash is `hash`."""

    seq: int
    hash: bytes
    ledger: Ledger


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it was. `state` has what a flow keeps for itself, too; `set_at` for each key the event of its row.

    `pending` are the calls that it waited for. `unexplained` are events that were erased since: what they set is
    unknown. `untold` are places of the history, from 0, and the erased steps that they are of.
    """

    session: Session
    about: About
    state: dict[str, JsonField] = {}
    pending: tuple[Pending, ...] = ()
    set_at: dict[str, int] = {}
    history: list[str] = []
    unexplained: tuple[int, ...] = ()
    untold: dict[int, int] = {}


class Far(Exception):
    """Event `seq` is farther behind a snapshot than the caller wants to fold in one transaction: see `prepare`."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"event {seq} is far behind a snapshot")
        self.seq = seq


def at(tx: Transaction, who: Principal, session: Session, seq: int, *, near: int | None = None) -> Past:
    """Return what the session's journal says up to event `seq`.

    Raises Invalid unless it has that event, and Far when more than `near` events would have to be folded.
    """
    past = _start(tx, who, session, seq)
    if near is not None and seq - past.seq > near:
        raise Far(seq)
    while past.seq < seq and (page := _page(tx, session.key, past.seq, seq)):
        _take(past, page)
    return past


def moment(tx: Transaction, who: Principal, session: Session, seq: int, *, near: int | None = None) -> Moment:
    """Return the session as it was at event `seq`, as `at` does. What its journal cannot say is as it is now."""
    past = at(tx, who, session, seq, near=near)
    ledger, about = past.ledger, tx.sessions.about(session.key)
    history = _history(tx, session, ledger)
    return Moment(
        session=_row(session, past, history),
        about=_about(about, ledger),
        state=ledger.folded.state | ({SYS: ledger.folded.system} if ledger.answered else {}),
        pending=tuple(ledger.folded.calls.values()),
        set_at=ledger.set_at,
        history=history,
        unexplained=tuple(sorted(ledger.unexplained)),
        untold=dict(ledger.places()),
    )


def look(tx: Transaction, who: Principal, session: str, seq: int, *, near: int | None = None) -> Snapshot:
    """Return where the session's flow stood at event `seq`, as `flows.look` does of now. Raises NotFound, as `at`."""
    found = tx.sessions.get(who.tenant, session)
    if found is None:
        raise missing(tx, who, session)
    then = moment(tx, who, found, seq, near=near)
    return Snapshot(
        then.session, calls.position(then.session, then.state, flow_call(then.pending)), then.history
    )


def prepare(store: Store, who: Principal, session: str, seq: int) -> None:
    """Keep snapshots on the way to event `seq`, in short transactions, so that it is at most EVERY behind one.

    A snapshot that is larger than the events since the one before it is left out, but for the last: a large state does
    not make the journal grow several times.
    """
    who.may_write()
    found, past, head = store.read(partial(_begin, who=who, session=session, seq=seq))
    since = 0
    last = seq - seq % EVERY
    while past.seq < last:
        page = store.read(partial(_page, key=found.key, after=past.seq, until=min(last, _after(past.seq))))
        if not page:
            return  # it was cut or deleted meanwhile
        since += _take(past, page)
        if past.seq % EVERY:
            continue
        state = packed(past.hash, past.ledger)
        if len(state) <= since or past.seq == last:
            since = 0
            if not store.write(partial(_put, key=found.key, seq=past.seq, state=state, head=head)):
                return


# The way there


def _begin(tx: Transaction, who: Principal, session: str, seq: int) -> tuple[Session, Past, int]:
    found = tx.sessions.get(who.tenant, session)
    if found is None:
        raise missing(tx, who, session)
    return found, _start(tx, who, found, seq), found.seq


def _start(tx: Transaction, who: Principal, session: Session, seq: int) -> Past:
    """Return the nearest snapshot at or before event `seq`, else the journal's beginning. Raises Invalid."""
    base, first = tx.branches.start(who.tenant, session.key, session.uid)
    _refuse_elsewhere(session, seq, base)
    kept = tx.branches.snapshot(session.key, at=seq)
    ledger = unpacked(kept) if kept is not None else None
    if kept is None or ledger is None:
        return Past(base, first, Ledger(cut=base > 0))
    return Past(kept.seq, kept.hash, ledger)


def _after(seq: int) -> int:
    return seq - seq % EVERY + EVERY


def _page(tx: Transaction, key: SessionKey, after: int, until: int) -> list[Event]:
    return tx.journal.read(key, after=after, until=until + 1, limit=_PAGE)


def _take(past: Past, page: list[Event]) -> int:
    """Go on over a page of events; return about how many bytes they are."""
    for event in page:
        past.ledger.take(event)
    past.seq, past.hash = page[-1].seq, page[-1].hash
    return sum(160 + len(event.data or b"") for event in page)


def _put(tx: Transaction, key: SessionKey, seq: int, state: bytes, head: int) -> bool:
    """Keep a snapshot, unless something was forgotten since it was begun."""
    line = tx.branches.line(key)
    if line is None:
        return False
    since = tx.journal.read(key, after=head, limit=_PAGE)
    if len(since) == _PAGE or any(_forgets(event) for event in since):
        return False
    tx.branches.put_snapshot(line.source(seq), seq, state)
    return True


def _forgets(event: Event) -> bool:
    return event.type in (kinds.ERASED, kinds.RESET)


def _refuse_elsewhere(session: Session, seq: int, base: int) -> None:
    if base < seq <= session.seq:
        return
    cut = f" Events 1 to {base:,} were erased." if base else ""
    raise Invalid(
        f"Session '{session.id}' has no event {seq:,}: its last one is {session.seq:,}.{cut}",
        code="no_event",
        hint=f"`retoma session log {session.id}` shows the existing events.",
        seq=seq,
        head=session.seq,
    )


# What was


def _row(session: Session, past: Past, history: list[str]) -> Session:
    ledger, folded, unknown = past.ledger, past.ledger.folded, past.ledger.unknown
    said: dict[str, Any] = {name: getattr(ledger.row, name) for name in TEXTS}
    said |= {"status": folded.status, "reason": folded.reason, "pinned": ledger.row.pinned}
    said |= {"archived": ledger.shelf == ARCHIVED, "flow": folded.flow, "template": ledger.template}
    said |= {name: getattr(folded, name) for name in TOKENS}
    said["flow_version"] = bytes.fromhex(ledger.flow_version) if ledger.flow_version else None
    known = {name: value for name, value in said.items() if name not in unknown}
    if folded.epoch != session.epoch:
        # Of an epoch that is over, the rows know nothing.
        known = {"flow": REDACTED if history else None, "flow_version": None} | known
    flow, status = known.get("flow", session.flow), folded.flow_status
    if flow is not None and "flow_status" in unknown:
        # What it was at a step that was erased is only known of where it is now. Else it waits: there a flow stands.
        here = len(history) == session.flow_visits and folded.epoch == session.epoch
        status = session.flow_status if here else "waiting_for_input"
    return msgspec.structs.replace(
        session,
        **known,
        flow_path=session.flow_path if flow == session.flow else None,
        flow_status=status,
        flow_node=history[-1] if history else None,
        flow_visits=len(history),
        epoch=folded.epoch,
        messages=folded.messages,
        seq=past.seq,
        hash=past.hash,
        updated_at=ledger.last_at,
        trashed_at=ledger.trashed_at if ledger.shelf == TRASHED else None,
    )


def _about(about: About, ledger: Ledger) -> About:
    names = [name for name in about.__struct_fields__ if name not in ledger.unknown]
    known = {name: getattr(ledger.about, name) for name in names}
    return msgspec.structs.replace(about, **known)


def _history(tx: Transaction, session: Session, ledger: Ledger) -> list[str]:
    """Return the nodes that were visited. One whose step was erased is in the rows, while its epoch runs."""
    if "history" in ledger.unknown:
        return tx.state.history(session.key) if ledger.folded.epoch == session.epoch else []
    if None not in ledger.history:
        return [node or "" for node in ledger.history]
    rows = tx.state.history(session.key) if ledger.folded.epoch == session.epoch else []
    return [
        node if node is not None else rows[place] if place < len(rows) else REDACTED
        for place, node in enumerate(ledger.history)
    ]
