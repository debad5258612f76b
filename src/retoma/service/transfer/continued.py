"""A session that is here already and is continued by a file. Its rows become what its own journal says then.

The source may have erased events meanwhile that are here. Their data is kept, or erased too where the caller wants it;
either way the rows follow from the journal as it is here, and from the file only where that journal cannot say.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence, Set
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

import msgspec

from retoma.model import event as kinds
from retoma.model.codec import Json, encode
from retoma.model.event import Event
from retoma.model.ids import Operation, new_operation
from retoma.model.ledger import Ledger
from retoma.model.principal import Principal
from retoma.model.redaction import REDACTED, Wanted
from retoma.model.session import About, Head, Session
from retoma.model.state import SYS
from retoma.model.transfer import EpochPart, SessionRecord, session_record
from retoma.service.access import head_of
from retoma.service.check.rows import contradictions, differences
from retoma.service.forget.erasing import CHUNK, Selection, takes
from retoma.service.forget.forgetting import erase_shared
from retoma.service.sessions import show
from retoma.service.transfer.contradiction import row_of, unexplained, untrue_here
from retoma.service.transfer.told import learn, told
from retoma.stores.contract.store import Known, Store, Transaction

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
        self._fields: set[str] = set()
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
        if event.type == kinds.ERASED:
            fields = event.value().get("fields")
            self._fields.update(map(str, fields) if isinstance(fields, list) else ())
        if event.seq > self.here.seq:
            self.ledger.take(event)
            if event.seq == self._file.head.seq:
                learn(self.ledger, self._file)
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
                if event.seq == self._file.head.seq:
                    learn(ledger, self._file)
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
        """Make the rows what the journal says, and the file where it cannot; erase what is to be erased.

        The rows are those of `record`; without one they are as they were before. Raises Integrity
        when the session here is damaged, Busy when a branch that would lose something is driven.
        """
        key, ledger = self.here.key, self.ledger
        record = record or self._record(tx, before)
        after = told(record, ledger, self._epochs(record, before))
        cut = False
        if self._erase:
            cut = self._forget(tx, after)
        row = row_of(tx, key)
        if cut or after.epochs != record.epochs or any(contradictions(tx, key, row, ledger)):
            self._retell(tx, after)
        found = differences(tx, key, row_of(tx, key), ledger)
        untrue_here(self.here.id, chain(unexplained(ledger), found))

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
        for call in ledger.folded.calls.values():
            tx.pending.put(key, call)
        tx.transfers.add_visits(key, nodes, first=1)

    # What it loses

    def _forget(self, tx: Transaction, after: SessionRecord) -> bool:
        """Erase what the source erased, also where branches read it; return whether the journal was cut."""
        head, base = head_of(tx, self._who, self.here.id), self._file.base
        operation = Operation(new_operation(tx.now, tx.random))
        for first in range(0, len(self._lost), CHUNK):
            chunk = self._lost[first : first + CHUNK]
            found = [one for seq in chunk for one in tx.journal.read(head.key, after=seq - 1, limit=1)]
            self._erase_shared(tx, head, found, operation, after)
        if base.seq <= self.here.base_seq:
            return False
        line = tx.branches.line(head.key)
        last = line.inherited_until if line is not None else 0
        until = min(tx.branches.shared_until(head.key), base.seq)
        while page := tx.journal.read(head.key, after=last, until=until + 1, limit=CHUNK):
            found = [one for one in page if not one.erased and takes(Selection(), one)]
            self._erase_shared(tx, head, found, operation, after)
            last = page[-1].seq
        cut = msgspec.structs.replace(head, seq=base.seq, hash=bytes.fromhex(base.hash))
        self._cut(tx, cut, after.flow.version if after.flow is not None else None)
        return True

    def _cut(self, tx: Transaction, head: Head, running: str | None) -> None:
        """Cut the journal off behind `head`. The version of the flow that is running stays in the store."""
        tenant, version = self._who.tenant, bytes.fromhex(running or "")
        stored = tx.flows.version(tenant, version) if version else None
        tx.erasing.cut(tenant, head)
        if stored is not None:
            tx.flows.put_version(tenant, version, *stored)

    def _erase_shared(
        self, tx: Transaction, head: Head, found: list[Event], operation: Operation, after: SessionRecord
    ) -> None:
        wanted = _lost_texts(found, self._fields, after)
        erase_shared(tx, self._who, head, found, operation, wanted)


def _without_data(event: Event) -> Event:
    return msgspec.structs.replace(event, data=None, salt=None)


def _paged(read: Callable[[int], list[str]]) -> Iterator[str]:
    after = 0
    while page := read(after):
        yield from page
        after += len(page)


def _lost_texts(found: Sequence[Event], fields: Set[str], record: SessionRecord) -> Wanted | None:
    """Return what finds the texts that a redaction took out of `fields`, as events that are erased now said them.

    Branches may have them in their own rows; the redaction's pattern is not known here.
    """
    texts: set[str] = set()
    for event in found if fields else ():
        data = event.value()
        if event.type == kinds.UPDATED:
            sets = data.get("set")
            data |= sets if isinstance(sets, dict) else {}
            data |= {"tags": data.get("tag"), "contexts": data.get("link")}
        if event.type in (kinds.CREATED, kinds.UPDATED):
            texts.update(*(_texts(data.get(name)) for name in fields))
    kept = msgspec.to_builtins(record)
    texts.difference_update(*(_texts(kept.get(name)) for name in fields))
    return texts.__contains__ if texts else None


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
