"""SQLite's one writing connection, as the writer queue uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import apsw

from retoma.errors import Unavailable
from retoma.model.lease import Ticking, no_ticks
from retoma.stores.commits import Commits
from retoma.stores.sqlite_connection import Connection, bring_up_to_date, format_of
from retoma.stores.sqlite_errors import translated
from retoma.stores.transaction import SqlTransaction
from retoma.stores.write_lock import WriteLock

_SUSPECT = (apsw.IOError, apsw.CorruptError)
_CAREFUL = 1_000
"""How many parts have a savepoint after one of them could not be undone alone."""
_SLOW_S, _SLOW_COMMITS = 0.001, 8
_LOG_PAGES, _LONG_LOG_PAGES = 1_000, 8_000
"""How long the log gets before its pages are moved into the file, which takes two more syncs; and where syncs are slow.

Where they are quick a short log is: a file that grows has more to sync than one that is written over.
"""


class SqliteTurn:
    """A `writer.Turn`. What is public here is for whoever has the seat in the queue."""

    def __init__(
        self,
        path: Path | None,
        *,
        now: Callable[[], int],
        random: Callable[[int], bytes],
        ticks: Ticking = no_ticks,
    ) -> None:
        self.commits = Commits(path)
        self.closed = False
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
        writer.execute("BEGIN IMMEDIATE")
        transaction = writer.transaction
        transaction.now = self._now()
        transaction.moved.clear()
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
        writer = self.connection()
        handle = writer.handle
        if handle.total_changes() == self._changes:
            writer.execute("COMMIT")
            return
        self.commits.count(writer.run, handle.changes, writer.transaction.moved)
        began = monotonic()
        writer.execute("COMMIT")
        took_s = monotonic() - began
        self.writes += 1
        self.commits.witness()
        if took_s > _SLOW_S or self._slow:
            self._pace(handle, took_s)

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
        finally:
            if self._lock is not None:
                self._lock.release()

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
            bring_up_to_date(writer, self._shown, now=self._now, random=self._random)
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
