"""The witness: how far a store's commits had come, kept outside the database.

SQLite drops the tail of a damaged write-ahead log and says "ok", and the sessions' own rows go with it. So each commit
moves one (counter, rolling hash) of the whole store, in the table `store` and, after COMMIT returned, in this file
beside the database, `retoma.db-witness`. It is never synced: it may lag behind the store, and never be ahead of it. A
witness of the same store that is ahead says that committed transactions are gone.

    rolling = BLAKE3(rolling before ‖ counter ‖ each head that was moved, as it was moved)
    head    = session key (8 bytes) ‖ seq (8) ‖ hash (32)

The file is three slots of 76 bytes at 0, 4096 and 8192. Integers are big-endian, and 0 where nothing was written:

    magic b"RTMAwit1" (8) ‖ store id (16) ‖ counter (8) ‖ rolling (32) ‖ 8 zero bytes ‖ CRC-32 of all before it (4)

Slots 0 and 1 take turns, by the counter's last bit, so that one torn in a crash leaves the other. Slot 2 is evidence: a
process that begins to write, and finds the file ahead of the store, keeps there what the file said before it goes on.

A store that was copied away without this file has no witness; one that was restored has another id, and the file says
which store it belongs to. The file can be deleted: the next commit makes it anew.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from blake3 import blake3

from retoma.errors import Integrity
from retoma.stores.sql.statements import STATEMENTS, Run

SUFFIX = "-witness"
GENESIS = bytes(32)
"""The rolling hash of a store without commits."""

_MAGIC = b"RTMAwit1"
_SLOT = struct.Struct(">8s16sQ32s8x")
_CHECKSUM = struct.Struct(">I")
_HEAD = struct.Struct(">QQ32s")
_COUNTER = struct.Struct(">Q")
_APART = 4096
_EVIDENCE = 2
_COUNT = STATEMENTS["count_commit"]


class Witness(NamedTuple):
    """What was committed: `counter` commits of the store `store`, and the hash over them."""

    store: bytes
    counter: int
    rolling: bytes


def beside(database: Path) -> Path:
    """Return where the witness of `database` is."""
    return database.with_name(database.name + SUFFIX)


def read(path: Path) -> Witness | None:
    """Return the newest that was written to the file at `path`; None without one, or without a whole slot."""
    found = [slot for slot in _slots(path)[:_EVIDENCE] if slot]
    return max(found, key=lambda slot: slot.counter) if found else None


def evidence(path: Path) -> Witness | None:
    """Return what the file said when it was found ahead of its store, and the store went on nevertheless."""
    return _slots(path)[_EVIDENCE]


packed_head = _HEAD.pack
"""Return a moved head, (session key, seq, hash), as it goes into the rolling hash."""


def rolled(before: bytes, counter: int, heads: list[bytes]) -> bytes:
    """Return the rolling hash of commit `counter`, which moved `heads`."""
    return blake3(b"".join((before, _COUNTER.pack(counter), *heads))).digest()


class Writer:
    """Writes the witness of one store. Only for whoever holds the store's write lock.

    A file that cannot be written fails nothing: `error` says why, and the next commit tries again.
    """

    def __init__(self, path: Path, store: bytes) -> None:
        self.error: OSError | None = None
        self.store = store
        self._path = path
        self._file: int | None = None

    def put(self, counter: int, slot: bytes) -> None:
        """Say that commit `counter` is in the store, with what `packed` made of it. Call it after COMMIT returned."""
        try:
            if self._file is None:
                self._file = self._opened(counter)
            os.pwrite(self._file, slot, (counter & 1) * _APART)
            self.error = None
        except OSError as error:
            self.error = error

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    def _opened(self, counter: int) -> int:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            slots = _read(file)
            if any(slot and slot.store != self.store for slot in slots):
                os.ftruncate(file, 0)
            else:
                known = [slot for slot in slots if slot]
                newest = max(known, key=lambda slot: slot.counter) if known else None
                if newest and newest.counter >= counter:
                    os.pwrite(file, packed(*newest), _EVIDENCE * _APART)
        except BaseException:
            os.close(file)
            raise
        return file


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
                "The store has lost its own id: the row is missing.",
                code="damaged_store",
                hint="Nothing was changed. Restore a backup.",
            )
        store, self._counter, self._rolling, erasing = rows[0]
        self.erasing = bool(erasing)
        if store != self._store:
            self.close()
            self._store = store


def packed(store: bytes, counter: int, rolling: bytes) -> bytes:
    """Return what the file says once commit `counter` of `store` is in it."""
    slot = _SLOT.pack(_MAGIC, store, counter, rolling)
    return slot + _CHECKSUM.pack(crc32(slot))


def _slots(path: Path) -> list[Witness | None]:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return [None, None, None]
    try:
        return _read(file)
    finally:
        os.close(file)


def _read(file: int) -> list[Witness | None]:
    return [
        _unpacked(os.pread(file, _SLOT.size + _CHECKSUM.size, slot * _APART)) for slot in range(_EVIDENCE + 1)
    ]


def _unpacked(data: bytes) -> Witness | None:
    slot, checksum = data[: _SLOT.size], data[_SLOT.size :]
    if len(checksum) != _CHECKSUM.size or _CHECKSUM.unpack(checksum) != (crc32(slot),):
        return None
    magic, store, counter, rolling = _SLOT.unpack(slot)
    return Witness(store, counter, rolling) if magic == _MAGIC else None
