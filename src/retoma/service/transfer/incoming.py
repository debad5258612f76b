"""Import: a session comes in hidden, in batches, is proved whole and shown in one transaction; or nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO, Final

from msgspec import UNSET

from retoma.errors import Busy, Invalid, RetomaError, Unavailable
from retoma.model.event import Event
from retoma.model.ids import SessionId, SessionKey, session_id
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.times import DAY
from retoma.model.transfer import SessionRecord
from retoma.service import clock
from retoma.service.access import end_lapsed, fence, head_of
from retoma.service.check.rows import contradictions, differences
from retoma.service.forget import erasing
from retoma.service.transfer.batch import Batch
from retoma.service.transfer.continued import Continued
from retoma.service.transfer.contradiction import row_of, unexplained, untrue_in_file
from retoma.service.transfer.imported import Imported
from retoma.service.transfer.place import HIDDEN, Places, Plan, diverged
from retoma.service.transfer.proof import Aside, Proof, plausible
from retoma.service.transfer.reading import records
from retoma.service.transfer.source import Placed, damaged
from retoma.stores.contract.store import Known, Store, Transaction

STALE_MS: Final = DAY


def import_(
    store: Store,
    who: Principal,
    stream: BinaryIO,
    *,
    name: str | None = None,
    limits: Limits | None = None,
    erase_too: bool = False,
) -> Imported:
    """Read an export from `stream` and keep its session, under `name` if given. Durable when it returns.

    What the source erased since an earlier import stays here, or is erased with `erase_too`. Raises Invalid for what is
    no export, Integrity with the line for a damaged one or with what contradicts its journal, Unavailable for one of a
    newer Retoma, Conflict for a taken id or a session that went another way here, Busy, Limit. Nothing is shown before
    all of it is proved. Killed in the middle, it resumes when the same file is imported again.
    """
    run = _Import(store, who, limits or Limits(), erase=erase_too, behind=False)
    return run.run(records(stream), name)


def take_in(
    store: Store,
    who: Principal,
    found: Iterator[Placed],
    *,
    name: str | None = None,
    limits: Limits | None = None,
    behind: bool = False,
) -> Imported:
    """Keep the session that these records of an export tell of, as `import_` does.

    `behind`: they begin after the last event that is here, so they alone do not explain the rows.
    """
    return _Import(store, who, limits or Limits(), erase=False, behind=behind).run(found, name)


class _Import:
    def __init__(self, store: Store, who: Principal, limits: Limits, *, erase: bool, behind: bool) -> None:
        self._store = store
        self._who = who
        self._erase = erase
        self._behind = behind
        self._places = Places(who, limits, erase=erase)

    def run(self, found: Iterator[Placed], name: str | None) -> Imported:
        first, line = next(found, (None, 1))
        if not isinstance(first, SessionRecord):
            raise damaged(line, "an export must start with its session.")
        plausible(first, line)
        wanted = session_id(name) if name is not None else _id_of(first, line)
        proof = Proof(first, line, behind=self._behind)
        self._sweep()
        plan = self._store.write(lambda tx: self._places.begin(tx, first, wanted))
        proved = proof.rest(found)
        if isinstance(plan, Known):
            return self._repeated(plan, proof, proved)
        continued = self._continued(plan.here, first) if plan.here is not None else None
        try:
            batch = self._fill(plan, proved, continued)
            shown = self._store.write(lambda tx: self._show(tx, plan, proof, batch, continued))
        except (Unavailable, Busy):
            raise  # what is there is sound: the same file goes on from it
        except RetomaError:
            self._drop(plan.key)
            raise
        if self._places.doomed:
            self._purge()  # an earlier try was of another journal
        if shown.erased:
            self._flush()
        return shown

    def _continued(self, here: Known, session: SessionRecord) -> Continued:
        return Continued(self._store, self._who, here, session, erase=self._erase)

    def _repeated(self, here: Known, proof: Proof, proved: Iterator[Event | Aside]) -> Imported:
        """Take nothing from a file that has nothing new, and erase what it says is erased, if that is wanted."""
        continued = self._continued(here, proof.session)
        for one in proved:  # read to its end all the same: who imports a copy wants to know that it is whole
            if isinstance(one, Event):
                continued.take(one)
        erased = 0
        if self._erase and proof.session.redacted is UNSET:
            continued.fold()
            erased = continued.lost
        if erased:
            self._store.write(lambda tx: self._settle(tx, continued))
            self._flush()
        return Imported(id=SessionId(here.id), events=here.seq, added=0, outcome="unchanged", erased=erased)

    def _settle(self, tx: Transaction, continued: Continued) -> None:
        head = head_of(tx, self._who, continued.here.id)
        fence(tx, head, None)
        end_lapsed(tx, head)
        if head.hash != continued.here.hash:
            raise diverged(head.id, "another process wrote to it while the file was read")
        continued.settle(tx, continued.before(tx))

    # What comes in

    def _fill(self, plan: Plan, proved: Iterator[Event | Aside], continued: Continued | None) -> Batch:
        """Write what comes in, but for the last batch, which goes with the transaction that shows the session."""
        batch = Batch()
        for one in proved:
            if isinstance(one, Event) and continued is not None:
                continued.take(one)
            if not isinstance(one, Event):
                batch.aside(one)
            elif plan.here is not None and one.seq == plan.here.seq and one.hash != plan.here.hash:
                raise diverged(plan.here.id, f"event {one.seq:,} is different here")
            elif one.seq > plan.written:
                batch.event(one)
            if batch.full:
                self._store.write(self._writing(plan, batch))
                batch = Batch()
        return batch

    def _writing(self, plan: Plan, batch: Batch) -> Callable[[Transaction], None]:
        return lambda tx: self._write(tx, plan, batch)

    def _write(self, tx: Transaction, plan: Plan, batch: Batch) -> None:
        if tx.transfers.token(self._who.tenant, plan.key) != plan.token:
            raise Busy(
                f"Another import of session '{plan.name}' started at the same time.",
                code="fenced",
                hint="Wait until the other import ends.",
                session=plan.name,
            )
        batch.write(tx, plan.key)

    # Shown

    def _show(
        self, tx: Transaction, plan: Plan, proof: Proof, batch: Batch, continued: Continued | None
    ) -> Imported:
        session, tenant = proof.session, self._who.tenant
        self._write(tx, plan, batch)
        known = tx.transfers.of_uid(tenant, bytes.fromhex(session.uid), session.created_at)
        here = next((one for one in known if one.shelf != HIDDEN), None)
        if (here and here.hash) != (plan.here and plan.here.hash):
            raise diverged(plan.name, "another process wrote to it while the file was read")
        if proof.files and session.flow and session.flow.version:
            version = bytes.fromhex(session.flow.version)
            tx.flows.put_version(tenant, version, proof.flow_name, proof.files)
        if continued is not None:
            return self._extended(tx, plan, proof, continued)
        self._places.room(tx, session, plan.name)
        parent = tx.sessions.key(tenant, session.parent) if session.parent else None
        tx.transfers.publish(tenant, plan.key, plan.name, session, parent=parent)
        seq, ledger = session.head.seq, proof.ledger
        if session.redacted is not UNSET:
            seq = erasing.explain(tx, self._who, plan.name, proof.erased, proof.redacted)
            ledger = ledger.copy()  # a transaction may run twice
            for event in tx.journal.read(plan.key, after=session.head.seq, limit=seq):
                ledger.take(event)
        found = differences(tx, plan.key, row_of(tx, plan.key), ledger)
        untrue_in_file(chain(unexplained(ledger), found))
        return Imported(
            id=plan.name,
            events=seq,
            added=seq - session.base.seq,
            outcome="imported",
            without_parent=session.parent if parent is None else None,
        )

    def _extended(self, tx: Transaction, plan: Plan, proof: Proof, continued: Continued) -> Imported:
        here, session = continued.here, proof.session
        head = head_of(tx, self._who, here.id)
        fence(tx, head, None)
        end_lapsed(tx, head)
        before = continued.before(tx)
        tx.transfers.extend(self._who.tenant, here.key, here.id, plan.key, session)
        if not self._behind:
            row = row_of(tx, here.key, base_seq=session.base.seq)
            found = contradictions(tx, here.key, row, proof.ledger)
            untrue_in_file(chain(unexplained(proof.ledger), found))
        continued.settle(tx, before, session)
        return Imported(
            id=plan.name,
            events=session.head.seq,
            added=session.head.seq - max(here.seq, session.base.seq),
            outcome="extended",
            erased=continued.lost if self._erase else 0,
            kept=0 if self._erase or self._behind else continued.lost,
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

    def _flush(self) -> None:
        """Let what was erased be in no file of the store."""
        self._purge()
        self._store.forget()


def _id_of(session: SessionRecord, line: int) -> SessionId:
    try:
        return session_id(session.id)
    except Invalid as error:
        raise damaged(line, f"no session has this id: {error.message}") from error
