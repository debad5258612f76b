"""What one transaction of an import writes."""

from __future__ import annotations

from typing import Final

from retoma.model.call import Pending, without_call
from retoma.model.codec import encode
from retoma.model.event import Event
from retoma.model.ids import SessionKey
from retoma.model.state import SYS
from retoma.model.transfer import StateRecord, VisitsRecord
from retoma.service.transfer.proof import Aside
from retoma.stores.contract.store import Transaction

BATCH: Final = 500
BATCH_BYTES: Final = 4 << 20


class Batch:
    """Events and rows, until they are enough for a transaction."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._state: list[tuple[str, bytes, int]] = []
        self._visits: list[VisitsRecord] = []
        self._call: Pending | None = None
        self._rows = 0
        self._bytes = 0

    @property
    def full(self) -> bool:
        return self._rows >= BATCH or self._bytes >= BATCH_BYTES

    def event(self, event: Event) -> None:
        self._events.append(event)
        self._rows += 1
        self._bytes += len(event.data or b"")

    def aside(self, record: Aside) -> None:
        """Take a record of state or history; the flow's files are written when the session is shown."""
        if isinstance(record, StateRecord):
            kept = record.value
            if record.key == SYS:
                kept, self._call = without_call(kept)
            value = encode(kept)
            self._state.append((record.key, value, record.seq))
            self._rows += 1
            self._bytes += len(value)
        elif isinstance(record, VisitsRecord):
            self._visits.append(record)
            self._rows += len(record.nodes)

    def write(self, tx: Transaction, key: SessionKey) -> None:
        """Write it all. May run twice: nothing is forgotten here."""
        if self._events:
            tx.transfers.add_events(key, self._events)
        if self._state:
            tx.transfers.add_state(key, self._state)
        if self._call is not None:
            tx.pending.put(key, self._call)
        for visits in self._visits:
            tx.transfers.add_visits(key, visits.nodes, first=visits.first)
