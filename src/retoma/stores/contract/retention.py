"""What a store promises of retention: sessions left alone, where due work stands, and the store's own log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from retoma.model.flow import FlowStatus
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.retention import Deed, Entry
from retoma.model.session import Status

END = (1 << 62, 1 << 62)
"""Behind every place of the log."""


class Mark(NamedTuple):
    """A place among sessions that were left alone: the instant that lists go by, and the session."""

    at: int
    key: int


START = Mark(-(1 << 62), 0)
"""Before every session."""


class Alone(NamedTuple):
    """A session that nobody wrote in for long, that is shown, not pinned and not driven. `events` is what it holds."""

    key: SessionKey
    id: SessionId
    mark: Mark
    events: int
    flow_status: FlowStatus | None


class LeftAlone(msgspec.Struct, frozen=True, kw_only=True):
    """Which of them are asked for: with no event since `before` (ms UTC), and all that is said besides.

    `waiting` False: without those whose flow waits for somebody.
    """

    status: Status
    before: int
    agent: str | None = None
    flow: str | None = None
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    waiting: bool = True


class Retention(Protocol):
    """Sessions that were left alone, the longest first; and where the work of putting them away goes on."""

    def alone(
        self, tenant: TenantKey, asked: LeftAlone, *, after: Mark | None = None, limit: int
    ) -> list[Alone]:
        """Return at most `limit` sessions behind `after`. Archived ones are none of them."""
        ...

    def count(self, tenant: TenantKey, asked: LeftAlone) -> int: ...
    def trashed(self, tenant: TenantKey, before: int) -> int:
        """Return how many sessions were put in the trash before that instant."""
        ...

    def still(self, tenant: TenantKey, key: SessionKey, status: Status, before: int) -> bool:
        """Return whether a session is shown, not pinned, in that status and untouched, whose head was read before."""
        ...

    def mark(self, tenant: TenantKey, name: str) -> Mark | None: ...
    def put_mark(self, tenant: TenantKey, name: str, mark: Mark) -> None: ...


class Log(Protocol):
    """What was done in the store that nobody did by hand in a session. Entries stay; the names in them do not."""

    def add(
        self,
        tenant: TenantKey,
        *,
        actor: str,
        deed: Deed,
        why: str,
        count: int,
        session: tuple[SessionKey, SessionId] | None = None,
    ) -> None: ...
    def page(
        self, tenant: TenantKey, *, since: int = 0, before: tuple[int, int] = END, limit: int
    ) -> Sequence[Entry]:
        """Return the newest `limit` entries from `since` on and before the place (at, number), newest first."""
        ...

    def of(
        self,
        tenant: TenantKey,
        name: str,
        *,
        since: int = 0,
        before: tuple[int, int] = END,
        limit: int,
    ) -> Sequence[Entry]:
        """Return the same of the session that bears `name`, or that bore it when it was deleted."""
        ...
