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


class WriteLock:
    """A lock on the file at `path`, for the store shown as `shown`."""

    def __init__(self, path: Path, shown: str) -> None:
        self._shown = shown
        self.file = _opened(path)
        self._waiting = _opened(path.with_suffix(".queue"))
        self._turn_ends = 0.0

    def acquire(self) -> None:
        """Take the lock. Raises Unavailable when that takes longer than 10 seconds."""
        if monotonic() > self._turn_ends and self._somebody_waits():
            self._wait()
            return
        try:
            flock(self.file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            self._wait()

    def release(self) -> None:
        """Let the lock go, if it is held."""
        flock(self.file, LOCK_UN)

    def close(self) -> None:
        """Close the files."""
        os.close(self.file)
        os.close(self._waiting)

    def _somebody_waits(self) -> bool:
        if not _taken(self._waiting, LOCK_EX):
            return True
        flock(self._waiting, LOCK_UN)
        self._turn_ends = monotonic() + TURN_S
        return False

    def _wait(self) -> None:
        began, shown = monotonic(), False
        try:
            while (waited := monotonic() - began) < WAIT_S:
                # Only a glance of somebody who asks can be in the way here: then it is shown at the next try.
                shown = shown or _taken(self._waiting, LOCK_SH)
                sleep(_SELDOM_S / (1 + (waited / _OLD_S) ** 3))
                if _taken(self.file, LOCK_EX):
                    self._turn_ends = monotonic() + TURN_S
                    return
        finally:
            flock(self._waiting, LOCK_UN)
        raise Unavailable(
            f"Another process has been writing to {self._shown} for {WAIT_S:.0f} seconds.",
            code="write_lock",
            hint="Nothing was written. Find the process that holds write.lock beside the store, then run "
            "the command again.",
        )


def _taken(file: int, kind: int) -> bool:
    try:
        flock(file, kind | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
