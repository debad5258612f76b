"""Waiting for what others write: until a wake-up, and for a while at most, because a wake-up can be lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from retoma.stores.contract.store import Store

if TYPE_CHECKING:
    from retoma.stores.contract.changes import Changes

_SAFETY_S = 1.0
_WITHOUT_S = 0.25
"""How often a journal is read again where no wake-up can come."""


class Following:
    """What one who follows waits for, between two readings. The first wait returns at once, to be read after it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changes: Changes | None = None

    def wait(self, most_s: float = _SAFETY_S) -> None:
        """Wait on this thread, for `most_s` at most."""
        if self._changes is None:
            self._changes = self._store.changes()
        else:
            self._changes.wait(min(most_s, _pause(self._changes)))

    async def come(
        self, in_thread: Callable[[Callable[[], None]], Awaitable[None]], most_s: float = _SAFETY_S
    ) -> None:
        """Wait in a task, for `most_s` at most, without blocking others. `in_thread` runs what takes a thread."""
        from asyncio import Event, get_running_loop, timeout

        changes, loop, came = self._changes, get_running_loop(), Event()
        if changes is None:
            await in_thread(self.wait)
            return
        loop.add_reader(changes.fileno(), came.set)
        try:
            async with timeout(min(most_s, _pause(changes))):
                await came.wait()
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(changes.fileno())
        changes.clear()

    def close(self) -> None:
        if self._changes is not None:
            self._changes.close()


def _pause(changes: Changes) -> float:
    return _SAFETY_S if changes.prompt else _WITHOUT_S
