"""One session: its journal in pages, and its rows in the read that meets the journal's end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from retoma.model.ids import SessionKey
from retoma.service.check.copies import DELETING, INCOMING, QUARANTINED, shelved
from retoma.service.check.journal import Journal, begun
from retoma.service.check.moments import Moments
from retoma.service.check.report import Damage
from retoma.service.check.rows import Row, differences
from retoma.stores.contract.store import Transaction

PAGE: Final = 1_000
MOST_OF_ONE: Final = 20
"""How many damages of one session are listed."""


class OneSession:
    """One session. Its rows are held against its journal in the read that meets the journal's end."""

    def __init__(
        self,
        read: Callable[[Callable[[Transaction], bool | None]], bool | None],
        key: SessionKey,
        name: str,
        moments: Moments,
        progress: Callable[[int], None],
    ) -> None:
        self._read = read
        self._key = key
        self._name = name
        self._moments = moments
        self._progress = progress
        self._begins = 0
        self.base = 0
        self.journal: Journal | None = None
        self.damage: list[Damage] = []

    def run(self) -> bool:
        """Return whether the session was looked at from its base to its head; False when it was cut meanwhile."""
        while True:
            ended = self._read(self._step)
            if ended is not None:
                return ended
            self._progress(self.read)

    @property
    def read(self) -> int:
        """How many events of its own were read: what a fork shares counts where it is."""
        return max(self.journal.seq - self._begins, 0) if self.journal else 0

    def wrong(self, seq: int | None, said: str) -> None:
        """List what is wrong with the session, or with one event of it."""
        if len(self.damage) < MOST_OF_ONE:
            where = f", event {seq:,}" if seq is not None else ""
            who = f"Session '{self._name}'" if self._name else f"Session number {self._key}"
            what = "event" if seq is not None else "session"
            detail = f"{who}{where}: {said}."
            self.damage.append(Damage(what=what, detail=detail, session=self._name, key=self._key, seq=seq))

    def _step(self, tx: Transaction) -> bool | None:
        row = tx.audit.session(self._key)
        if row is None or row["shelf"] in (DELETING, QUARANTINED):
            self.damage = []
            for said in shelved(tx, self._key, row) if row is not None else ():
                self.wrong(None, said)
            return True
        if self.journal is None:
            self.journal = self._begin(tx, row)
        if row["base_seq"] != self.base:
            return False
        wrong, ended = self.journal.page(tx, PAGE)
        for seq, said in wrong:
            self.wrong(seq, said)
        if not ended:
            return None
        self._end(tx, row, self.journal)
        return True

    def _begin(self, tx: Transaction, row: Row) -> Journal:
        self.base = row["base_seq"]
        journal = begun(tx, self._key, row, self._moments)
        self._begins = journal.inherited_until
        return journal

    def _end(self, tx: Transaction, row: Row, journal: Journal) -> None:
        head: tuple[Any, Any] = (row["head_seq"], row["head_hash"])
        if head[0] > journal.seq:
            self.wrong(None, f"its journal ends at event {journal.seq:,}, but had {head[0]:,} events")
        elif head != (journal.seq, journal.hash):
            self.wrong(None, f"its journal's last event, {journal.seq:,}, is not the head of the session")
        if self._begins and not tx.audit.rows("erasing", self._key):
            early = tx.audit.seqs(self._key, after=0, until=self._begins + 1, limit=1)
            if early and not tx.branches.reads(self._key, early[0]):
                self.wrong(early[0], "it comes before the start of the journal, which was erased")
        for seq in sorted(journal.ledger.unexplained)[:MOST_OF_ONE]:
            self.wrong(seq, "it is empty, but there is no record that it was erased")
        for said in shelved(tx, self._key, row):
            self.wrong(None, said)
        # Rows that come in are held against nothing: the session is shown when it is proved.
        if journal.legible and row["shelf"] != INCOMING:
            for unlike in differences(tx, self._key, row, journal.ledger):
                self.wrong(None, str(unlike))
