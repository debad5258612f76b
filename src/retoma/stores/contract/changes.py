"""Wake-ups: that something was committed, by whichever process, and nothing more."""

from __future__ import annotations

from typing import Protocol


class Changes(Protocol):
    """The wake-ups of one listener, from `Store.changes()` on. Whoever asked for it closes it.

    A commit after `Store.changes()` returned makes `fileno` readable until `clear`. A wake-up may be lost, may stand
    for many commits, and may come for nothing: who listens reads, and looks again after a while in any case.
    """

    @property
    def prompt(self) -> bool:
        """Whether wake-ups can come; not where the store has no place for them. Then who listens looks more often."""
        ...

    def fileno(self) -> int: ...

    def wait(self, seconds: float) -> None:
        """Return at a wake-up, which is cleared then, or after `seconds`."""
        ...

    def clear(self) -> None:
        """Take the wake-ups that came. What is committed from now on makes another."""
        ...

    def close(self) -> None: ...
