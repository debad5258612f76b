"""A store in one SQLite file, or in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final, NoReturn, TypeVar

import apsw

from retoma.errors import Unavailable
from retoma.model.lease import Ticking, no_ticks
from retoma.stores.contract.facts import Facts, Witnessed
from retoma.stores.contract.store import Transaction
from retoma.stores.sql import migrate
from retoma.stores.sql.legible import legible
from retoma.stores.sql.migrate import Upgraded, Upgrades
from retoma.stores.sqlite import upkeep as sqlite_upkeep
from retoma.stores.sqlite.connection import Connection, format_of
from retoma.stores.sqlite.errors import Translated
from retoma.stores.sqlite.writing import SqliteTurn, Sweep, nothing_left
from retoma.stores.write_queue.lock import WAIT_S
from retoma.stores.write_queue.writer import WriterQueue

T = TypeVar("T")

_SLICE_MS: Final = 100


class SqliteStore:
    """A store in one file, or in memory when `path` is None. Without `upgrades` it refuses one of an older format."""

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
        self._path = path
        self._now = now
        self._random = random
        self._ticks = ticks
        self._upgrades = upgrades
        self._shown = str(path) if path else ":memory:"
        self._translated = Translated(self._shown)
        self._turn = SqliteTurn(path, now=now, random=random, upgrades=upgrades, sweep=sweep, ticks=ticks)
        self._queue = WriterQueue(self._turn)
        self._readers: list[Connection] = []
        self.write = self._queue.write
        self.submit = self._queue.submit
        self.changes = self._turn.changes.listen
        self.read_only = path is not None and is_unchangeable(path)
        if self.read_only:
            self.write = self.submit = self._refuse_writing
        with self._translated:
            self._prepare()

    def read(self, use_case: Callable[[Transaction], T]) -> T:
        if self._path is None:
            with self._translated:
                return self._queue.alone(lambda: self._read(self._turn.connection(), use_case))
        with self._translated:
            reader = self._readers.pop() if self._readers else self._open_reader()
            try:
                result = self._read(reader, use_case)
            except apsw.Error:
                reader.close(force=True)
                raise
            except BaseException:
                self._readers.append(reader)
                raise
            self._readers.append(reader)
            return result

    def forget(self, *, wait: bool = True) -> None:
        if self._path is None or self.read_only:
            return
        ends = monotonic() + (WAIT_S if wait else 0.0)
        # In slices, so that others can write meanwhile.
        while not self._alone(lambda writer: self._turn.forget(wait_ms=_SLICE_MS if wait else 0)):
            if wait and monotonic() > ends:
                raise Unavailable(
                    f"The content is erased, but another process has been reading {self._shown} for {WAIT_S:.0f} s. "
                    "Traces stay in the store's files until that process ends.",
                    code="still_read",
                    hint="The next command that writes after that removes the traces.",
                )
            if not wait:
                return

    @property
    def unforgotten(self) -> bool:
        return self._turn.unforgotten

    @property
    def writes(self) -> int:
        return self._turn.writes

    @property
    def upgraded(self) -> Upgraded | None:
        return self._turn.upgraded

    def facts(self) -> Facts:
        return self._beside(self._facts) if self.read_only else self._alone(self._facts)

    # Looked after

    def engine_check(self) -> list[str]:
        if self._path is None:
            return self._alone(lambda writer: sqlite_upkeep.engine_check(writer.run))
        return self._beside(lambda reader: sqlite_upkeep.engine_check(reader.run))

    def witness(self) -> Witnessed:
        return sqlite_upkeep.witnessed(self._path, lambda: self.read(lambda tx: tx.audit.commits()))

    def accept_loss(self) -> None:
        self._alone(lambda writer: sqlite_upkeep.forget_witness(self._path))

    def backup(self, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
        def copy(source: Connection) -> None:
            sqlite_upkeep.backup(source.handle, target, progress)

        if self._path is None:
            self._alone(copy)
        else:
            self._beside(copy)

    def compact(self) -> None:
        self._alone(lambda writer: writer.run("VACUUM"))

    def close(self) -> None:
        self._turn.closed = True
        self._turn.changes.wake_here()
        self._queue.close()
        self._queue.alone(self._close)

    # Opening

    def _prepare(self) -> None:
        if self._path is None:
            self._turn.connection()
            return
        if not self._path.exists():
            _make_directory(self._path.parent)
        if not self._path.exists() or self._path.stat().st_size == 0:
            sqlite_upkeep.refuse_lost(self._path, self._shown)
            self._turn.connection()
            return
        self._readers.append(self._open_reader())

    def _open_reader(self) -> Connection:
        if self._turn.closed:
            raise Unavailable(f"The store {self._shown} was closed.", code="closed", hint="Open it again.")
        reader = self._connected()
        try:
            version = format_of(reader, self._shown)
            if 0 < version < migrate.FORMAT and (self._upgrades is None or self.read_only):
                # Before a connection that writes is opened: that one changes the file's journal mode.
                raise migrate.older_store(version, self._shown)
            if version < migrate.FORMAT:
                self._alone(lambda writer: None)
            reader.run("PRAGMA query_only = ON")
        except BaseException:
            reader.close()
            raise
        return reader

    def _connected(self) -> Connection:
        name, flags = self._shown, apsw.SQLITE_OPEN_READWRITE
        if self.read_only and self._path is not None:
            # Else SQLite makes the log's index beside the file, to share it with writers.
            name, flags = f"{self._path.resolve().as_uri()}?immutable=1", apsw.SQLITE_OPEN_READONLY
        return Connection(name, flags | apsw.SQLITE_OPEN_URI * self.read_only, self._random, self._ticks)

    def _refuse_writing(self, use_case: Callable[[Transaction], T]) -> NoReturn:
        raise Unavailable(
            f"The store {self._shown} is read-only: it can be read, but not written to.",
            code="read_only_store",
            hint="Nothing was changed. Copy it to a writable place, or give another path with --store.",
        )

    def _close(self) -> None:
        readers, self._readers = self._readers, []
        for reader in readers:
            reader.close()
        self._turn.close()

    # Work on one connection

    def _read(self, connection: Connection, use_case: Callable[[Transaction], T]) -> T:
        connection.run("BEGIN")
        try:
            connection.transaction.now = self._now()
            with legible():
                return use_case(connection.transaction)
        finally:
            connection.roll_back()

    def _alone(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the connection that writes, while nobody does."""
        if self.read_only:
            self._refuse_writing(lambda tx: None)
        with self._translated:
            return self._queue.alone(lambda: work(self._turn.connection()))

    def _beside(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection of its own, beside writers."""
        with self._translated:
            reader = self._open_reader()
            try:
                return work(reader)
            finally:
                reader.close()

    def _facts(self, writer: Connection) -> Facts:
        usage = os.statvfs(self._path) if self._path else None
        ((commits,),) = writer.run("SELECT counter FROM store")
        synchronous = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[writer.run("PRAGMA synchronous")[0][0]]
        weak = "The store is not synchronous FULL: a power cut can lose saved data."
        return Facts(
            kind="sqlite",
            place=self._shown,
            format=writer.run("PRAGMA user_version")[0][0],
            engine=f"SQLite {apsw.sqlite_lib_version()}",
            journal_mode=writer.run("PRAGMA journal_mode")[0][0],
            synchronous=synchronous,
            size_bytes=self._size(),
            free_bytes=usage.f_bavail * usage.f_frsize if usage else None,
            commits=commits,
            weak=weak if self._path and not self.read_only and synchronous != "FULL" else "",
        )

    def _size(self) -> int:
        if self._path is None:
            return 0
        files = [self._path, self._path.with_name(self._path.name + "-wal")]
        return sum(file.stat().st_size for file in files if file.exists())


def is_unchangeable(file: Path) -> bool:
    """Return whether nobody writes to the file: it is on a read-only medium, or nobody may write to it.

    A log beside it may have commits that the file has not, and its index says that somebody has the store open.
    """
    try:
        found, medium = file.stat(), os.statvfs(file)
        log = file.with_name(file.name + "-wal")
        live = file.with_name(file.name + "-shm").exists() or (log.exists() and log.stat().st_size > 0)
    except OSError:
        return False  # what is wrong with it is said when it is opened
    return not live and found.st_size > 0 and bool(medium.f_flag & os.ST_RDONLY or not found.st_mode & 0o222)


def _make_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    directory.mkdir(parents=True, mode=0o700, exist_ok=True)  # another process may have made it just now
    # The parent is synced too: without it the new directory can vanish in a power cut.
    parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
