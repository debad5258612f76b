"""Idle connections, lent to one caller at a time, and never more than the server was promised."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from retoma.errors import Unavailable
from retoma.stores.postgres.connection import Wire

MOST = 16
"""Connections of each kind, for a process: PostgreSQL allows 100 in all, unless told otherwise."""


class Pool:
    """Connections that `open_one` makes. The one given back last is lent first, so those not needed stay idle."""

    def __init__(self, open_one: Callable[[], Wire], shown: str, *, patience_s: float) -> None:
        self._open = open_one
        self._shown = shown
        self._patience_s = patience_s
        self._free = threading.BoundedSemaphore(MOST)
        self._idle: list[Wire] = []

    @contextmanager
    def lent(self) -> Iterator[Wire]:
        """Lend a connection. One that comes back in a transaction, or broken, is closed, and so are the idle ones:
        whatever broke it broke them.
        """
        if not self._free.acquire(timeout=self._patience_s):
            raise Unavailable(
                f"All {MOST} connections of this process to {self._shown} are in use.",
                code="busy_store",
                hint="Nothing was written. Run the command again.",
            )
        try:
            try:
                wire = self._idle.pop()
            except IndexError:
                wire = self._open()
            try:
                yield wire
            finally:
                if wire.usable:
                    self._idle.append(wire)
                else:
                    wire.close()
                    self.close()
        finally:
            self._free.release()

    def add(self, wire: Wire) -> None:
        """Take a connection that was made elsewhere."""
        self._idle.append(wire)

    def close(self) -> None:
        """Close what is idle."""
        idle, self._idle = self._idle, []
        for wire in idle:
            wire.close()
