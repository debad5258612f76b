"""SQLite's one writing connection, as the writer queue uses it."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import inf
from pathlib import Path
from time import monotonic
from typing import Final

import apsw

from retoma.errors import Unavailable
from retoma.model.lease import Ticking, no_ticks
from retoma.stores.contract.store import Transaction
from retoma.stores.sql.migrate import Upgraded, Upgrades
from retoma.stores.sql.statements import STATEMENTS
from retoma.stores.sql.transaction import SqlTransaction
from retoma.stores.sqlite.changes import SqliteChanges
from retoma.stores.sqlite.connection import Connection, format_of
from retoma.stores.sqlite.errors import translated
from retoma.stores.sqlite.scrub import clear
from retoma.stores.sqlite.upgrade import bring_up_to_date
from retoma.stores.witness import Commits
from retoma.stores.write_queue.lock import WriteLock

_SUSPECT = (apsw.IOError, apsw.CorruptError)
_CAREFUL = 1_000
"""How many parts have a savepoint after one of them could not be undone alone."""
_SLOW_S, _SLOW_COMMITS = 0.001, 8
_LOG_PAGES, _LONG_LOG_PAGES = 1_000, 8_000
"""How long the log gets before its pages are moved into the file, which takes two more syncs; and where syncs are slow.

