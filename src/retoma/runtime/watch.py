"""A flow's directory, watched by a thread of its own while a session runs it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from retoma.errors import RetomaError
from retoma.flows import Directory
from retoma.runtime.reload import Found, Settling

SETTLED_S = 0.1
"""Two looks so far apart that agree see files that nobody is writing any more."""

# The system does not tell what another machine writes, nor what happens to a directory that is put in its place.
UNTOLD_S = 1.0
# Without the system's help, looking takes a tenth of the time at most, however large the flow is.
_RESTS = 9


class Watch:
    """Looks at a flow's directory when something happens in it, and keeps the newest change until it is taken.

    `fileno` is readable while a change waits, for whoever waits for input beside it. `known` is what was found in the
    directory before (see `Versions.found`).
    """

    def __init__(
        self,
        directory: Path,
        known: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        settled_s: float = SETTLED_S,
    ) -> None:
        self._path = directory
        self._settling = Settling(Directory(directory), known)
        self._clock = clock
        self._settled_s = settled_s
        self._found: Found | BaseException | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._readable, self._writable = os.pipe()
        self._thread = threading.Thread(target=self._run, name="watch-flow", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._readable

    @property
    def ready(self) -> bool:
        """Whether a change waits to be taken."""
        return self._found is not None

    def take(self) -> Found | None:
        """Return the newest change that was not taken yet, None when there is none."""
        with self._lock:
            found, self._found = self._found, None
            if found is not None:
                os.read(self._readable, 1)
        if isinstance(found, BaseException) and not isinstance(found, RetomaError):
            raise found
        return found

    def close(self) -> None:
        self._done.set()
        self._thread.join()
        os.close(self._readable)
        os.close(self._writable)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        told = _told(self._path, self._done)
        while not self._done.is_set():
            began = self._clock()
            try:
                found = self._settling.look()
            except BaseException as error:
                self._keep(error)
                return
            if found is not None:
                self._keep(found)
            took = self._clock() - began
            if self._settling.restless:
                self._done.wait(self._settled_s)
            elif next(told, None) is None:
                self._done.wait(max(self._settled_s, _RESTS * took))

    def _keep(self, found: Found | BaseException) -> None:
        with self._lock:
            rings = self._found is None
            self._found = found
            if rings:
                os.write(self._writable, b"!")


def _told(path: Path, done: threading.Event) -> Iterator[bool]:
    """Wait for the system to tell of something below `path`, at most UNTOLD_S; end when it cannot, or it is `done`."""
    try:
        from watchfiles import watch
    except ImportError:
        return
    try:
        for changes in watch(
            path,
            watch_filter=None,
            debounce=50,
            step=10,
            stop_event=done,
            rust_timeout=int(UNTOLD_S * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            yield bool(changes)
    except (OSError, RuntimeError):
        return  # the directory is gone, or the system has no more watches to give
