"""What a store promises of branches. Part of the contract in `api.py`, in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from retoma.model.branch import Line, Segment
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.session import About, Head, Session


class Reader(NamedTuple):
    """A session that reads another's journal, from its event `first` to `last`."""

    key: SessionKey
    id: SessionId
    first: int
    last: int


class Kept(NamedTuple):
    """A snapshot: what the journal with the number `source` says at its event `seq`, whose hash is `hash`."""

    source: SessionKey
    seq: int
    hash: bytes
    state: bytes


class Branches(Protocol):
    """Forks. One reads the rows of the journals before it, in flat stretches, whatever it was made of."""

    def line(self, key: SessionKey) -> Line | None:
        """Return the stretches that a session reads; None when there is none of that number."""
        ...

    def inherited(self, key: SessionKey) -> list[Segment]:
        """Return the stretches that are not its own, in order."""
        ...

    def start(self, tenant: TenantKey, key: SessionKey, uid: bytes) -> tuple[int, bytes]:
        """Return what the line's first event is chained to: a seq, 0 until a cut, and its hash."""
        ...

    def add(
        self,
        tenant: TenantKey,
        name: SessionId,
        of: Session,
        like: Session,
        about: About,
        *,
        at: int,
        linked: bytes,
        epoch_uid: bytes,
    ) -> Head:
        """Make the rows of a fork of the session `of` at its event `at`, whose hash is `linked`. The name must be free.

        It becomes what `like` and `about` say, with notes, epochs and flow versions of `of` up to there, and neither
        state nor history; its running epoch goes on under `epoch_uid`. Its head is `at`.
        """
        ...

    def copy_state(self, of: SessionKey, to: SessionKey) -> None:
        """Give a fork the state and the history that its session has now."""
        ...

    def put_history(self, key: SessionKey, nodes: Sequence[str]) -> None: ...
    def succeed(self, tenant: TenantKey, old: Head, new: SessionKey) -> None:
        """Let `new` stand in the place of `old`: for its parent and children, its driver, and the key that made it."""
        ...

    def forks(self, tenant: TenantKey, key: SessionKey, *, limit: int) -> list[Session]:
        """Return the sessions that were forked from that one and are not in the trash, oldest first."""
        ...

    def readers(self, key: SessionKey, *, since: int = 1) -> list[Reader]:
        """Return the sessions that read own rows of that one from event `since` on, by their numbers."""
        ...

    def points(self, key: SessionKey) -> list[int]:
        """Return which of its own events are the last that some fork reads, in order."""
        ...

    def reads(self, key: SessionKey, seq: int) -> bool:
        """Return whether any fork reads its own event `seq`."""
        ...

    def shared_until(self, key: SessionKey) -> int:
        """Return the last of its own events that a fork reads, 0 when none does."""
        ...

    def snapshot(self, key: SessionKey, *, at: int) -> Kept | None:
        """Return the newest snapshot of the line at or before event `at`."""
        ...

    def put_snapshot(self, source: SessionKey, seq: int, state: bytes) -> None: ...
    def drop_snapshots(self, source: SessionKey) -> None:
        """Forget the snapshots of a journal, and of all that is behind it in the lines that read it."""
        ...
