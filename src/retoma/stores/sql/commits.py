"""How far a store's commits have come: counted in each transaction, and witnessed after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from retoma.errors import Integrity
from retoma.stores.sql.statements import STATEMENTS, Run
from retoma.stores.witness import Writer, beside, packed, rolled

_COUNT = STATEMENTS["count_commit"]


class Commits:
    """The commits of the store at `database`, or in memory: those have no witness.

    What was known after the last commit is kept, so that counting takes one statement; another process's commits show
    by that statement finding nothing. Only for whoever holds the store's write lock.
    """

    def __init__(self, database: Path | None) -> None:
        self._path = beside(database) if database else None
        self._witness: Writer | None = None
        self._store = b""
        self._counter = 0
        self._rolling = b""
        self._after = b""
        self._slot = b""
        self.erasing = False
        """Whether another process left something that was erased in the files, as was read last."""

    def count(self, run: Run, changed: Callable[[], int], moved: list[bytes]) -> bool:
        """Count the transaction that `run` runs in. `changed` is how many rows the last statement changed.

        Returns whether the store was read for it: another process has committed since the last time.
        """
        counter, rolling = self._counter, self._rolling
        after = rolled(rolling, counter + 1, moved)
        run(_COUNT, (counter + 1, after, counter, rolling, self._store))
        read = changed() != 1
        if read:
            self._read(run)
            after = rolled(self._rolling, self._counter + 1, moved)
            run(_COUNT, (self._counter + 1, after, self._counter, self._rolling, self._store))
        self._after = after
        if self._path is not None:
            # Here and not after the sync: what comes then finds the processor's caches cold.
            self._slot = packed(self._store, self._counter + 1, after)
        return read

    def witness(self) -> None:
        """Say that the transaction that was counted last is committed."""
        self._counter += 1
        self._rolling = self._after
        if self._witness is not None:
            self._witness.put(self._counter, self._slot)
        elif self._path is not None:
            self._witness = Writer(self._path, self._store)
            self._witness.put(self._counter, self._slot)

    def close(self) -> None:
        """Let go of the file. What is counted later opens it again, and looks at what it says."""
        if self._witness is not None:
            self._witness.close()
            self._witness = None

    def _read(self, run: Run) -> None:
        rows = run(STATEMENTS["commits_and_erasing"], ())
        if not rows:
            raise Integrity(
                "The store does not know its own id: its row is gone.",
                code="damaged_store",
                hint="Nothing was changed. Restore a backup.",
            )
        store, self._counter, self._rolling, erasing = rows[0]
        self.erasing = bool(erasing)
        if store != self._store:
            self.close()
            self._store = store
