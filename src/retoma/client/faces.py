"""How a face has commands done: on the caller's thread, or awaited.

The methods of the blocking classes are written by hand. `scripts/awaited` makes the asynchronous twins of them, in
`async_session.py` and `async_client.py`: the same signatures, with `await` where a command is run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from os import getpid
from typing import TYPE_CHECKING, TypeVar

from retoma.commands.command import Command, Stream
from retoma.commands.opened import Opened
from retoma.errors import Busy
from retoma.model.lease import Holder

if TYPE_CHECKING:
    from retoma.runtime.lease import Held

R = TypeVar("R")
T = TypeVar("T")


def waitable(busy: Busy) -> Busy:
    """Return the error with the hint that a program needs, and with whether the holder is this process."""
    from retoma.runtime.process import this_holder

    holder = busy.facts.get("holder")
    if busy.code == "busy" and isinstance(holder, Holder):
        busy.hint = 'Nothing was written. To wait until it is free: session.lease(wait="30s").'
        if holder == this_holder(holder.user):
            busy.message = f"{busy.message.removesuffix('.')}: this process, through another handle."
    return busy


class Face:
    """What has methods that run commands. `_opened` is the store that they are run on, `_held` the lease of writes."""

    _opened: Opened
    _disconnected = False
    _held: Held | None = None

    def _ready(self) -> None:
        """Raise Unavailable unless commands can be run."""
        self._opened.ready()


class Blocking(Face):
    """A face whose methods have done it when they return."""

    def _run(self, command: Command[R], key: str | None = None) -> R:
        opened, held = self._opened, self._held
        # As `_ready` says, without its calls: an append is to be cheap.
        if self._disconnected or opened.closed or opened.process != getpid():
            self._ready()
        try:
            return command.run(opened, key=key, token=held.token if held is not None else None)
        except Busy as busy:
            raise waitable(busy) from busy.__cause__

    def _each(self, command: Stream[T]) -> Iterator[T]:
        self._ready()
        return command.run(self._opened, ready=self._ready)

    def _work(self, work: Callable[[], R]) -> R:
        return work()


class Awaiting(Face):
    """A face whose methods are awaited."""

    async def _run(self, command: Command[R], key: str | None = None) -> R:
        self._ready()
        held = self._held
        try:
            return await command.submit(self._opened, key=key, token=held.token if held is not None else None)
        except Busy as busy:
            raise waitable(busy) from busy.__cause__

    def _each(self, command: Stream[T]) -> AsyncIterator[T]:
        self._ready()
        return command.submit(self._opened, ready=self._ready)

    async def _work(self, work: Callable[[], R]) -> R:
        return await self._opened.in_thread(work)
