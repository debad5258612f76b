"""Row 1: one message appended, durable, by one caller; against the same bytes put in by hand."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import apsw

from benchmarks.harness import Figure, Run, Watch, emptied, interleaved
from benchmarks.stores import MESSAGE, SESSION, TEXT, opened, place_in
from retoma.stores.sql.migrate import migrations

ROW = 1
_WARM = 50

_INSERT = """INSERT INTO event (k, type, at, actor, cause, operation, request, salt, data, blob, digest, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_UPDATE = "UPDATE session SET head_seq = ?, head_hash = ?, messages = ?, updated_at = ? WHERE pk = ?"
_SESSION = """INSERT INTO session (pk, tenant, id, uid, status, epoch, epoch_seq, head_seq, head_hash, created_at,
updated_at, listed_at) VALUES (1, 1, ?, ?, 'active', 1, 1, 0, ?, ?, ?, ?)"""


def measure(run: Run) -> list[Figure]:
    """Measure processor time in memory and rate on disk, and count what one append does."""
    count = run.scale.appends
    in_memory = [partial(arm, run.memory / "append", count) for arm in (ours, raw, keyed)]
    free, bare, with_key = interleaved(run.rounds, *in_memory)
    on_disk = [partial(arm, run.disk / "append", count) for arm in (ours, raw)]
    kept, plain = interleaved(run.rounds, *on_disk)
    counted = count_one(emptied(run.memory / "counted"))
    cpu = [1e6 * watch.cpu_s / count for watch in bare]
    return [
        Figure(ROW, "append, CPU, in memory", "µs", [1e6 * w.cpu_s / count for w in free], cpu, 1.6),
        Figure(ROW, "the same with an idempotency key", "µs", [1e6 * w.cpu_s / count for w in with_key], cpu),
        Figure(
            ROW,
            "append, rate, on disk",
            "/s",
            [count / w.wall_s for w in kept],
            [count / w.wall_s for w in plain],
            0.85,
            at_least=True,
        ),
        Figure(ROW, "statements of one append", "", [len(counted.statements)], target=8),
        Figure(ROW, "syncs of one append", "", [counted.syncs], target=1),
    ]


def ours(directory: Path, count: int, *, key: str | None = None) -> Watch:
    """Append `count` messages through an open client."""
    with opened(place_in(emptied(directory))) as client:
        append = client.create(SESSION).append
        for n in range(_WARM):
            append("user", TEXT, key=key and f"warm {key} {n}")
        watch = Watch()
        if key is None:
            with watch:
                for _ in range(count):
                    append("user", TEXT)
        else:
            with watch:
                for n in range(count):
                    append("user", TEXT, key=f"{key} {n}")
    return watch


def keyed(directory: Path, count: int) -> Watch:
    """Append `count` messages, each under an idempotency key of the caller's."""
    return ours(directory, count, key="key")


def raw(directory: Path, count: int) -> Watch:
    """Put in the same bytes with Python's sqlite3: the same tables and indexes, one commit each, WAL and FULL."""
    with closing(sqlite3.connect(emptied(directory) / "raw.db", isolation_level=None)) as connection:
        execute = connection.cursor().execute
        raw_store(execute, connection.executescript)
        chance = random.Random(1)
        operations = [chance.randbytes(10) for _ in range(_WARM + count)]
        put_by_hand(execute, operations[:_WARM], 1)
        with Watch() as watch:
            put_by_hand(execute, operations[_WARM:], _WARM + 1)
    return watch


def raw_store(execute: Callable[..., object], script: Callable[[str], object]) -> None:
    """Make the tables and one session."""
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    for step in migrations("sqlite"):
        script(step.text)
    now = _now()
    execute(_SESSION, (SESSION, b"u" * 16, b"h" * 32, now, now, now))


def put_by_hand(execute: Callable[..., object], operations: list[bytes], seq: int) -> None:
    """Put in a message for each of `operations`, from `seq` on, one commit each."""
    salt, hashed = b"s" * 16, b"h" * 32
    for chance in operations:
        now = _now()
        operation = now.to_bytes(6, "big") + chance
        row = (
            1 << 32 | seq,
            "message",
            now,
            "local",
            None,
            operation,
            None,
            salt,
            MESSAGE,
            None,
            hashed,
            hashed,
        )
        execute("BEGIN IMMEDIATE")
        execute(_INSERT, row)
        execute(_UPDATE, (seq, hashed, seq, now, 1))
        execute("COMMIT")
        seq += 1


def _now() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Counted:
    """What SQLite was asked to do."""

    statements: list[str] = field(default_factory=list)
    syncs: int = 0


def count_one(directory: Path) -> Counted:
    """Return the statements and syncs of one append to a session that has some messages."""
    with counting() as counted, opened(place_in(directory)) as client:
        append = client.create(SESSION).append
        for _ in range(3):
            append("user", TEXT)
        counted.statements.clear()
        counted.syncs = 0
        append("user", TEXT)
        return Counted(list(counted.statements), counted.syncs)


@contextmanager
def counting() -> Iterator[Counted]:
    """Count the statements and syncs of every connection that is opened inside."""
    counted = Counted()
    base = apsw.vfs_names()[0]

    class File(apsw.VFSFile):
        def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
            counted.syncs += 1
            super().xSync(flags)

    class System(apsw.VFS):
        def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> File:  # noqa: N802 - apsw's name
            return File(base, name, flags)

    def traced(_: apsw.Cursor, statement: str, __: object) -> bool:
        counted.statements.append(statement)
        return True

    def hook(connection: apsw.Connection) -> None:
        connection.exec_trace = traced

    system = System("retoma-counting", base, makedefault=True)
    apsw.connection_hooks.append(hook)
    try:
        yield counted
    finally:
        apsw.connection_hooks.remove(hook)
        system.unregister()
