"""The search index kept up: behind a command that wrote, and in the pauses of a process that goes on writing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from retoma.errors import RetomaError
from retoma.model.principal import Principal
from retoma.service.search.behind import due
from retoma.stores.contract.store import Store

__all__ = ["Indexer", "index"]

_TAKING_S: Final = 0.008
"""So long a step takes events; then it makes of them what goes into the index."""
_SLICE_S: Final = 0.02
_PAUSE_S: Final = 0.5
_OF_A_STEP: Final = 2
"""So many transactions a step commits at most; more are of others."""


def index(store: Store, who: Principal, *, over: Callable[[], bool]) -> None:
    """Bring the index up to date, step by step, until nothing is due or it is `over`."""
    if who.role == "read" or not store.read(lambda tx: due(tx, who)):
        return
    while not over() and _step(store, who):
        pass


class Indexer:
    """A thread that looks twice a second whether something was written, and does what is due for the index then.

    While the process writes, it works for 20 ms and pauses again; when nobody wrote for a pause, it goes on to the end.
    So who writes is not held up, and nothing is asked of them. `pause` waits, and returns True when it is to end.
    """

    def __init__(self, store: Store, who: Principal, *, pause: Callable[[float], bool] | None = None) -> None:
        self._store = store
        self._who = who
        self._ended = threading.Event()
        self._pause = pause or self._ended.wait
        self._thread = threading.Thread(target=self._run, name="retoma-index", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, after the step it is at. Nothing is lost: the next one goes on from there."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        seen = done = self._store.writes
        while not self._pause(_PAUSE_S):
            writes = self._store.writes
            busy, seen = writes != seen, writes
            if writes != done:
                done = self._worked(busy=busy)
                seen = self._store.writes  # the steps write, too

    def _worked(self, *, busy: bool) -> int:
        """Work for a slice, or to the end while nobody writes; return `writes` at the end, -1 when there is more."""
        end = time.monotonic() + _SLICE_S
        try:
            while not self._ended.is_set():
                before = self._store.writes
                if not _step(self._store, self._who):
                    return self._store.writes
                busy = busy or self._store.writes - before > _OF_A_STEP
                if busy and time.monotonic() >= end:
                    break
        except RetomaError:
            pass  # whoever needs the store next says what is wrong
        return -1


def _step(store: Store, who: Principal) -> bool:
    from retoma.service.search.indexing import step

    end = time.monotonic() + _TAKING_S
    return step(store, who, enough=lambda: time.monotonic() >= end)
