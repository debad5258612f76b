"""Import: a session comes in hidden, in batches, is proved whole and shown in one transaction; or nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET

from retoma.errors import Busy, Conflict, Limit, RetomaError, Unavailable
from retoma.model.event import Event
from retoma.model.ids import SessionId, SessionKey, session_id
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import TRASHED, in_trash
from retoma.model.times import DAY
from retoma.model.transfer import SessionRecord
from retoma.service import clock, erasing, sessions
from retoma.service.access import end_lapsed, fence, head_of
from retoma.service.transfer.batch import Batch
from retoma.service.transfer.proof import Aside, Proof, plausible
from retoma.service.transfer.reading import records
from retoma.service.transfer.source import Placed, damaged
from retoma.stores.api import Known, Store, Transaction

STALE_MS: Final = DAY
_HIDDEN = 3

T = TypeVar("T")
Outcome = Literal["imported", "extended", "unchanged"]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file: the session's id here, its events here, and how many of them were new.

    `without_parent` is the session that it belonged to, when that one is not here.
    """

    id: SessionId
    events: int
    added: int
    outcome: Outcome
    without_parent: str | None = None


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Where a session goes. `here` is the one it continues; `key` is where it comes in, written up to `written`."""

    name: SessionId
    here: Known | None
    key: SessionKey
    token: int
    written: int


def import_(
    store: Store,
    who: Principal,
    stream: BinaryIO,
    *,
    name: str | None = None,
    limits: Limits | None = None,
) -> Imported:
    """Read an export from `stream` and keep its session, under `name` if given. Durable when it returns.

    Raises Invalid for what is no export, Integrity with the line for a damaged one, Unavailable for one of a newer
    Retoma, Conflict for a taken id or a session that went another way here, Busy, Limit. Nothing is shown before all of
    it is proved. Killed in the middle, it goes on when the same file is imported again.
    """
    return take_in(store, who, records(stream), name=name, limits=limits)


def take_in(
    store: Store,
    who: Principal,
    found: Iterator[Placed],
    *,
    name: str | None = None,
    limits: Limits | None = None,
) -> Imported:
    """Keep the session that these records of an export tell of, as `import_` does."""
    return _Import(store, who, limits or Limits()).run(found, name)


class _Import:
    def __init__(self, store: Store, who: Principal, limits: Limits) -> None:
        self._store = store
        self._who = who
        self._limits = limits
        self._doomed = False

    def run(self, found: Iterator[Placed], name: str | None) -> Imported:
        first, line = next(found, (None, 1))
        if not isinstance(first, SessionRecord):
            raise damaged(line, "an export begins with its session.")
        wanted = session_id(name if name is not None else first.id)
        plausible(first, line)
        proof = Proof(first, line)
        self._sweep()
        plan = self._store.write(lambda tx: self._begin(tx, first, wanted))
        proved = proof.rest(found)
        if isinstance(plan, Imported):
            for _ in proved:
                pass  # read to its end all the same: who imports a copy wants to know that it is whole
            return plan
        try:
            batch = self._fill(plan, proved)
            shown = self._store.write(lambda tx: self._show(tx, plan, proof, batch))
        except (Unavailable, Busy):
            raise  # what is there is sound: the same file goes on from it
        except RetomaError:
            self._drop(plan.key)
            raise
        if self._doomed:
            self._purge()  # an earlier try was of another journal
        return shown

    # Where it goes

    def _begin(self, tx: Transaction, session: SessionRecord, wanted: SessionId) -> _Plan | Imported:
        self._who.may_write()
        self._few_enough(session)
        uid = bytes.fromhex(session.uid)
        known = tx.transfers.of_uid(self._who.tenant, uid, session.created_at)
        here = next((one for one in known if one.shelf != _HIDDEN), None)
        if here is not None:
            if here.shelf == TRASHED:
                raise in_trash(here.id)
            done = self._nothing_new(tx, session, here)
            if done is not None:
                return done
            if session.redacted is not UNSET:
                raise Conflict(
                    f"The file was redacted; it cannot go on with session '{here.id}', which is whole here.",
                    code="redacted_export",
                    hint="Nothing was changed. Export it again without --redact.",
                    session=here.id,
                )
            fence(tx, head_of(tx, self._who, here.id), None)
            base, name = (here.seq, here.hash), SessionId(here.id)
        else:
            self._room(tx, session, wanted)
            base, name = (session.base.seq, bytes.fromhex(session.base.hash)), wanted
        key, written = self._place(tx, session, base, [one for one in known if one.shelf == _HIDDEN])
        token = tx.transfers.take(self._who.tenant, key)
        return _Plan(name=name, here=here, key=key, token=token, written=written)

    def _nothing_new(self, tx: Transaction, session: SessionRecord, here: Known) -> Imported | None:
        """Return the outcome when all of the file is here already; None when it goes on. Raises Conflict."""
        head, base = session.head, session.base
        if base.seq > here.seq or (base.seq == here.seq and base.hash != here.hash.hex()):
            raise _diverged(here.id, f"it ends at event {here.seq:,}, and the file begins after {base.seq:,}")
        if head.seq > here.seq:
            return None
        if head.seq > here.base_seq:
            (event,) = tx.journal.read(here.key, after=head.seq - 1, limit=1)
            if event.hash.hex() != head.hash:
                raise _diverged(here.id, f"event {head.seq:,} is another one here")
        return Imported(id=SessionId(here.id), events=here.seq, added=0, outcome="unchanged")

    def _place(
        self, tx: Transaction, session: SessionRecord, base: tuple[int, bytes], hidden: list[Known]
    ) -> tuple[SessionKey, int]:
        """Return where the session comes in, and what is written there: an earlier try, if it was of this journal."""
        becomes = f"{session.head.hash} after {base[0]}"
        for one in hidden:
            if one.reason == becomes:
                return one.key, one.seq
            tx.transfers.doom(self._who.tenant, one.key)
            self._doomed = True
        uid = bytes.fromhex(session.uid)
        key = tx.transfers.begin(self._who.tenant, uid, session.created_at, base=base, becomes=becomes)
        return key, base[0]

    def _room(self, tx: Transaction, session: SessionRecord, wanted: SessionId) -> None:
        """Raise Conflict when the id is another's, Limit when there are sessions enough."""
        if tx.sessions.key(self._who.tenant, wanted) is not None:
            raise Conflict(
                f"There is another session '{wanted}' already.",
                code="id_taken",
                hint="Import it under another id: --as NEW",
                session=wanted,
            )
        sessions.within(tx, self._who, self._limits, active=session.status == "active")

    def _few_enough(self, session: SessionRecord) -> None:
        events = session.head.seq - session.base.seq
        most = self._limits.events_of("" if session.template is UNSET else session.template)
        if most is not None and events > most.events:
            raise Limit(
                f"Session '{session.id}' has {events:,} events, and {most.key} allows {most.events:,}.",
                code="too_many_events",
                hint=f"Raise the limit in {self._limits.where(most.key)}.",
                limit=most.events,
                value=events,
                key=most.key,
            )

    # What comes in

    def _fill(self, plan: _Plan, proved: Iterator[Event | Aside]) -> Batch:
        """Write what comes in, but for the last batch, which goes with the transaction that shows the session."""
        batch = Batch()
        for one in proved:
            if not isinstance(one, Event):
                batch.aside(one)
            elif plan.here is not None and one.seq == plan.here.seq and one.hash != plan.here.hash:
                raise _diverged(plan.here.id, f"event {one.seq:,} is another one here")
            elif one.seq > plan.written:
                batch.event(one)
            if batch.full:
                self._store.write(self._writing(plan, batch))
                batch = Batch()
        return batch

    def _writing(self, plan: _Plan, batch: Batch) -> Callable[[Transaction], None]:
        return lambda tx: self._write(tx, plan, batch)

    def _write(self, tx: Transaction, plan: _Plan, batch: Batch) -> None:
        if tx.transfers.token(self._who.tenant, plan.key) != plan.token:
            raise Busy(
                f"Another import of session '{plan.name}' began meanwhile.",
                code="fenced",
                hint="It goes on; let it end.",
                session=plan.name,
            )
        batch.write(tx, plan.key)

    # Shown

    def _show(self, tx: Transaction, plan: _Plan, proof: Proof, batch: Batch) -> Imported:
        session, tenant = proof.session, self._who.tenant
        self._write(tx, plan, batch)
        known = tx.transfers.of_uid(tenant, bytes.fromhex(session.uid), session.created_at)
        here = next((one for one in known if one.shelf != _HIDDEN), None)
        if (here and here.hash) != (plan.here and plan.here.hash):
            raise _diverged(plan.name, "somebody wrote in it while the file was read")
        if proof.files and session.flow and session.flow.version:
            version = bytes.fromhex(session.flow.version)
            tx.flows.put_version(tenant, version, proof.flow_name, proof.files)
        if here is not None:
            head = head_of(tx, self._who, here.id)
            fence(tx, head, None)
            end_lapsed(tx, head)
            tx.transfers.extend(tenant, here.key, here.id, plan.key, session)
            added = session.head.seq - here.seq
            return Imported(id=plan.name, events=session.head.seq, added=added, outcome="extended")
        self._room(tx, session, plan.name)
        parent = tx.sessions.key(tenant, session.parent) if session.parent else None
        tx.transfers.publish(tenant, plan.key, plan.name, session, parent=parent)
        seq = session.head.seq
        if session.redacted is not UNSET:
            seq = erasing.explain(tx, self._who, plan.name, proof.erased, proof.redacted)
        return Imported(
            id=plan.name,
            events=seq,
            added=seq - session.base.seq,
            outcome="imported",
            without_parent=session.parent if parent is None else None,
        )

    # What is left

    def _sweep(self) -> None:
        """Remove imports that were killed long ago and never taken up."""
        tenant, time = self._who.tenant, clock.seen(self._store, self._who, begins=False)

        def stale(tx: Transaction) -> SessionKey | None:
            return tx.transfers.stale(tenant, before=time.now - STALE_MS)

        def doom(tx: Transaction) -> None:
            while (key := stale(tx)) is not None:
                tx.transfers.doom(tenant, key)

        if self._store.read(stale) is not None:
            self._store.write(doom)
            self._purge()

    def _drop(self, key: SessionKey) -> None:
        self._store.write(lambda tx: tx.transfers.doom(self._who.tenant, key))
        self._purge()

    def _purge(self) -> None:
        time = clock.seen(self._store, self._who, begins=False)
        while self._store.write(lambda tx: erasing.purge(tx, self._who, now=time.trash)):
            pass


def _diverged(session: str, how: str) -> Conflict:
    return Conflict(
        f"Session '{session}' went another way here: {how}.",
        code="diverged",
        hint="Nothing was changed. To have the file's instead, delete this one first, by its whole id.",
        session=session,
    )
