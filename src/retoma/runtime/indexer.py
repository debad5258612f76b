"""The search index kept up with a process that writes: on a thread, in the pauses, and a little at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from retoma.errors import RetomaError
from retoma.model.principal import Principal
from retoma.service.behind import ENOUGH, due
from retoma.stores.api import Store

__all__ = ["Indexer"]

SLICE_S: Final = 0.02
"""So long a command that wrote goes on at most."""
_TAKING_S: Final = 0.008
"""So long a step takes events; then it makes of them what goes into the index."""
_PAUSE_S: Final = 0.5


class Indexer:
    """Does what is due for the index of `store` after so many writes, and when it is closed.

    Whoever writes calls `wrote`, which costs an addition. The thread begins with the first wake-up. While the process
    writes, it takes one step in each pause; when nobody wrote for so long, it goes on to the end. `pause` waits, and
    returns True when the indexer is to end.
    """

    def __init__(self, store: Store, who: Principal, *, pause: Callable[[float], bool] | None = None) -> None:
        self._store = store
        self._who = who
        self._writes = 0
        self._wake_at = ENOUGH
        self._ended = threading.Event()
        self._pause = pause or self._ended.wait
        self._thread: threading.Thread | None = None

    def wrote(self) -> None:
        """Say that something was written that can be searched."""
        self._writes += 1
        if self._writes >= self._wake_at:
            self._wake_at = self._writes + ENOUGH
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="retoma-index", daemon=True)
                self._thread.start()

    def work(self, most_s: float = SLICE_S) -> None:
        """Take steps until nothing is due, or for so long."""
        if not self._store.read(lambda tx: due(tx, self._who)):
            return
        end = time.monotonic() + most_s
        while time.monotonic() < end and self._step():
            pass

    def close(self) -> None:
        """End the thread, and do a little of what is due. Nothing is lost: the next one goes on from there."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._writes:
            # What was written is safe, and what is wrong is said by whatever needs the store next.
            with suppress(RetomaError):
                self.work()

    def _run(self) -> None:
        try:
            seen = -1
            while not self._pause(_PAUSE_S):
                busy, seen = self._writes != seen, self._writes
                while (
                    (more := self._step()) and not busy and self._writes == seen and not self._ended.is_set()
                ):
                    pass
                if not more and not busy:
                    return
        except RetomaError:
            return  # begun again by the next wake-up

    def _step(self) -> bool:
        from retoma.service.indexing import step

        end = time.monotonic() + _TAKING_S
        return step(self._store, self._who, enough=lambda: time.monotonic() >= end)
