"""A SQLite file looked after: its own check, a copy of one moment, a copy made the store."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import apsw

from retoma.errors import Integrity, Unavailable
from retoma.stores import witness
from retoma.stores.contract.facts import Witnessed
from retoma.stores.sql import migrate
from retoma.stores.sql.statements import Row, Run
from retoma.stores.sqlite.errors import Translated
from retoma.stores.sqlite.scrub import zero_unused

STEP_PAGES = 2_000
_MOST = 100

Progress = Callable[[int, int], None]


def engine_check(run: Run) -> list[str]:
    """Return what is wrong with the file: pages, indexes against their tables, the schema, the format's number."""
    found: list[str] = []
    try:
        # The search index is a cache: `check` says of it by itself whether it is whole.
        found += [
            str(said).replace("\n", "; ")
            for (said,) in _integrity(run)
            if said != "ok" and "fts5" not in str(said).lower()
        ]
    except UnicodeDecodeError:
        found.append("SQLite's report on it cannot be read")
    # What is compared with one another is of one moment: writers beside it create sessions and upgrade the store.
    run("BEGIN")
    try:
        return found + _disagreements(run)
    finally:
        run("ROLLBACK")


def _disagreements(run: Run) -> list[str]:
    """Return what the store's own facts say of one another that cannot be."""
    found: list[str] = []
    if _schema(run) != _expected():
        found.append("its tables do not match its format")
    (version,), (applied,) = run("PRAGMA user_version")[0], run("SELECT max(version) FROM migration")[0]
    if version != applied:
        found.append(f"it claims format {version}, but the steps up to {applied} were applied")
    steps = [(step.version, step.name, step.checksum) for step in migrate.migrations("sqlite")]
    if run("SELECT version, name, checksum FROM migration ORDER BY version") != steps:
        found.append("the recorded steps are not the steps of its format")
    ((given,),) = run("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'session'")
    ((highest,),) = run("SELECT coalesce(max(pk), 0) FROM session")
    if highest > given:
        found.append("the number of the next session was given out before")
    return found


