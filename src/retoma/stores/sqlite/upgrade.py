"""How a file gets the tables of this format. An older store is copied first, and upgraded in one transaction."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import apsw

from retoma.errors import Unavailable
from retoma.stores.sql import migrate
from retoma.stores.sql.migrate import FORMAT, Migration, Upgraded, Upgrades
from retoma.stores.sql.statements import STATEMENTS
from retoma.stores.sqlite import upkeep as sqlite_upkeep
from retoma.stores.sqlite.connection import APPLICATION_ID, Connection
from retoma.stores.sqlite.errors import translate
from retoma.stores.sqlite.scrub import clear

_WAIT_MS = 1_000
"""How long the upgrade waits for readers before it leaves the unused space to the next writer."""


def bring_up_to_date(
    connection: Connection,
    path: Path | None,
    shown: str,
    upgrades: Upgrades | None,
    *,
    now: Callable[[], int],
    random: Callable[[int], bytes],
) -> Upgraded | None:
    """Apply the steps that the file lacks, all or none. Only for whoever holds the write lock.

    Return what was upgraded; None for a new store, and for one that has this format. Raises Unavailable for an older
    store that is given no `upgrades`, or whose copy cannot be kept: then nothing was changed.
    """
    run = connection.run
    made = run("SELECT 1 FROM sqlite_schema WHERE name = 'migration'")
    applied = [(v, c) for v, c in run("SELECT version, checksum FROM migration")] if made else []
    steps = migrate.pending(migrate.migrations("sqlite"), applied, shown)
    if not steps:
        return None
    before: int = max((version for version, _ in applied), default=0)
    if not before:
        _transaction(connection, steps, 0, None, now=now, random=random)
        return None
    if upgrades is None:
        raise migrate.older_store(before, shown)
    kept = _keep(connection.handle, path, before, shown) if path is not None and upgrades.keeps else None
    repaired = _transaction(connection, steps, before, upgrades, now=now, random=random)
    # Where readers are in the way, the next writer does it: the transaction has the mark.
    zeroed = None
    if path is not None:
        # The upgrade is committed: an error here must not say that it was not.
        with contextlib.suppress(apsw.Error, OSError):
            zeroed = clear(connection, wait_ms=_WAIT_MS)
    return Upgraded(shown, before, repaired, kept, zeroed.size_bytes if zeroed else None)


def _transaction(
    connection: Connection,
    steps: Sequence[Migration],
    before: int,
    upgrades: Upgrades | None,
    *,
    now: Callable[[], int],
    random: Callable[[int], bytes],
) -> int:
    """Apply the steps, and repair what a store of the format `before` may hold; return how many rows were repaired."""
    connection.run("BEGIN IMMEDIATE")
    try:
        for step in steps:
            _apply(connection, step, now(), random)
        connection.transaction.now = now()
        repaired = upgrades.repair(connection.transaction, before) if upgrades is not None else 0
        if before:
            # Erasures by an earlier format left copies in the file's unused space.
            connection.run(STATEMENTS["mark_erasing"])
        connection.run("COMMIT")
    except BaseException:
        connection.roll_back()
        raise
    return repaired


def _apply(connection: Connection, step: Migration, at: int, random: Callable[[int], bytes]) -> None:
    for _ in connection.handle.execute(step.text):
        pass
    values = (step.version, step.name, step.checksum, at)
    connection.run("INSERT INTO migration (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)", values)
    if step.version == 1:
        new = (random(16), at, b"\0" * 32)
        connection.run(
            "INSERT INTO store (only_row, id, created_at, counter, rolling) VALUES (1, ?, ?, 0, ?)", new
        )
    connection.run(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.run(f"PRAGMA user_version = {step.version}")


def _keep(source: apsw.Connection, path: Path, version: int, shown: str) -> Path:
    """Copy the store as it is to a file beside it, for its owner alone; return that. One that is there already will do.

    Raises Unavailable when it cannot be written.
    """
    kept = _free_or_same(source, path, version)
    if kept.exists():
        return kept
    # One name, so that what an upgrade that was killed left is written over by the next one.
    partial = kept.with_name(f".{kept.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            sqlite_upkeep.backup(source, partial, None)
            partial.rename(kept)
        finally:
            for end in ("", "-journal", "-wal", "-shm"):
                partial.with_name(partial.name + end).unlink(missing_ok=True)
        sqlite_upkeep.sync(kept.parent)
    except (apsw.Error, OSError) as error:
        raise Unavailable(
            f"The store {shown} has format {version} and was not upgraded to {FORMAT}: a copy of the file, "
            f"{kept}, could not be written.",
            code="no_copy",
            hint=f"Nothing was changed. {translate(error, str(kept)).message} The copy needs "
            f"{path.stat().st_size:,} bytes in a directory that you may write to.",
        ) from error
    return kept


def _free_or_same(source: apsw.Connection, path: Path, version: int) -> Path:
    """Return the name for the copy: the first that no file has, or that a copy of the same commits has."""
    for number in count(1):
        end = f"-{number}" if number > 1 else ""
        kept = path.with_name(f"{path.stem}.format-{version}{end}{path.suffix}")
        if not os.path.lexists(kept):
            return kept
        # A pipe of that name would wait for ever.
        if kept.is_file() and not kept.is_symlink() and sqlite_upkeep.same_commits(source, kept):
            return kept
    raise AssertionError("there is always a number more")