Where they are quick a short log is: a file that grows has more to sync than one that is written over.
"""

_OURS_S: Final = 1.0
"""How long a caller of this process has, after it erased something, to call `forget` before another writer does it."""
_FINISH_S: Final = 1.0
"""How long one writer works on rows that another left to be removed."""

Sweep = Callable[[Transaction], bool]
"""Removes one more piece of what was deleted or cut off; False when nothing was left."""


def nothing_left(_: Transaction) -> bool:
    return False


class SqliteTurn:
    """A `writer.Turn`. What is public here is for whoever has the seat in the queue."""

    def __init__(
        self,
        path: Path | None,
        *,
        now: Callable[[], int],
        random: Callable[[int], bytes],
        upgrades: Upgrades | None = None,
        sweep: Sweep = nothing_left,
        ticks: Ticking = no_ticks,
    ) -> None:
        self.commits = Commits(path)
        self.changes = SqliteChanges(path)
        self.upgraded: Upgraded | None = None
        self.closed = False
        self._upgrades = upgrades
        self.writes = 0
        self._path = path
        self._shown = str(path) if path else ":memory:"
        self._now = now
        self._random = random
        self._ticks = ticks
        self._lock: WriteLock | None = None
        self._writer: Connection | None = None
        # One that had an I/O error, open until the next one is: with the last connection goes what SQLite knows of the
        # log's end, and it would take up the very commit that failed.
        self._stale: Connection | None = None
        self._changes = 0
        # Where the part that runs began, in `moved` and in the rows that were changed; and how many parts to come are
        # to be undone alone.
        self._mark = 0, 0
        self._careful = 0
        self._slow = 0
        self._sweep = sweep
        # From when on (monotonic) the writer that comes finishes what was erased; never, when nothing is left.
        self._unforgotten = inf

    def connection(self) -> Connection:
        """Return the connection, opened when it is not."""
        return self._writer or self._opened()

    # A turn

    @property
    def open(self) -> bool:
        return self._writer is not None and self._writer.handle.in_transaction

    def begin(self) -> SqlTransaction:
        writer = self._writer or self._opened()
        if self._lock is not None:
            self._lock.acquire()
        return self._begun(writer)

    def _begun(self, writer: Connection) -> SqlTransaction:
        writer.execute("BEGIN IMMEDIATE")
        transaction = writer.transaction
        transaction.now = self._now()
        transaction.moved.clear()
        transaction.erasing.began = False
        self._changes = writer.handle.total_changes()
        return transaction

    def mark(self) -> SqlTransaction:
        """Begin a part. A savepoint costs more than most parts; without one, a part that wrote is not undone alone."""
        writer = self.connection()
        if self._careful:
            writer.execute("SAVEPOINT one")
        transaction = writer.transaction
        transaction.now = self._now()
        self._mark = len(transaction.moved), writer.handle.total_changes()
        return transaction

    def keep(self) -> None:
        if self._careful:
            self.connection().execute("RELEASE one")
            self._careful -= 1

    def undo(self, error: BaseException) -> bool:
        if not self.open or isinstance(error, apsw.Error):
            return False
        writer, (moved, changes) = self.connection(), self._mark
        if self._careful:
            writer.execute("ROLLBACK TO one")
            self.keep()
        elif writer.handle.total_changes() != changes:
            # Somebody writes before he is refused, and may do so again.
            self._careful = _CAREFUL
            return False
        del writer.transaction.moved[moved:]
        return True

    def commit(self) -> None:
        writer = self._writer or self._opened()
        handle = writer.handle
        if handle.total_changes() == self._changes:
            writer.execute("COMMIT")
            return
        read = self.commits.count(writer.run, handle.changes, writer.transaction.moved)
        erases = self._path is not None and writer.transaction.erasing.began
        if erases:
            # With what it erases, so that no kill comes between.
            writer.execute(STATEMENTS["mark_erasing"])
        began = monotonic()
        writer.execute("COMMIT")
        took_s = monotonic() - began
        self.writes += 1
        self.commits.witness()
        if self._lock is None or os.pread(self._lock.file, 1, 0):
            self.changes.tell(self._lock.file if self._lock is not None else None)
        if took_s > _SLOW_S or self._slow:
            self._pace(handle, took_s)
        if read and not self.commits.erasing:
            self._unforgotten = inf
        elif read and self._unforgotten == inf:
            self._unforgotten = 0.0  # another process left it
        if erases:
            self._unforgotten = min(self._unforgotten, began + _OURS_S)

    def _pace(self, handle: apsw.Connection, took_s: float) -> None:
        """Let the log get longer after some slow commits in a row; one alone may have moved the log's pages."""
        before, self._slow = self._slow, min(self._slow + 1, _SLOW_COMMITS) if took_s > _SLOW_S else 0
        if before != self._slow == _SLOW_COMMITS:
            handle.wal_autocheckpoint(_LONG_LOG_PAGES)
        elif before == _SLOW_COMMITS and not self._slow:
            handle.wal_autocheckpoint(_LOG_PAGES)

    def end(self, error: BaseException | None) -> None:
        try:
            if error is not None and self._writer is not None:
                self._abandon(self._writer, error)
            elif self._unforgotten < inf and self._writer is not None and self._unforgotten <= monotonic():
                self._finish(self._writer)
        finally:
            if self._lock is not None:
                self._lock.release()

    # What was erased

    @property
    def unforgotten(self) -> bool:
        """Whether something that was erased may be in the files."""
        return self._unforgotten < inf

    def forget(self, *, wait_ms: int) -> bool:
        """Take what was erased out of the files; False when readers are in the way."""
        writer = self.connection()
        if self._lock is not None:
            self._lock.acquire()
        try:
            return self._forgotten(writer, wait_ms)
        except BaseException as error:
            self._abandon(writer, error)
            raise
        finally:
            if self._lock is not None:
                self._lock.release()

    def _finish(self, writer: Connection) -> None:
        """Finish what another process was killed at, or readers were in the way of. The lock is held.

        The transaction that comes before is committed, so no error is raised: whoever writes next tries again.
        """
        try:
            self._forgotten(writer, 0)
        except Exception as error:
            self._abandon(writer, error)
        except BaseException:
            # An interrupt must leave no transaction behind: the caller's would seem not to be committed.
            writer.roll_back()
            raise

    def _forgotten(self, writer: Connection, wait_ms: int) -> bool:
        swept = self._swept(writer)
        zeroed = clear(writer, wait_ms=wait_ms)
        if zeroed is None:
            self._unforgotten = 0.0
            return False
        self._begun(writer)
        if zeroed.pages:
            # Also when nothing was marked, this is a commit: by it, others see that their caches are out of date.
            writer.execute(STATEMENTS["mark_erasing"])
        if swept:
            writer.execute(STATEMENTS["unmark_erasing"])
        self.commit()
        self._unforgotten = inf if swept else 0.0
        return True

    def _swept(self, writer: Connection) -> bool:
        """Remove rows that were left to be removed; return whether none is left."""
        ends = monotonic() + _FINISH_S
        more = True
        while more and monotonic() < ends:
            more = self._sweep(self._begun(writer))
            self.commit()
        return not more

    def translated(self, error: BaseException) -> BaseException:
        return translated(error, self._shown)

    def close(self) -> None:
        """Close the connection; nothing can be written any more."""
        self.closed = True
        self._drop_stale()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.commits.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # The connection

    def _opened(self) -> Connection:
        if self.closed:
            raise Unavailable(f"The store {self._shown} was closed.", code="closed", hint="Open it again.")
        if self._path is not None and self._lock is None:
            self._lock = WriteLock(self._path.with_name("write.lock"), self._shown)
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        writer = Connection(self._shown, flags, self._random, self._ticks)
        if self._lock is not None:
            self._lock.acquire()
        try:
            if self._path is not None:
                if format_of(writer, self._shown) == 0:
                    self._path.chmod(0o600)
                writer.make_durable()
            writer.set("secure_delete", "ON", 1)
            upgraded = bring_up_to_date(
                writer, self._path, self._shown, self._upgrades, now=self._now, random=self._random
            )
            self.upgraded = self.upgraded or upgraded
        except BaseException:
            writer.close()
            raise
        finally:
            if self._lock is not None:
                self._lock.release()
        self._drop_stale()
        self._writer, self._slow = writer, 0
        return writer

    def _drop_stale(self) -> None:
        if self._stale is not None:
            self._stale.close(force=True)
            self._stale = None

    def _abandon(self, writer: Connection, error: BaseException) -> None:
        suspect = isinstance(error, _SUSPECT) or isinstance(error.__cause__, _SUSPECT)
        if not writer.roll_back() or suspect:
            # What this connection believes about the file can be wrong now: the next turn opens it anew.
            self._writer = None
            self.commits.close()
            self._drop_stale()
            self._stale = writer
