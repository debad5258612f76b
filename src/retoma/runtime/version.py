"""Which version of a flow a session runs: the directory's, or one that the store keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retoma import flows
from retoma.errors import Invalid, NotFound, RetomaError
from retoma.flows import GOES_ON, Flow
from retoma.model.principal import Principal
from retoma.model.utf8 import unreadable
from retoma.service import flows as positions
from retoma.service import sessions
from retoma.stores.contract.store import Store, Transaction


class Versions:
    """The versions of the flow in `directory` that `session` (None: a new one) can run.

    `found` is what `choose` found in the directory: a version, or what is wrong.
    """

    def __init__(self, store: Store, who: Principal, directory: Path, session: str | None) -> None:
        self._store = store
        self._who = who
        self._directory = directory
        self._session = session
        self.path = _absolute(directory)
        self.found = ""

    def choose(self, *, pinned: bool) -> tuple[Flow, Sequence[str]]:
        """Return the flow to open with, and what to say of it: the directory's if it is sound, else the stored one.

        `pinned`: the stored one, if there is one. Raises Invalid and NotFound when neither is there.
        """
        if pinned and (stored := self._of_session()) is not None:
            return stored, self._said_of_pinned(stored)
        try:
            flow = flows.with_warnings(flows.load(self._directory))
            self.found = flow.version
        except (Invalid, NotFound) as error:
            self.found = error.message
            stored = self._of_session()
            if stored is None:
                raise
            return stored, [f"{error.message}\n{GOES_ON}"]
        return flow, []

    def stored(self, version: bytes) -> Flow | None:
        """Return a version that the store keeps; None when it has none, or this program does not read it."""
        found = self._store.read(lambda tx: positions.stored_version(tx, self._who, version))
        try:
            return flows.parse(*found) if found else None
        except Invalid:
            return None

    def _of_session(self) -> Flow | None:
        """Return the version that the session runs, when it runs the flow of this directory."""
        session = self._session
        if session is None:
            return None

        def find(tx: Transaction) -> bytes | None:
            found = sessions.get(tx, self._who, session)
            return found.flow_version if found is not None and found.flow_path == self.path else None

        version = self._store.read(find)
        return self.stored(version) if version else None

    def _said_of_pinned(self, stored: Flow) -> list[str]:
        try:
            same = flows.load(self._directory).version == stored.version
        except RetomaError:
            same = False
        return [] if same else [f"The flow was edited since the last run. {GOES_ON}"]


def _absolute(directory: Path) -> str:
    path = str(directory.resolve())
    if bad := unreadable(path):
        raise Invalid(
            f"The flow's directory '{bad}' is not UTF-8.",
            code="not_utf8",
            hint="Rename it, or move the flow.",
        )
    return path
