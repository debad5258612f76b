"""The lock between processes: who writes holds it. SQLite's own busy handler kept one of nine writers waiting 3 s."""

from __future__ import annotations

import os
import time
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path

from retoma.errors import Unavailable

WAIT_S = 10.0
_TRY = LOCK_EX | LOCK_NB


class WriteLock:
    """A lock on the file at `path`, for the store shown as `shown`. It goes with the process that holds it."""

    def __init__(self, path: Path, shown: str) -> None:
        self._shown = shown
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def acquire(self) -> None:
        """Take the lock. Raises Unavailable when that takes longer than 10 seconds."""
        try:
            flock(self._file, _TRY)
        except BlockingIOError:
            self._wait()

    def release(self) -> None:
        """Let the lock go, if it is held."""
        flock(self._file, LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _wait(self) -> None:
        deadline = 0.0
        while True:
            try:
                flock(self._file, _TRY)
            except BlockingIOError:
                deadline = deadline or time.monotonic() + WAIT_S
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"Another process has been writing to {self._shown} for {WAIT_S:.0f} seconds.",
                        code="write_lock",
                        hint="Nothing was written. See who holds write.lock beside it, then try again.",
                    ) from None
                time.sleep(0.0005)
            else:
                return
