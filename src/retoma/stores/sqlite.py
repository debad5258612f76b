"""SQLite through apsw: open, pragmas, the write lock, and what its errors mean."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from retoma.errors import Integrity, RetomaError, Unavailable
from retoma.stores import migrate
from retoma.stores.api import Facts, Transaction
from retoma.stores.commits import Commits
from retoma.stores.sql import Row, Values
from retoma.stores.transaction import SqlTransaction

T = TypeVar("T")

APPLICATION_ID = 0x52544D41  # "RTMA"
_LOCK_WAIT_S = 10.0


class _Connection:
    """A connection with its one cursor and its one transaction object."""

    def __init__(self, place: str, flags: int, random: Callable[[int], bytes]) -> None:
        self.handle = apsw.Connection(place, flags=flags)
        self.handle.set_busy_timeout(10_000)
        # Else SQLite may prepare a statement anew each time that it is bound, to plan by the values.
        self.handle.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self.execute = execute = self.handle.cursor().execute

        def run(statement: str, values: Values = ()) -> list[Row]:
            # fetchall exhausts the cursor: apsw runs a statement only as far as it is read.
            return execute(statement, values).fetchall()

        self.run = run
        self.transaction = SqlTransaction(run, random)

    def set(self, pragma: str, value: str, expected: object) -> None:
        """Set a pragma and read it back, since SQLite ignores what it cannot do."""
        self.run(f"PRAGMA {pragma} = {value}")
        got = self.run(f"PRAGMA {pragma}")[0][0]
        if got != expected:
            raise Unavailable(f"SQLite did not take {pragma} = {value}: it says {got}.", code="pragma")


class SqliteStore:
    """A store in one file, or in memory when `path` is None."""

    def __init__(self, path: Path | None, *, now: Callable[[], int], random: Callable[[int], bytes]) -> None:
        self._path = path
        self._now = now
        self._random = random
        self._shown = str(path) if path else ":memory:"
        self._lock = threading.RLock()
        self._writing = False
        self._write_lock: int | None = None
        self._writer: _Connection | None = None
        self._readers: list[_Connection] = []
        self._commits = Commits(path)
        self._closed = False
        with self._translated():
            self._prepare()

    def write(self, use_case: Callable[[Transaction], T]) -> T:
        with self._lock, self._translated():
            if self._writing:
                raise RuntimeError("a use case must not begin another write: it is given its transaction")
            writer = self._writer or self._open_writer()
            self._acquire()
            self._writing = True
            try:
                writer.run("BEGIN IMMEDIATE")
                transaction = writer.transaction
                transaction.now = self._now()
                transaction.moved.clear()
                changes = writer.handle.total_changes()
                result = use_case(transaction)
                if writer.handle.total_changes() != changes:
                    self._commits.count(writer.run, writer.handle.changes, transaction.moved)
                writer.run("COMMIT")
                self._commits.witness()
            except BaseException as error:
                self._abandon(writer, error)
                raise
            finally:
                self._writing = False
                self._release()
            return result

    def read(self, use_case: Callable[[Transaction], T]) -> T:
        if self._path is None:
            with self._lock, self._translated():
                return self._read(self._writer or self._open_writer(), use_case)
        with self._translated():
            reader = self._readers.pop() if self._readers else self._open_reader()
            try:
                result = self._read(reader, use_case)
            except apsw.Error:
                reader.handle.close(True)
                raise
            except BaseException:
                self._readers.append(reader)
                raise
            self._readers.append(reader)
            return result

    def forget(self) -> None:
        if self._path is not None:
            with self._lock, self._translated():
                writer = self._writer or self._open_writer()
                ((busy, _, _),) = writer.run("PRAGMA wal_checkpoint(TRUNCATE)")
                if busy:
                    raise Unavailable(
                        f"It is deleted, but another process has been reading {self._shown} for {_LOCK_WAIT_S:.0f} "
                        "seconds: until it ends, traces stay in the write-ahead log.",
                        code="still_read",
                        hint="The next deletion clears them, too.",
                    )

    def facts(self) -> Facts:
        with self._lock, self._translated():
            writer = self._writer or self._open_writer()
            usage = os.statvfs(self._path) if self._path else None
            synchronous = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[
                writer.run("PRAGMA synchronous")[0][0]
            ]
            weak = "The store is not synchronous FULL: a power cut can lose what was acknowledged."
            return Facts(
                kind="sqlite",
                place=self._shown,
                format=writer.run("PRAGMA user_version")[0][0],
                engine=f"SQLite {apsw.sqlite_lib_version()}",
                journal_mode=writer.run("PRAGMA journal_mode")[0][0],
                synchronous=synchronous,
                size_bytes=self._size(),
                free_bytes=usage.f_bavail * usage.f_frsize if usage else None,
                weak=weak if self._path and synchronous != "FULL" else "",
            )

    def close(self) -> None:
        with self._lock:
            self._closed = True
            readers, self._readers = self._readers, []
            for connection in [*readers, *([self._writer] if self._writer else [])]:
                connection.handle.close()
            self._writer = None
            self._commits.close()
            if self._write_lock is not None:
                os.close(self._write_lock)
                self._write_lock = None

    # Opening

    def _prepare(self) -> None:
        if self._path is None:
            self._open_writer()
            return
        if not self._path.exists():
            self._make_directory(self._path.parent)
        if not self._path.exists() or self._path.stat().st_size == 0:
            self._open_writer()
            return
        self._readers.append(self._open_reader())

    def _make_directory(self, directory: Path) -> None:
        if directory.is_dir():
            return
        directory.mkdir(parents=True, mode=0o700)
        # The parent is synced too: without it the new directory can vanish in a power cut.
        parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)

    def _open_reader(self) -> _Connection:
        self._refuse_closed()
        reader = _Connection(self._shown, apsw.SQLITE_OPEN_READWRITE, self._random)
        try:
            if self._format(reader) < migrate.FORMAT:
                self._open_writer()
            reader.run("PRAGMA query_only = ON")
        except BaseException:
            reader.handle.close()
            raise
        return reader

    def _open_writer(self) -> _Connection:
        self._refuse_closed()
        if self._path is not None and self._write_lock is None:
            lock = self._path.with_name("write.lock")
            self._write_lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        writer = _Connection(self._shown if self._path else ":memory:", flags, self._random)
        self._acquire()
        try:
            if self._path is not None:
                fresh = self._format(writer) == 0
                if fresh:
                    self._path.chmod(0o600)
                writer.set("journal_mode", "WAL", "wal")
                writer.set("synchronous", "FULL", 2)
                if sys.platform == "darwin":
                    writer.set("fullfsync", "ON", 1)
            writer.set("secure_delete", "ON", 1)
            self._migrate(writer)
        except BaseException:
            writer.handle.close()
            raise
        finally:
            self._release()
        self._writer = writer
        return writer

    def _format(self, connection: _Connection) -> int:
        application = connection.run("PRAGMA application_id")[0][0]
        version: int = connection.run("PRAGMA user_version")[0][0]
        if application != APPLICATION_ID and (
            application or connection.run("SELECT 1 FROM sqlite_schema LIMIT 1")
        ):
            raise Integrity(
                f"{self._shown} is a database of another program, not a Retoma store.",
                code="not_a_store",
                hint="Nothing was changed. Name another place with --store.",
            )
        migrate.refuse_newer(version, self._shown)
        return version

    def _migrate(self, writer: _Connection) -> None:
        made = writer.run("SELECT 1 FROM sqlite_schema WHERE name = 'migration'")
        applied = [(v, c) for v, c in writer.run("SELECT version, checksum FROM migration")] if made else []
        for step in migrate.pending(migrate.migrations("sqlite"), applied, self._shown):
            writer.run("BEGIN IMMEDIATE")
            try:
                for _ in writer.handle.execute(step.text):
                    pass
                now = self._now()
                values = (step.version, step.name, step.checksum, now)
                writer.run(
                    "INSERT INTO migration (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)", values
                )
                if step.version == 1:
                    new_store = (self._random(16), now, b"\0" * 32)
                    writer.run(
                        "INSERT INTO store (only_row, id, created_at, counter, rolling) VALUES (1, ?, ?, 0, ?)",
                        new_store,
                    )
                writer.run(f"PRAGMA application_id = {APPLICATION_ID}")
                writer.run(f"PRAGMA user_version = {step.version}")
                writer.run("COMMIT")
            except BaseException:
                _roll_back(writer)
                raise

    # Transactions

    def _read(self, connection: _Connection, use_case: Callable[[Transaction], T]) -> T:
        connection.run("BEGIN")
        try:
            connection.transaction.now = self._now()
            return use_case(connection.transaction)
        finally:
            _roll_back(connection)

    def _abandon(self, writer: _Connection, error: BaseException) -> None:
        _roll_back(writer)
        if isinstance(error, (apsw.IOError, apsw.CorruptError)):
            # What this connection believes about the file can be wrong now: the next write opens it anew.
            self._writer = None
            self._commits.close()
            writer.handle.close(True)

    def _acquire(self) -> None:
        """Take the lock between processes: SQLite's own busy handler kept one of nine writers waiting 3 s."""
        lock = self._write_lock
        if lock is None:
            return
        deadline = 0.0
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                deadline = deadline or time.monotonic() + _LOCK_WAIT_S
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"Another process has been writing to {self._shown} for {_LOCK_WAIT_S:.0f} seconds.",
                        code="write_lock",
                        hint="Nothing was written. See who holds write.lock beside it, then try again.",
                    ) from None
                time.sleep(0.0005)
            else:
                return

    def _release(self) -> None:
        if self._write_lock is not None:
            fcntl.flock(self._write_lock, fcntl.LOCK_UN)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable(f"The store {self._shown} was closed.", code="closed", hint="Open it again.")

    def _size(self) -> int:
        if self._path is None:
            return 0
        files = [self._path, self._path.with_name(self._path.name + "-wal")]
        return sum(file.stat().st_size for file in files if file.exists())

    def _translated(self) -> _Translated:
        return _Translated(self._shown)


