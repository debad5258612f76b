"""A flow's directory, watched while a session runs it: what comes of a change, once the change has settled."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import msgspec

from retoma.errors import Invalid, NotFound, RetomaError
from retoma.flows import GOES_ON, Directory, Flow, Look, Problem, Unsettled
from retoma.model.flow import Position

SETTLED_S = 0.1
"""Two looks so far apart that agree see files that nobody is writing any more."""

AS_BEFORE = "The flow is again what the session runs."

Found: TypeAlias = Flow | RetomaError
"""What a directory holds: a flow that is sound to run, or what is wrong with it."""


class Reload(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a change: whether it was taken up, the version and the node that the session has now, and why.

    `problems` are what is wrong in the files, when that is why it was not.
    """

    taken: bool
    version: str
    node: str | None
    sentence: str
    problems: tuple[Problem, ...] = ()


def refused(flow: Flow, at: Position, error: RetomaError) -> Reload:
    """Return that the change was not taken up because of `error`."""
    found = error.facts.get("problems")
    listed = found if isinstance(found, list) else []
    problems = tuple(one for one in listed if isinstance(one, Problem) and one.level == "error")
    sentence = f"{error.message}\n{GOES_ON}" if problems else f"{error.message} {GOES_ON}"
    return Reload(taken=False, version=flow.version, node=at.node, sentence=sentence, problems=problems)


class Settling:
    """Tells from one look to the next whether a directory has come to rest at something new.

    `known` is what was found there before (see `Versions.found`).
    """

    def __init__(self, directory: Directory, known: str) -> None:
        self._directory = directory
        self._known = known
        self._last: Look | str = ""
        # The first look that finds rest reads everything: the files may have changed since they were loaded.
        self._read: Look | str | None = None

    @property
    def restless(self) -> bool:
        """Whether the last look saw something that no look confirmed yet."""
        return self._last != self._read

    def look(self) -> Found | None:
        """Look once; return what is there when this look and the one before agree on something new."""
        try:
            now: Look | str = self._directory.look()
        except (Invalid, NotFound) as error:
            now = error.message
            found: Found | None = error
        else:
            found = None
        settled, self._last = now == self._last, now
        if not settled or now == self._read:
            return None
        if isinstance(now, Look):
            try:
                found = self._loaded(now)
            except Unsettled:
                self._last = ""  # it was written to while we read: begin again
                return None
        self._read = now
        return self._new(found)

    def _loaded(self, seen: Look) -> Found:
        try:
            return self._directory.load(seen)
        except Invalid as error:
            return error

    def _new(self, found: Found | None) -> Found | None:
        assert found is not None, "a look that settled found something"
        what = found.version if isinstance(found, Flow) else found.message
        if what == self._known:
            return None
        self._known = what
        return found


class Watch:
    """A thread that looks at a flow's directory, and keeps the newest change until it is taken.

    `fileno` is readable while a change waits, for whoever waits for input beside it.
    """

    def __init__(
        self,
        directory: Path,
        known: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        settled_s: float = SETTLED_S,
    ) -> None:
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
        pause = 0.0
        while not self._done.wait(pause):
            began = self._clock()
            try:
                found = self._settling.look()
            except BaseException as error:
                self._keep(error)
                return
            if found is not None:
                self._keep(found)
            # A large flow takes long to look at. While nothing changes it gets a tenth of the time at most.
            took = self._clock() - began
            pause = self._settled_s if self._settling.restless else max(self._settled_s, 9 * took)

    def _keep(self, found: Found | BaseException) -> None:
        with self._lock:
            if self._found is None:
                os.write(self._writable, b"!")
            self._found = found
