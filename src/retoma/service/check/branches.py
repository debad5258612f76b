"""Rows of the state of branches that earlier versions wrote, each brought to the event that its journal says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from retoma.model.codec import Json, encode
from retoma.model.ids import SessionKey
from retoma.model.ledger import Ledger
from retoma.model.state import SYS
from retoma.service.check.journal import begun
from retoma.service.check.moments import Moments
from retoma.stores.contract.store import Transaction
from retoma.stores.sql.legible import UNREADABLE

PAGE: Final = 1_000


def repair(tx: Transaction) -> int:
    """Let the state rows of branches name the events that their journals say; return how many named another one.

    Up to format 6 a fork or an undo inside a batch took over rows that name an event after its point, and whatever was
    forked from it had them, too. A row whose value is not its journal's stays as it is, as does every row of a session
    whose journal is damaged: `check` lists these.
    """
    moments, repaired, after = Moments(), 0, 0
    while keys := tx.audit.branches(after=after, limit=PAGE):
        for key in keys:
            ledger = _ledger(tx, key, moments)
            for name, value, seq in [] if ledger is None else [*_wrong(tx, key, ledger)]:
                tx.state.put(key, {name: value}, seq=seq)
                repaired += 1
        after = keys[-1]
    return repaired


def _ledger(tx: Transaction, key: SessionKey, moments: Moments) -> Ledger | None:
    """Return what the session's journal says, None when it is damaged."""
    row = tx.audit.session(key)
    try:
        journal = begun(tx, key, row, moments) if row is not None else None
        ended = journal is None
        while journal is not None and not ended:
            wrong, ended = journal.page(tx, PAGE)
            if wrong:
                return None
    except UNREADABLE:
        return None
    return journal.ledger if journal is not None else None


def _wrong(tx: Transaction, key: SessionKey, ledger: Ledger) -> Iterator[tuple[str, Json, int]]:
    """Yield the rows that have the journal's value and name another event: key, value, and the event to name."""
    wanted: dict[str, Json] = {**ledger.folded.state, SYS: ledger.folded.system}
    after: str | None = None
    while page := tx.transfers.state(key, after=after, limit=PAGE):
        for name, value, seq in page:
            should = ledger.set_at.get(name, seq)
            if seq != should and name in wanted and value == encode(wanted[name]):
                yield name, wanted[name], should
        after = page[-1][0]
