"""The one thread of a process that works beside what it does: it renews leases, and keeps the search index."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import TypeAlias

Job: TypeAlias = Callable[[], float | None]
"""Does a short piece of work, and returns in how many seconds it is to be called again; None: never."""


class Supervisor:
    """Runs jobs, one at a time, the one that is due first. Its thread is there as long as it has jobs."""

    def __init__(self) -> None:
        self._due: dict[Job, float] = {}
        self._changed = threading.Condition()
        self._running: Job | None = None
        self._thread: threading.Thread | None = None

    def add(self, job: Job, seconds: float) -> None:
        """Run `job` in so many seconds for the first time."""
        with self._changed:
            self._due[job] = monotonic() + seconds
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="retoma-beside", daemon=True)
                self._thread.start()

    def remove(self, job: Job) -> None:
        """Run `job` no more; return when it is not running any more, and its thread has ended with the last job."""
        with self._changed:
            self._due.pop(job, None)
            self._changed.notify_all()
            while self._running == job or (self._thread is not None and not self._due):
                self._changed.wait()

    def _run(self) -> None:
        with self._changed:
            while self._due:
                job = min(self._due, key=self._due.__getitem__)
                if (seconds := self._due[job] - monotonic()) > 0:
                    self._changed.wait(seconds)
                    continue
                self._running = job
                self._changed.release()
                again = None
                try:
                    again = job()
                except Exception:
                    # A mistake in one job must not end the others: a lease that nobody renews is lost.
                    sys.excepthook(*sys.exc_info())
                finally:
                    self._changed.acquire()
                    self._running = None
                    self._changed.notify_all()
                if again is None:
                    self._due.pop(job, None)
                elif job in self._due:
                    self._due[job] = monotonic() + again
            self._thread = None
            self._changed.notify_all()
