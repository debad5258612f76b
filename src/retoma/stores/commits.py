"""How far a store's commits have come: counted in each transaction, and witnessed after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from retoma.errors import Integrity
from retoma.stores.sql import STATEMENTS, Run
from retoma.stores.witness import Witness, Writer, beside, rolled

_COUNT = STATEMENTS["count_commit"]


class Commits:
    """The commits of the store at `database`, or in memory: those have no witness.

    What was known after the last commit is kept, so that counting takes one statement; another process's commits show
    by that statement finding nothing. Only for whoever holds the store's write lock.
    """

    def __init__(self, database: Path | None) -> None:
        self._path = beside(database) if database else None
        self._witness: Writer | None = None
        self._known: Witness | None = None
        self._next: Witness | None = None

    def count(self, run: Run, changed: Callable[[], int], moved: list[bytes]) -> None:
        """Count the transaction that `run` runs in, as its last statement. `changed` is how many rows that changed."""
        known = self._known or self._read(run)
        if not self._counted(run, changed, known, moved):
            self._counted(run, changed, self._read(run), moved)

    def witness(self) -> None:
        """Say that the transaction that was counted last is committed."""
        done, self._next = self._next, None
        if done is None:
            return
        self._known = done
        if self._path is not None:
            if self._witness is None or self._witness.store != done.store:
                self.close()
                self._witness = Writer(self._path, done.store)
            self._witness.put(done.counter, done.rolling)

    def close(self) -> None:
        """Let go of the file. What is counted later opens it again, and looks at what it says."""
        if self._witness is not None:
            self._witness.close()
            self._witness = None

    def _counted(self, run: Run, changed: Callable[[], int], known: Witness, moved: list[bytes]) -> bool:
        store, counter, rolling = known
        after = rolled(rolling, counter + 1, moved)
        run(_COUNT, (counter + 1, after, counter, rolling, store))
        self._next = Witness(store, counter + 1, after)
        return changed() == 1

    def _read(self, run: Run) -> Witness:
        rows = run(STATEMENTS["commits"], ())
        if not rows:
            raise Integrity(
                "The store does not know its own id: its row is gone.",
                code="damaged_store",
                hint="Nothing was changed. Restore a backup.",
            )
        return Witness(*rows[0])
