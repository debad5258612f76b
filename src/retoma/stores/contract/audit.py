"""What a store promises to `store check` and `store gc`: its rows as they are, and how damage is put aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from retoma.model.ids import SessionId, SessionKey, TenantKey


class Stray(NamedTuple):
    """Rows of a session that is not there."""

    what: str
    key: int


class Quarantined(NamedTuple):
    """A session that was put aside because it is damaged. `id` is the name it bore; empty for stray rows."""

    key: int
    id: str
    at: int
    why: str


class Audit(Protocol):
    """Rows as they are, of every tenant, hidden ones too. A row that cannot be decoded raises ValueError."""

    def sessions(self, *, after: int, limit: int) -> list[tuple[SessionKey, str, int, int]]:
        """Return (key, id, shelf, number of events) of the sessions behind `after`."""
        ...

    def branches(self, *, after: int, limit: int) -> list[SessionKey]:
        """Return the numbers of sessions that have a state and share a past, or did where they were exported."""
        ...

    def systems(self, *, after: int, limit: int) -> list[tuple[SessionKey, bytes, int]]:
        """Return what the state of sessions keeps for their flows: the session, the value and its event."""
        ...

    def session(self, key: SessionKey) -> Mapping[str, Any] | None: ...
    def events(
        self, key: SessionKey, *, after: int, until: int | None = None, limit: int
    ) -> Sequence[tuple[Any, ...]]:
        """Return own events as rows: those of `Event` in order, then the hash of content that is kept apart."""
        ...

    def seqs(self, key: SessionKey, *, after: int, until: int | None = None, limit: int) -> list[int]: ...
    def content(self, content: bytes) -> tuple[Any, ...] | None:
        """Return (codec, size, stored size, stored bytes), or None."""
        ...

    def rows(self, what: str, key: SessionKey) -> Sequence[tuple[Any, ...]]:
        """Return a session's names, about, tags, contexts, epochs, notes, pending calls or lease, as they are kept.

        Or erasing: of which tenant, and up to where; copy: the second one of what no event repeats; aside: its name
        in quarantine.
        """
        ...

    def visits(self, key: SessionKey, *, after: int, limit: int) -> Sequence[tuple[Any, ...]]: ...
    def strays(self, *, limit: int) -> list[Stray]: ...
    def unreferenced(self, *, after: bytes, limit: int) -> list[tuple[bytes, int]]: ...
    def flow_versions(self, *, after: tuple[int, bytes], limit: int) -> Sequence[tuple[Any, ...]]: ...
    def log(self, *, after: int, limit: int) -> Sequence[tuple[Any, ...]]:
        """Return entries of the store's log behind the number `after`, with their marks."""
        ...

    def operations(self, *, after: tuple[int, bytes], limit: int) -> Sequence[tuple[Any, ...]]:
        """Return (tenant, id, request, result, at) of operations that made sessions."""
        ...

    def wrote(self, operation: bytes, request: bytes, at: int) -> bool:
        """Return whether there is an event of this operation and request at this instant (ms UTC)."""
        ...

    def runs(self, tenant: TenantKey, key: SessionKey, version: bytes) -> tuple[bool, bool]:
        """Return whether a session is listed with a version of a flow, and whether the version's files are there."""
        ...

    def let_go(self, tenant: TenantKey, digest: bytes) -> bool:
        """Return whether a name of that digest was let go."""
        ...

    def digest(self, name: str) -> bytes:
        """Return what stands for a name that was let go."""
        ...

    def due(self, *, trashed_before: int, imports_before: int) -> tuple[int, ...]:
        """Count sessions in the trash and being deleted, imports, cut journals, and content with its bytes."""
        ...

    def drop_content(self, content: bytes) -> None:
        """Delete content, unless an event refers to it."""
        ...

    def commits(self) -> tuple[bytes, int, bytes]:
        """Return the store's id, how many commits it says there were, and the hash over them."""
        ...

    def quarantined(self, *, after: int = 0, limit: int) -> list[Quarantined]: ...
    def quarantine(self, key: SessionKey, name: str, why: str) -> None:
        """Put a session, or stray rows, aside: nothing finds it any more, and nothing of it is deleted."""
        ...

    def release(self, tenant: TenantKey, key: SessionKey, name: SessionId) -> None:
        """Take a session out of quarantine, in the archive or trash it was in, under a name that is free."""
        ...

    def discard(self, tenant: TenantKey, key: SessionKey) -> None:
        """Begin to delete what is in quarantine under this number: a session, stray rows or a note alone."""
        ...

    def count(self, what: str) -> Sequence[tuple[Any, ...]]: ...
    def largest(self, *, limit: int) -> Sequence[tuple[Any, ...]]: ...
