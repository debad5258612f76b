"""A disk that fails when it is told to: SQLite's own files, seen through a VFS that counts and refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw


class Disk(apsw.VFS):
    """Counts writes and syncs. The `fail_at`th fails, with `stays` all after it, too; over `room` bytes it is full."""

    def __init__(self, *, fail_at: int = 0, stays: bool = False, room: int | None = None) -> None:
        self.count = 0
        self.written = 0
        self.failed = 0
        self.fail_at = fail_at
        self.stays = stays
        self.room = room
        super().__init__("faulty", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: Any) -> _File:
        return _File(self, name, flags)

    def meets(self) -> None:
        """Count one write or sync, or fail it."""
        self.count += 1
        if self.fail_at and (self.count == self.fail_at or (self.stays and self.count > self.fail_at)):
            self.failed += 1
            raise apsw.IOError("the disk failed, as it was told to")

    def takes(self, size: int) -> None:
        """Let a file grow by `size` bytes, or be full."""
        self.written += size
        if self.room is not None and self.written > self.room:
            self.written -= size
            self.failed += 1
            raise apsw.FullError("the disk is full, as it was told to be")


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: Any) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.meets()
        self._disk.takes(max(0, offset + len(data) - self.xFileSize()))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.meets()
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:
        self._disk.meets()
        self._disk.written -= max(0, self.xFileSize() - size)
        super().xTruncate(size)


@contextmanager
def failing(**how: Any) -> Iterator[Disk]:
    """Make every database that is opened meanwhile lie on such a disk."""
    disk = Disk(**how)
    try:
        yield disk
    finally:
        disk.unregister()
