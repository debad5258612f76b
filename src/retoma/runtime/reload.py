"""What comes of a change of a flow's files, once the change has settled, for the session that runs it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import TypeAlias

import msgspec

from retoma.errors import Invalid, NotFound, RetomaError
from retoma.flows import GOES_ON, Directory, Flow, Look, Problem, Unsettled
from retoma.model.flow import Position

AS_BEFORE = "The flow is now the same as the version that the session runs."

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
        self._last: Look | RetomaError | None = None
        # The first look that finds rest reads everything: the files may have changed since they were loaded.
        self._read: Look | RetomaError | None = None
        # What the system told of since the last rest.
        self._told: set[str] = set()

    @property
    def restless(self) -> bool:
        """Whether the last look saw something that no look confirmed yet."""
        return self._read is None or not _same(self._last, self._read)

    def look(self, *, whole: bool = True) -> Found | None:
        """Look once; return what is there when this look and the one before agree on something new.

        Without `whole`, only at what the system told of.
        """
        new = self._sees(None if whole else self._told)
        now = self._last
        if new or now is None or _same(now, self._read):
            return None
        try:
            found = self._loaded(now) if isinstance(now, Look) else now
        except Unsettled:
            self._last = None  # it was written to while we read: begin again
            return None
        self._read = now
        self._told.clear()
        return self._new(found)

    def glance(self, told: Collection[str]) -> bool:
        """Look only at what the system told of, paths below the directory; return whether that is new."""
        self._told.update(told)
        new = self._sees(self._told)
        if not self.restless:
            self._told.clear()  # it was nothing to the flow
        return new

    def prepare(self) -> bool:
        """Look at everything; return whether some of it is new. If not, load it ahead of the look that confirms it."""
        if self._sees(None):
            return True
        if isinstance(self._last, Look):
            with suppress(Unsettled):
                self._directory.prepare(self._last)
        return False

    def _sees(self, told: Collection[str] | None) -> bool:
        now: Look | RetomaError
        try:
            now = self._directory.look(told)
        except (Invalid, NotFound) as error:
            now = error
        before, self._last = self._last, now
        return not _same(now, before)

    def _loaded(self, seen: Look) -> Found:
        try:
            return self._directory.load(seen)
        except Invalid as error:
            return error

    def _new(self, found: Found) -> Found | None:
        what = found.version if isinstance(found, Flow) else found.message
        if what == self._known:
            return None
        self._known = what
        return found


def _same(one: Look | RetomaError | None, other: Look | RetomaError | None) -> bool:
    if isinstance(one, RetomaError) and isinstance(other, RetomaError):
        return one.message == other.message
    return one is other or one == other
