"""The search index kept up: behind a command that wrote, and in the pauses of a process that goes on writing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from retoma.errors import RetomaError
from retoma.model.principal import Principal
from retoma.service.search.behind import due
from retoma.stores.contract.store import Store

__all__ = ["PAUSE_S", "Indexer", "index"]

_SLICE_S: Final = 0.02
PAUSE_S: Final = 0.5


def index(store: Store, who: Principal, *, over: Callable[[], bool]) -> None:
    """Bring the index up to date, step by step, until nothing is due or it is `over`."""
    if who.role == "read" or not store.read(lambda tx: due(tx, who)):
        return
    while not over() and _step(store, who):
        pass


class Indexer:
    """Looks twice a second whether something was written, and does what is due for the index then.

    While the process writes, it works for 20 ms and pauses again; when nobody wrote for a pause, it goes on to the end.
    So who writes is not held up, and nothing is asked of them.
    """

    def __init__(self, store: Store, who: Principal) -> None:
        self._store = store
        self._who = who
        self._seen = self._done = store.writes

    def work(self) -> float:
        """Work for a slice, if anything is due; return in how many seconds to do so again.

        Nothing is lost where it is not called again: the next one goes on from there.
        """
        store = self._store
        busy, self._seen = store.writes != self._seen, store.writes
        if store.writes == self._done:
            return PAUSE_S
        end, more = time.monotonic() + _SLICE_S, True
        try:
            while more:
                before = store.writes
                more = _step(store, self._who)
                busy = busy or store.writes - before > 1  # a step commits one transaction
                if time.monotonic() >= end:
                    break
        except RetomaError:
            busy = True  # whoever needs the store next says what is wrong
        self._seen = store.writes  # the steps write, too
        self._done = -1 if more else self._seen
        return PAUSE_S if busy or not more else 0.0


def _step(store: Store, who: Principal) -> bool:
    from retoma.service.search.indexing import step

    return step(store, who)
