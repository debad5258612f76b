"""A store in a PostgreSQL database: transactions that run again when they may, and what the server says of itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from retoma.errors import RetomaError, Unavailable
from retoma.model.lease import Ticking, no_ticks
from retoma.stores.contract.facts import Facts, Witnessed
from retoma.stores.contract.store import Transaction
from retoma.stores.postgres import errors
from retoma.stores.postgres.changes import PostgresChanges
from retoma.stores.postgres.connection import Wire
from retoma.stores.postgres.groups import Groups
from retoma.stores.postgres.pool import MOST, Pool
from retoma.stores.postgres.schema import Schema
from retoma.stores.postgres.writes import Write
from retoma.stores.sql.legible import legible
from retoma.stores.sql.migrate import Migration, Upgraded, Upgrades

T = TypeVar("T")

PATIENCE_S = 4.0
"""How long a transaction is tried again: an error is told within five seconds."""
_WRITE = "ISOLATION LEVEL READ COMMITTED"
_READ = "ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresStore:
    """A store in the database, and the schema, that `url` names. `shown` is the URL without its password.

    Without `upgrades` it refuses a store of an older format.
    """

    def __init__(
        self,
        url: str,
        *,
        shown: str,
        now: Callable[[], int],
        random: Callable[[int], bytes],
        upgrades: Upgrades | None = None,
        ticks: Ticking = no_ticks,
    ) -> None:
        self._url = url
        self._shown = shown
        self._now = now
        self._random = random
        self._ticks = ticks
        self._schema = Schema(shown, now, random, upgrades)
        self._here = threading.local()
        self._closed = False
        self.writes = 0
        self._connected = False
        self._starting = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._writers = Pool(lambda: self._open(writes=True), shown, patience_s=PATIENCE_S)
        self._readers = Pool(lambda: self._open(writes=False), shown, patience_s=PATIENCE_S)
        # One that writes while nobody else does has no use for a group, and is in nobody's way.
        self._lone = threading.Lock()
        self._groups = Groups(self._begun, now=now, random=random, ticks=ticks)
        self._told = PostgresChanges(url, self._notify)
        self.changes = self._told.listen
        self._again(self._look)

    def write(self, use_case: Callable[[Transaction], T]) -> T:
        self._refuse_inside()
        write = Write(use_case)
        self._here.writing = True
        try:
            result = self._again(lambda: self._tried(write), write)
            self.writes += 1
            self._told.wrote()
            return result
        finally:
            self._here.writing = False

    def submit(self, use_case: Callable[[Transaction], T]) -> asyncio.Future[T]:
        self._refuse_inside()
        if self._closed:
            raise self._was_closed()
        with self._starting:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(MOST, "retoma-write")
            return asyncio.wrap_future(self._threads.submit(self.write, use_case))

    def read(self, use_case: Callable[[Transaction], T]) -> T:
        return self._again(lambda: self._read(use_case))

    def make(self) -> bool:
        """Make the tables, if they are missing; return whether they were."""
        missing = self._schema.format == 0
        self.write(lambda tx: None)
        return missing

    def forget(self, *, wait: bool = True) -> None:
        """Do nothing: no reader finds the rows any more; their bytes, in pages and log, are the server's to reuse."""

    @property
    def upgraded(self) -> Upgraded | None:
        return self._schema.upgraded

    @property
    def read_only(self) -> bool:
        return False

    @property
    def unforgotten(self) -> bool:
        return False

    def facts(self) -> Facts:
        return self._again(self._facts)

    def engine_check(self) -> list[str]:
        """Return nothing: the server keeps checksums of its pages, and refuses a damaged one when it is read."""
        return []

    def witness(self) -> Witnessed:
        """Return what the store says alone: nothing is kept outside of it."""
        return Witnessed(counter=0)

    def accept_loss(self) -> None:
        """Do nothing: nothing is kept outside of it."""

    def backup(self, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
        raise Unavailable(
            f"{self._shown} must be backed up with PostgreSQL's own tools.",
            code="not_a_file",
            hint="Use pg_dump, or copy its sessions to a file: `retoma store copy URL FILE`.",
        )

    def compact(self) -> None:
        raise Unavailable(
            f"{self._shown} is compacted by its server.",
            code="not_a_file",
            hint="Its autovacuum frees the space.",
        )

    def close(self) -> None:
        self._closed = True
        if self._threads is not None:
            self._threads.shutdown()
        self._told.close()
        self._writers.close()
        self._readers.close()

    # Transactions

    def _tried(self, write: Write[T]) -> T:
        """Try with those who write now, if there are any; when that comes to nothing, or was tried before, alone."""
        groups = self._groups
        if write.tried:
            return self._write(write)
        write.tried = True
        if groups.idle and self._lone.acquire(blocking=False):
            try:
                return self._write(write)
            finally:
                self._lone.release()
        if not groups.take(write):
            return self._write(write)
        return groups.write(write, lambda: self._write(write))

    def _write(self, write: Write[T]) -> T:
        with self._begun() as wire:
            wire.transaction.now = self._now()
            try:
                result = write.use_case(wire.transaction)
            except RetomaError:
                # It may find what an earlier try of its own wrote: then that one is the answer.
                if write.unsure and (earlier := write.kept(wire)):
                    wire.roll_back()
                    return earlier[0]
                raise
            # Rows that an earlier try wrote are locked by it until it is over: it is over now.
            if write.unsure and (earlier := write.kept(wire)):
                wire.roll_back()
                return earlier[0]
            mark = wire.mark
            try:
                wire.commit()
            except psycopg.Error as error:
                if errors.lost(error):
                    write.unanswered = True
                    if mark is not None:
                        write.unsure.append((mark, result))
                raise
            return result

    @contextmanager
    def _begun(self) -> Iterator[Wire]:
        """Lend a connection that writes, in a transaction; what is left open is undone."""
        with self._writers.lent() as wire, _undone(wire):
            wire.begin(_WRITE)
            yield wire

    def _read(self, use_case: Callable[[Transaction], T]) -> T:
        with self._readers.lent() as wire, _undone(wire):
            if not self._schema.format:
                pending = self._schema.look(wire)  # another process may have made the tables since
                if not self._schema.format:
                    return self._read_nothing(wire, pending, use_case)
            wire.begin(_READ)
            wire.transaction.now = self._now()
            with legible():
                result = use_case(wire.transaction)
            wire.commit()
            return result

    def _read_nothing(self, wire: Wire, pending: list[Migration], use_case: Callable[[Transaction], T]) -> T:
        """Read a database without our tables: they are there for this transaction, and leave nothing."""
        wire.begin("")
        self._schema.make(wire, pending)
        wire.transaction.now = self._now()
        try:
            return use_case(wire.transaction)
        finally:
            wire.roll_back()

    def _again(self, attempt: Callable[[], T], write: Write[T] | None = None) -> T:
        """Run `attempt` until it succeeds, fails for good, or patience ends."""
        if self._closed:
            raise self._was_closed()
        deadline = time.monotonic() + PATIENCE_S
        tries = 0
        while True:
            try:
                return attempt()
            except (psycopg.Error, OSError) as error:
                tries += 1
                pause = min(0.2, 0.002 * 2 ** min(tries, 8)) * (1 + self._random(1)[0] / 255)
                hopeless = tries > errors.tries(error) or time.monotonic() + pause > deadline
                if hopeless or not errors.again(error, connected=self._connected):
                    # What was waited for once is not waited for again: the next call asks, and says so at once.
                    self._connected = False
                    unsure = write is not None and write.unanswered
                    raise errors.translate(error, self._shown, unsure=unsure) from error
            time.sleep(pause)

    def _refuse_inside(self) -> None:
        if getattr(self._here, "writing", False):
            raise RuntimeError("a use case must not begin another write: it is given its transaction")

    def _was_closed(self) -> Unavailable:
        return Unavailable(f"The store {self._shown} was closed.", code="closed", hint="Open it again.")

    # Opening

    def _open(self, *, writes: bool) -> Wire:
        wire = Wire(self._url, self._random, writes=writes, ticks=self._ticks)
        try:
            self._connected = True
            pending = self._schema.look(wire)
            if pending and writes:
                self._schema.migrate(wire)
            elif pending and self._schema.format:
                # An older format is read by no statement of this version: it is brought up to date first.
                with self._writers.lent():
                    pass
        except BaseException:
            wire.close()
            raise
        return wire

    def _notify(self) -> None:
        with self._writers.lent() as wire, _undone(wire):
            wire.ask("notify")

    def _look(self) -> None:
        with self._readers.lent():
            pass

    def _facts(self) -> Facts:
        with self._readers.lent() as wire, _undone(wire):
            wire.begin(_READ)
            ((version, synchronous, fsync, whole_pages, replica, size),) = wire.ask("facts")
            wire.commit()
        weak = ""
        if "off" in {fsync, whole_pages}:
            weak = "The server runs with fsync or full_page_writes off: a crash of its machine can destroy the store."
        return Facts(
            kind="postgresql",
            place=self._shown,
            format=self._schema.format,
            engine=f"PostgreSQL {version}" + (", a replica" if replica else ""),
            journal_mode="wal",
            synchronous=synchronous,
            size_bytes=size,
            free_bytes=None,
            commits=None,
            weak=weak,
        )


@contextmanager
def _undone(wire: Wire) -> Generator[None, Any, None]:
    """Undo what is left open when anything is raised."""
    try:
        yield
    except BaseException:
        wire.roll_back()
        raise
