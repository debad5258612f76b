"""The calls that sessions wait for: one row for each, by the call's id."""

from __future__ import annotations

from typing import Protocol

from retoma.model.call import Pending
from retoma.model.ids import SessionKey


class PendingCalls(Protocol):
    """The calls that a session waits for, several at a time, each under its id."""

    def get(self, key: SessionKey) -> list[Pending]:
        """Return them in the order of their ids."""
        ...

    def put(self, key: SessionKey, call: Pending) -> None:
        """Keep a call, in the place of one with the same id."""
        ...

    def drop(self, key: SessionKey, kind: str) -> None:
        """Let all calls of a kind go."""
        ...
