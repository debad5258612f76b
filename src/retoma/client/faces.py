"""How a face has commands done: on the caller's thread, or awaited.

The methods of the blocking classes are written by hand. `scripts/awaited` makes the asynchronous twins of them, in
`async_session.py` and `async_client.py`: the same signatures, with `await` where a command is run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

from retoma.commands.command import Command, Stream, Write
from retoma.commands.opened import Opened
from retoma.model.lease import FencingToken

R = TypeVar("R")
T = TypeVar("T")
U = TypeVar("U")


class Face:
    """What has methods that run commands. `_opened` is the store that they are run on."""

    _opened: Opened

    def _ready(self) -> None:
        """Raise Unavailable unless commands can be run."""
        self._opened.ready()

    def _token(self) -> FencingToken | None:
        """Return the lease that writes are made under."""
        return None


class Blocking(Face):
    """A face whose methods have done it when they return."""

    def _run(self, command: Command[R], key: str | None = None) -> R:
        self._ready()
        return command.run(self._opened, key=key, token=self._token())

    def _shown(self, command: Command[R], show: Callable[[R], U]) -> U:
        self._ready()
        return show(command.run(self._opened))

    def _each(self, command: Stream[T], show: Callable[[T], U]) -> Iterator[U]:
        self._ready()
        return map(show, command.run(self._opened, ready=self._ready))

    def _work(self, work: Callable[[], R]) -> R:
        return work()


class Awaiting(Face):
    """A face whose methods are awaited."""

    async def _run(self, command: Command[R], key: str | None = None) -> R:
        self._ready()
        return await command.submit(self._opened, key=key, token=self._token())

    async def _shown(self, command: Command[R], show: Callable[[R], U]) -> U:
        self._ready()
        if isinstance(command, Write):
            return show(await command.submit(self._opened))
        return await self._opened.in_thread(lambda: show(command.run(self._opened)))

    def _each(self, command: Stream[T], show: Callable[[T], U]) -> AsyncIterator[U]:
        self._ready()
        return command.submit(self._opened, show, ready=self._ready)

    async def _work(self, work: Callable[[], R]) -> R:
        return await self._opened.in_thread(work)
