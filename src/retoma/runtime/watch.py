"""A flow's directory, watched by a thread of its own while a session runs it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retoma.errors import RetomaError
from retoma.flows import Directory
from retoma.runtime.reload import Found, Settling

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

SETTLED_S = 0.1
"""Two looks so far apart that agree see files that nobody is writing any more."""

# The system does not tell what another machine writes, nor what happens to a directory that is put in its place.
UNTOLD_S = 1.0
# What it tells is gathered so long at most, and handed over once it was silent for a step.
_GATHERED_MS, _STEP_MS = 50, 5
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
        self._whole_at = clock()
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
        told = Told.of(self._path, self._done)
        try:
            while not self._done.is_set():
                try:
                    found = self._next() if told is None else self._next_told(told)
                except Deaf:
                    told = None
                    continue
                if found is not None:
                    self._keep(found)
        except BaseException as error:
            self._keep(error)
        finally:
            if told is not None:
                told.close()

    def _next(self) -> Found | None:
        """Look at everything, and rest."""
        began = self._clock()
        found = self._settling.look()
        took = self._clock() - began
        self._done.wait(self._settled_s if self._settling.restless else max(self._settled_s, _RESTS * took))
        return found

    def _next_told(self, told: Told) -> Found | None:
        """Look at what the system tells of, or at everything when it was silent for long."""
        if self._settling.restless:
            return self._settled(told)
        paths = told.wait(self._whole_at + UNTOLD_S - self._clock())
        if paths and self._clock() < self._whole_at + UNTOLD_S:
            self._settling.glance(paths)
            return None
        self._whole_at = self._clock()
        return self._settling.look()

    def _settled(self, told: Told) -> Found | None:
        """Wait until nothing new was seen for long enough. After a quarter of that time, load what it will be.

        What is told of other files, however often, holds nothing up.
        """
        since, prepared = self._clock(), False
        while not self._done.is_set():
            until = since + (self._settled_s if prepared else self._settled_s / 4)
            paths = told.wait(until - self._clock())
            if paths and self._settling.glance(paths):
                since, prepared = self._clock(), False
            elif self._clock() < until:
                continue
            elif prepared:
                return self._settling.look(whole=False)
            elif self._settling.prepare():
                since = self._clock()
            else:
                prepared = True
        return None

    def _keep(self, found: Found | BaseException) -> None:
        with self._lock:
            rings = self._found is None
            self._found = found
            if rings:
                os.write(self._writable, b"!")


class Deaf(Exception):
    """The system tells nothing any more."""


class Told:
    """What the system tells of changes below a directory."""

    def __init__(self, root: str, system: RustNotify, done: threading.Event) -> None:
        self._root = f"{root}/"
        self._system = system
        self._done = done

    @classmethod
    def of(cls, directory: Path, done: threading.Event) -> Told | None:
        """Begin to listen; return None when the system cannot tell. `done` ends the waiting."""
        try:
            from watchfiles._rust_notify import RustNotify
        except ImportError:
            return None
        root = os.path.abspath(directory)  # noqa: PTH100 (a link keeps its own name)
        try:
            return cls(root, RustNotify([root], False, False, 0, True, True), done)
        except (OSError, RuntimeError, TypeError):
            return None  # the directory is gone, the system has no more watches to give, or it is called otherwise now

    def wait(self, seconds: float) -> set[str]:
        """Return what changes within so long, as paths below the directory: as soon as something does, or nothing.

        Raises Deaf.
        """
        try:
            told = self._system.watch(_GATHERED_MS, _STEP_MS, max(1, int(seconds * 1000)), self._done)
        except (OSError, RuntimeError) as error:
            raise Deaf from error
        if isinstance(told, str):
            return set()
        return {path.removeprefix(self._root) for _, path in told}

    def close(self) -> None:
        """Listen no more."""
        self._system.close()
