"""Where an import goes: behind a session that is here, into a new one, or nowhere since all of it is here."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET

from retoma.errors import Conflict, Limit
from retoma.model.ids import SessionId, SessionKey
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import TRASHED, in_trash
from retoma.model.transfer import SessionRecord
from retoma.service import sessions
from retoma.service.access import fence, head_of
from retoma.stores.contract.store import Known, Transaction

HIDDEN: Final = 3


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Where a session goes. `here` is the one it continues; `key` is where it comes in, written up to `written`."""

    name: SessionId
    here: Known | None
    key: SessionKey
    token: int
    written: int


class Places:
    """`erase`: what the source erased goes here, too. `doomed`: an earlier try was of another journal, and goes."""

    def __init__(self, who: Principal, limits: Limits, *, erase: bool) -> None:
        self._who = who
        self._limits = limits
        self._erase = erase
        self.doomed = False

    def begin(self, tx: Transaction, session: SessionRecord, wanted: SessionId) -> Plan | Known:
        self._who.may_write()
        self._few_enough(session)
        uid = bytes.fromhex(session.uid)
        known = tx.transfers.of_uid(self._who.tenant, uid, session.created_at)
        here = next((one for one in known if one.shelf != HIDDEN), None)
        if here is not None:
            if here.shelf == TRASHED:
                raise in_trash(here.id)
            if self._nothing_new(tx, session, here):
                return here
            if session.redacted is not UNSET:
                raise Conflict(
                    f"The file was redacted, so it cannot continue session '{here.id}', which has its full "
                    "content here.",
                    code="redacted_export",
                    hint="Nothing was changed. Export it again without --redact.",
                    session=here.id,
                )
            fence(tx, head_of(tx, self._who, here.id), None)
            base, name = (here.seq, here.hash), SessionId(here.id)
            if session.base.seq > here.seq:
                base = (session.base.seq, bytes.fromhex(session.base.hash))
        else:
            self.room(tx, session, wanted)
            base, name = (session.base.seq, bytes.fromhex(session.base.hash)), wanted
        key, written = self._place(tx, session, base, [one for one in known if one.shelf == HIDDEN])
        token = tx.transfers.take(self._who.tenant, key)
        return Plan(name=name, here=here, key=key, token=token, written=written)

    def _nothing_new(self, tx: Transaction, session: SessionRecord, here: Known) -> bool:
        """Return whether all of the file is here already. Raises Conflict when its journal is another one."""
        head, base = session.head, session.base
        if base.seq == here.seq and base.hash != here.hash.hex():
            raise diverged(here.id, f"event {here.seq:,} is different here")
        if base.seq > here.seq and not (self._erase and session.redacted is UNSET):
            raise Conflict(
                f"Session '{here.id}' ends at event {here.seq:,} here, but the file starts after {base.seq:,}: the "
                "source erased its events before, and some of them were never here.",
                code="diverged",
                hint="Nothing was changed. To use the file's events instead, import it with --erase-too, "
                "which erases all events of the session here.",
                session=here.id,
            )
        if head.seq > here.seq:
            return False
        if head.seq > here.base_seq:
            (event,) = tx.journal.read(here.key, after=head.seq - 1, limit=1)
            if event.hash.hex() != head.hash:
                raise diverged(here.id, f"event {head.seq:,} is different here")
        return True

    def _place(
        self, tx: Transaction, session: SessionRecord, base: tuple[int, bytes], hidden: list[Known]
    ) -> tuple[SessionKey, int]:
        """Return where the session comes in, and what is written there: an earlier try, if it was of this journal."""
        becomes = f"{session.head.hash} after {base[0]}"
        for one in hidden:
            if one.reason == becomes:
                return one.key, one.seq
            tx.transfers.doom(self._who.tenant, one.key)
            self.doomed = True
        uid = bytes.fromhex(session.uid)
        key = tx.transfers.begin(self._who.tenant, uid, session.created_at, base=base, becomes=becomes)
        return key, base[0]

    def room(self, tx: Transaction, session: SessionRecord, wanted: SessionId) -> None:
        """Raise Conflict when the id is another's, Limit when there are sessions enough."""
        if tx.sessions.key(self._who.tenant, wanted) is not None:
            raise Conflict(
                f"Another session '{wanted}' already exists.",
                code="id_taken",
                hint="Import the file under another id: --as NEW",
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


def diverged(session: str, how: str) -> Conflict:
    """Return the error for a session whose journal here is not the beginning of the file's."""
    return Conflict(
        f"Session '{session}' has other events here: {how}.",
        code="diverged",
        hint="Nothing was changed. To use the file's session instead, first delete this one by its full id.",
        session=session,
    )
