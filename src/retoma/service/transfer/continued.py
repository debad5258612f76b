"""A session that is here already and is continued by a file. Its rows become what its own journal says then.

The source may have erased events meanwhile that are here. Their data is kept, or erased too where the caller wants it;
either way the rows follow from the journal as it is here, and from the file only where that journal cannot say.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

import msgspec
from retoma.model.branch import END
from retoma.model.codec import encode
from retoma.model.event import Event
from retoma.model.ids import Operation, new_operation
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED, Wanted
from retoma.model.session import About, Session
from retoma.model.state import SYS
from retoma.model.transfer import EpochPart, SessionRecord, session_record
from retoma.service.access import head_of
from retoma.service.check.ledger import TEXTS, Ledger
from retoma.service.check.rows import contradictions, differences
from retoma.service.erasing import CHUNK, Selection, takes
from retoma.service.forgetting import erase_shared
from retoma.service.sessions import show
from retoma.service.transfer.contradiction import row_of, untrue_here
from retoma.service.transfer.told import told
from retoma.stores.api import Known, Store, Transaction

_PAGE: Final = 1_000
_PAGE_BYTES: Final = 2 << 20


class Before(NamedTuple):
    """The rows of the session before anything of the file is in them."""

    session: Session
    about: About
    epochs: list[EpochPart]


class Continued:
    """The session `here`, and the events of the file in order. With `erase` it loses what the source erased."""

    def __init__(
        self, store: Store, who: Principal, here: Known, file: SessionRecord, *, erase: bool
    ) -> None:
        self.here = here
        self._store = store
        self._who = who
        self._file = file
        self._erase = erase
        self._start = max(here.base_seq, file.base.seq) if erase else here.base_seq
        self._gone = array("Q")
        self._lost = array("Q")
        self._ledger: Ledger | None = None

    def fold(self) -> None:
        """Read the journal that is here, if no event of the file went beyond it."""
        assert self.ledger is not None

    @property
    def ledger(self) -> Ledger:
        """What the journal here says, with the events of the file that were taken so far."""
        if self._ledger is None:
            self._ledger = self._past()
        return self._ledger

    @property
    def lost(self) -> int:
        """How many events have data here that the source erased."""
        base = min(self._file.base.seq, self.here.seq)
        return len(self._lost) + max(base - self.here.base_seq, 0)

    def take(self, event: Event) -> None:
        """Take the next event of the file."""
        if event.seq > self.here.seq:
            self.ledger.take(event)
        elif event.erased:
            self._gone.append(event.seq)

    def _past(self) -> Ledger:
        """Return what the events say that are here, without those that will be erased."""
        ledger, after = Ledger(cut=self._start > 0), self._start
        gone = iter(self._gone)
        following = next(gone, 0)
        while page := self._store.read(partial(self._page, after=after)):
            for event in page:
                while following and following < event.seq:
                    following = next(gone, 0)
                if event.seq == following and not event.erased:
                    self._lost.append(event.seq)
                    event = _without_data(event) if self._erase else event  # noqa: PLW2901
                ledger.take(event)
            after = page[-1].seq
        return ledger

    def _page(self, tx: Transaction, after: int) -> list[Event]:
        until = self.here.seq + 1
        return tx.journal.read(self.here.key, after=after, until=until, limit=_PAGE, most_bytes=_PAGE_BYTES)

    # Its rows

    def before(self, tx: Transaction) -> Before:
        """Return the rows as they are. To be called before anything of the file is written to them."""
        whole = show(tx, self._who, self.here.id)
        return Before(whole.session, whole.about, tx.transfers.epochs(self.here.key))

    def settle(self, tx: Transaction, before: Before, record: SessionRecord | None = None) -> None:
        """Make the rows what the journal says, and `record` where it cannot; erase what is to be erased.

        The state and history of `record` are in the rows; without one the rows are those from before. Raises Integrity
        when the session here is damaged, Busy when a branch that would lose something is driven.
        """
        key, ledger = self.here.key, self.ledger
        record = record or self._record(tx, before)
        after = told(record, ledger, self._epochs(record, before))
        cut = False
        if self._erase:
            cut = self._forget(tx, _texts_lost(before, after))
        row = row_of(tx, key)
        if cut or after.epochs != record.epochs or any(contradictions(tx, key, row, ledger)):
            self._retell(tx, after)
        untrue_here(self.here.id, differences(tx, key, row_of(tx, key), ledger))

    def _record(self, tx: Transaction, before: Before) -> SessionRecord:
        base = tx.transfers.base(self._who.tenant, self.here.key, before.session.uid)
        return session_record(before.session, before.about, base, before.epochs)

    def _epochs(self, record: SessionRecord, before: Before) -> tuple[EpochPart, ...]:
        """Return the epochs that are here and kept, and those that the file adds."""
        here = [one for one in before.epochs if one.first_seq > self._start or not self._start]
        return (*here, *(one for one in record.epochs if one.first_seq > max(self.here.seq, self._start)))

    def _retell(self, tx: Transaction, record: SessionRecord) -> None:
        """Write all rows again, from the ledger."""
        key, ledger = self.here.key, self.ledger
        visited = [*_paged(lambda after: tx.transfers.visits(key, after=after, limit=_PAGE))]
        nodes = visited
        if "history" not in ledger.unknown:
            known = enumerate(ledger.history)
            nodes = [node or (visited[at] if at < len(visited) else REDACTED) for at, node in known]
        if record.flow is not None:
            flow = msgspec.structs.replace(record.flow, node=nodes[-1] if nodes else None, visits=len(nodes))
            record = msgspec.structs.replace(record, flow=flow)
        state = ledger.folded.state | ({SYS: ledger.folded.system} if ledger.answered else {})
        missing = {name for name, value in state.items() if value == REDACTED} - tx.state.get(key).keys()
        tx.transfers.retell(self._who.tenant, key, self.here.id, record)
        rows = [(name, encode(state[name]), ledger.set_at[name]) for name in state if name not in missing]
        tx.transfers.add_state(key, rows)
        tx.transfers.add_visits(key, nodes, first=1)

    # What it loses

    def _forget(self, tx: Transaction, wanted: Wanted) -> bool:
        """Erase what the source erased, also where branches read it; return whether the journal was cut."""
        head, base = head_of(tx, self._who, self.here.id), self._file.base
        operation = Operation(new_operation(tx.now, tx.random))
        for first in range(0, len(self._lost), CHUNK):
            chunk = self._lost[first : first + CHUNK]
            found = [one for seq in chunk for one in tx.journal.read(head.key, after=seq - 1, limit=1)]
            erase_shared(tx, self._who, head, found, operation, wanted)
        if base.seq <= self.here.base_seq:
            return False
        line = tx.branches.line(head.key)
        after = line.inherited_until if line is not None else 0
        until = min(tx.branches.shared_until(head.key), base.seq, END)
        while page := tx.journal.read(head.key, after=after, until=until + 1, limit=CHUNK):
            found = [one for one in page if not one.erased and takes(Selection(), one)]
            erase_shared(tx, self._who, head, found, operation, wanted)
            after = page[-1].seq
        cut = msgspec.structs.replace(head, seq=base.seq, hash=bytes.fromhex(base.hash))
        tx.erasing.cut(self._who.tenant, cut)
        return True


def _without_data(event: Event) -> Event:
    return msgspec.structs.replace(event, data=None, salt=None)


def _paged(read: Callable[[int], list[str]]) -> Iterator[str]:
    after = 0
    while page := read(after):
        yield from page
        after += len(page)


def _texts_lost(before: Before, after: SessionRecord) -> Wanted:
    """Return what finds the texts of the session in whose place something redacted stands: branches may have them."""
    pairs = [(getattr(before.session, name), getattr(after, name)) for name in (*TEXTS, "reason")]
    pairs.append((before.about.description, after.description))
    lost = {had for had, has in pairs if has == REDACTED and had not in ("", REDACTED)}
    return lost.__contains__
