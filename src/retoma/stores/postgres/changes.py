"""Wake-ups between processes on PostgreSQL: one connection of a process listens, and a notice follows its writes.

NOTIFY in a transaction makes commits wait for each other, so it has one of its own, a moment after the first write that
nobody was told of. All stores of a database share the channel: a wake-up carries nothing, and may come for nothing.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final

import psycopg

from retoma.errors import RetomaError
from retoma.stores.postgres.connection import connect
from retoma.stores.postgres.statements import own
from retoma.stores.sql.changes import Listener, Listeners
from retoma.stores.sql.statements import Row

_GATHERED_S, _APART_S = 0.002, 0.05
"""How long the writes of a process are gathered for one notice, and how far the notices of one that goes on writing are
apart: each costs as much as a write.
"""
_AGAIN_MS: Final = 1_000
"""How often a connection that was lost is made again."""


class PostgresChanges:
    """The wake-ups of the database at `url`. `notify` sends a notice, over a connection that writes."""

    def __init__(self, url: str, notify: Callable[[], object]) -> None:
        self._url = url
        self._notify = notify
        self._timer: threading.Timer | None = None
        self._told_at = 0.0
        self._sending = threading.Lock()
        self._closed = False
        self._here = Listeners()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ends: Listener | None = None

    # Who writes

    def wrote(self) -> None:
        """Say that something was committed: who listens is told in a moment."""
        if self._timer is None:
            quiet = monotonic() - self._told_at > _APART_S
            self._timer = timer = threading.Timer(_GATHERED_S if quiet else _APART_S, self._tell)
            timer.daemon = True
            timer.start()

    def _tell(self) -> None:
        self._told_at = monotonic()
        self._timer = None  # before it is told: what is committed from here on is told by the next
        with self._sending, suppress(psycopg.Error, RetomaError, OSError):
            if not self._closed:
                self._notify()

    # Who listens

    def listen(self) -> Listener:
        """Return a new listener; where the server cannot be listened to, one that nobody wakes."""
        with self._changing:
            if self._thread is None:
                try:
                    handle = _listening(self._url)
                except psycopg.Error:
                    return self._here.add_pair(prompt=False)
                self._ends = Listeners().add_pair(prompt=True)
                self._thread = threading.Thread(
                    target=self._run, args=(handle, self._ends), name="retoma-listen", daemon=True
                )
                self._thread.start()
            return self._here.add_pair(prompt=True)

    def close(self) -> None:
        """Send the notice that waits, wake the listeners of this object and listen no more."""
        timer = self._timer
        if timer is not None:
            timer.cancel()
            timer.join()
            self._tell()
        with self._sending:
            self._closed = True
        with self._changing:
            thread, self._thread = self._thread, None
        if thread is not None and self._ends is not None:
            self._ends.wake()
            thread.join()
            self._ends.close()
        self._here.wake()

    def _run(self, handle: psycopg.Connection[Row] | None, ends: Listener) -> None:
        """Wake the listeners of this process at each notice, until it `ends`."""
        while True:
            ready = select.poll()
            ready.register(ends, select.POLLIN)
            if handle is not None:
                ready.register(handle, select.POLLIN)
            told = ready.poll(None if handle is not None else _AGAIN_MS)
            if any(file == ends.fileno() for file, _ in told):
                break
            try:
                if handle is None:
                    handle = _listening(self._url)
                else:
                    handle.pgconn.consume_input()
                    while handle.pgconn.notifies() is not None:
                        pass
            except psycopg.Error:
                if handle is not None:
                    handle.close()
                handle = None
            self._here.wake()
        if handle is not None:
            handle.close()


def _listening(url: str) -> psycopg.Connection[Row]:
    handle = connect(url)
    try:
        handle.execute(own("listen").text.encode())
    except BaseException:
        handle.close()
        raise
    return handle