def _integrity(run: Run) -> list[Row]:
    try:
        return run(f"PRAGMA integrity_check({_MOST})")
    except apsw.SQLError:  # a search index that cannot be opened
        tables = run("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
        return [row for (name,) in tables for row in run(f'PRAGMA integrity_check("{name}")')]


def backup(source: apsw.Connection, target: Path, progress: Progress | None) -> None:
    """Copy the moment that `source` reads into the empty file `target`; on the disk when it returns."""
    # A read that is held shows one moment: writers beside it do not make the copy begin anew.
    source.execute("BEGIN").fetchall()
    try:
        source.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        with _opened(target, apsw.SQLITE_OPEN_READWRITE) as copy:
            with copy.backup("main", source, "main") as made:
                while not made.done:
                    made.step(STEP_PAGES)
                    if progress is not None:
                        progress(made.page_count - made.remaining, made.page_count)
            # One file, complete in itself.
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
            # The pages come as they are, from a store whose erasing may have been kept up, too.
            zero_unused(copy)
    finally:
        source.execute("ROLLBACK").fetchall()
    sync(target)


def copy_of(file: Path, target: Path) -> None:
    """Copy the database at `file`, with its write-ahead log if there is one, into the empty file `target`."""
    beside = file.with_name(file.name + "-wal")
    alone = not beside.exists() or beside.stat().st_size == 0
    with _opened(file, apsw.SQLITE_OPEN_READONLY, immutable=alone) as source:
        backup(source, target, None)


def same_commits(source: apsw.Connection, file: Path) -> bool:
    """Return whether `file` is a store of the same format, with the same commits."""
    asked = "SELECT id, counter, rolling, (SELECT max(version) FROM migration) FROM store"
    try:
        with _opened(file, apsw.SQLITE_OPEN_READONLY, immutable=True) as copy:
            return copy.execute(asked).fetchall() == source.execute(asked).fetchall()
    except apsw.Error:
        return False


def begin_anew(file: Path, store_id: bytes) -> None:
    """Make the copy at `file` a store of its own: another id, and its commits counted from none."""
    with _opened(file, apsw.SQLITE_OPEN_READWRITE) as connection:
        values = (store_id, b"\0" * 32)
        connection.execute("UPDATE store SET id = ?, counter = 0, rolling = ?", values).fetchall()
    sync(file)


def witnessed(database: Path | None, commits: Callable[[], tuple[bytes, int, bytes]]) -> Witnessed:
    """Hold what `commits` reads in the store against the file beside it, which is read first: it is never ahead."""
    path = witness.beside(database) if database else None
    seen = witness.read(path) if path else None
    ahead = witness.evidence(path) if path else None
    store, counter, rolling = commits()
    if seen is None or seen.store != store:
        return Witnessed(counter=counter)
    if ahead is not None and ahead.store == store:
        return Witnessed(counter=counter, seen=max(seen.counter, ahead.counter), lost=True)
    lost = seen.counter > counter or (seen.counter == counter and seen.rolling != rolling)
    return Witnessed(counter=counter, seen=seen.counter, lost=lost)


def committed_to(database: Path) -> int:
    """Return how many commits the witness has seen of a database that is not there, or empty; 0 otherwise.

    SQLite takes an empty file for a new database, and throws away what is in the log beside it.
    """
    path = witness.beside(database)
    if _has_content(database) or not path.is_file():
        return 0
    seen = witness.read(path)
    # In this order: a process that makes the store has the file before its witness.
    return seen.counter if seen is not None and not _has_content(database) else 0


def refuse_lost(database: Path, shown: str) -> None:
    """Raise Integrity for a store whose database is gone, or empty, although commits were made to it."""
    commits = committed_to(database)
    if commits:
        what = "is empty" if database.exists() else "is gone"
        raise Integrity(
            f"{shown} {what}, but {commits:,} commits were made to it before.",
            code="lost_store",
            hint=f"Nothing was changed. Restore a backup with `retoma store restore FILE`, "
            f"or remove {witness.beside(database)} to start a new store.",
        )


def _has_content(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def forget_witness(database: Path | None) -> None:
    """Let the witness begin anew with the next commit: what it has seen beyond the store is gone for good."""
    path = witness.beside(database) if database else None
    if path is not None and path.exists():
        # Another process may have it open: it goes on in the same file, which is empty now.
        os.truncate(path, 0)


def sync(path: Path) -> None:
    """Bring a file, or the names in a directory, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _opened(file: Path, flags: int, *, immutable: bool = False) -> Iterator[apsw.Connection]:
    name = str(file)
    if immutable:
        name = f"{file.resolve().as_uri()}?immutable=1"
        flags |= apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(name, flags=flags)
    try:
        connection.set_busy_timeout(10_000)
        yield connection
    finally:
        connection.close()


def _schema(run: Run) -> list[tuple[str, str]]:
    rows = run("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    return [(name, " ".join(str(sql).split())) for name, sql in rows]


@lru_cache(maxsize=1)
def _expected() -> list[tuple[str, str]]:
    """Return the schema as the migrations make it. To make it takes longer than the rest of a small store's check."""
    connection = apsw.Connection(":memory:")
    try:
        for step in migrate.migrations("sqlite"):
            connection.execute(step.text).fetchall()
        return _schema(lambda statement, values=(): connection.execute(statement, values).fetchall())
    finally:
        connection.close()


class SqliteFiles:
    """Files of stores that nobody has open. What goes wrong is raised as by a store."""

    def copy_of(self, file: Path, target: Path) -> None:
        with Translated(str(file)):
            copy_of(file, target)

    def begin_anew(self, file: Path, store_id: bytes) -> None:
        with Translated(str(file)):
            begin_anew(file, store_id)

    def companions(self, file: Path) -> tuple[Path, ...]:
        """Return what belongs to the database at `file`: its log, the log's index, its witness."""
        return tuple(file.with_name(file.name + end) for end in ("-wal", "-shm", witness.SUFFIX))

    @contextlib.contextmanager
    def held(self, file: Path) -> Iterator[None]:
        """Hold the write lock of the store at `file`. Raises Unavailable when somebody writes to it."""
        handle = os.open(file.with_name("write.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Unavailable(
                f"Another process is writing to {file}.",
                code="write_lock",
                hint="Nothing was changed. First end the processes that use the store.",
            ) from None
        finally:
            os.close(handle)