class _Translated:
    """Turns the driver's errors into ours; nothing above this file knows apsw."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (apsw.Error, OSError)) and not isinstance(error, RetomaError):
            raise translate(error, self._shown) from error


def translate(error: apsw.Error | OSError, shown: str) -> RetomaError:
    """Return what a driver's or the system's error means for the store at `shown`."""
    full = isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno in {28, 122})
    if full:
        return Unavailable(
            f"The disk is full: {shown} could not be written.",
            code="disk_full",
            hint="What was acknowledged is safe; this was not written. Free some space, then do it again.",
        )
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError, apsw.FormatError)):
        return Integrity(
            f"The store file {shown} is damaged: {error}.",
            code="damaged_store",
            hint="Nothing was changed. Restore a backup, or move the file away to begin a new store.",
        )
    readonly = isinstance(
        error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, PermissionError)
    )
    if readonly or (isinstance(error, OSError) and error.errno == 30):
        return Unavailable(
            f"The store {shown} cannot be opened: the directory or the file is read-only, or is not yours "
            "(reading needs to write beside it, too).",
            code="read_only_store",
            hint="Nothing was changed. Make it writable, or name another place with --store.",
        )
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return Unavailable(
            f"Another process keeps {shown} locked.",
            code="locked",
            hint="Nothing was written. Try again in a moment.",
        )
    return Unavailable(
        f"The store {shown} could not be read or written: {error}.",
        code="io",
        hint="What was acknowledged is safe; this was not written. Look at the disk, then do it again.",
    )


def _roll_back(writer: _Connection) -> None:
    if writer.handle.in_transaction:
        try:
            writer.run("ROLLBACK")
        except apsw.Error:
            # The transaction is over either way: SQLite undoes it when the connection goes.
            writer.handle.close(True)
