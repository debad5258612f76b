"""What comes of a change of a flow's files, once the change has settled, for the session that runs it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from retoma.errors import Invalid, NotFound, RetomaError
from retoma.flows import GOES_ON, Directory, Flow, Look, Problem, Unsettled
from retoma.model.flow import Position

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
