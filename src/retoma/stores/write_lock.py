"""The lock between processes: who writes holds it. SQLite's own busy handler kept one of nine writers waiting 3 s.

The system says nothing of who comes first, and a process that writes without a pause would take the lock again before
any other woke up. So there is a second file, on which all who wait hold a shared lock. Whoever has written for 5 ms
without waiting asks there whether somebody waits, and then waits too. Who waits tries the more often the longer it has
waited. Both locks go with the process that holds them.
"""

from __future__ import annotations

import os
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock
from pathlib import Path
from time import monotonic, sleep

from retoma.errors import Unavailable

WAIT_S = 10.0
TURN_S = 0.005
_SELDOM_S, _OLD_S = 0.005, 0.03
_TRY = LOCK_EX | LOCK_NB


class WriteLock:
    """A lock on the file at `path`, for the store shown as `shown`."""

    def __init__(self, path: Path, shown: str) -> None:
        self._shown = shown
        self._file = _opened(path)
        self._waiting = _opened(path.with_suffix(".queue"))
        self._turn_ends = 0.0

    def acquire(self) -> None:
        """Take the lock. Raises Unavailable when that takes longer than 10 seconds."""
        if monotonic() > self._turn_ends and self._somebody_waits():
            self._wait()
            return
        try:
            flock(self._file, _TRY)
        except BlockingIOError:
            self._wait()

    def release(self) -> None:
        """Let the lock go, if it is held."""
        flock(self._file, LOCK_UN)

    def close(self) -> None:
        """Close the files."""
        os.close(self._file)
        os.close(self._waiting)

    def _somebody_waits(self) -> bool:
        try:
            flock(self._waiting, _TRY)
        except BlockingIOError:
            return True
        flock(self._waiting, LOCK_UN)
        self._turn_ends = monotonic() + TURN_S
        return False

    def _wait(self) -> None:
        flock(self._waiting, LOCK_SH)
        try:
            began = monotonic()
            while True:
                waited = monotonic() - began
                if waited > WAIT_S:
                    raise Unavailable(
                        f"Another process has been writing to {self._shown} for {WAIT_S:.0f} seconds.",
                        code="write_lock",
                        hint="Nothing was written. See who holds write.lock beside it, then try again.",
                    )
                sleep(_SELDOM_S / (1 + (waited / _OLD_S) ** 3))
                try:
                    flock(self._file, _TRY)
                except BlockingIOError:
                    continue
                self._turn_ends = monotonic() + TURN_S
                return
        finally:
            flock(self._waiting, LOCK_UN)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
