"""The client and the handle of a session for tasks: the same verbs, awaited."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from os import PathLike
from types import TracebackType
from typing import Self

from retoma.client import given
from retoma.client.batch import AwaitedBatch
from retoma.client.branching import Branching
from retoma.client.carried import Carrying
from retoma.client.client import opened
from retoma.client.comparing import Comparing
from retoma.client.current import current
from retoma.client.door import Door
from retoma.client.faces import Awaiting
from retoma.client.found import Finding
from retoma.client.held import AwaitedLease
from retoma.client.labels import Labelling
from retoma.client.life import Living
from retoma.client.searched import Searching
from retoma.client.state import AsyncState
from retoma.client.talk import Talking
from retoma.service import sessions


class AsyncSession(Talking, Labelling, Living, Branching, Awaiting):
    """`Session` for tasks: the same attributes, and the same verbs, awaited. One handle may be used by any number of
    tasks.

    A call that is cancelled before its write began has written nothing. Later its result is dropped, and the write
    stands: with `key=` it can be repeated to know.
    """

    @property
    def state(self) -> AsyncState:
        """Its state: `await session.state.get("k")`, `await session.state.set("k", v)`."""
        return AsyncState(self)

    def batch(self, *, key: str | None = None, expect: int | None = None) -> AwaitedBatch:
        """Return what collects messages and changes of the state, for an `async with`: see `Session.batch`.

        What is called on it is not awaited; the end of the `async with` writes.
        """
        return AwaitedBatch(self, key, expect)

    def lease(self, ttl: given.Duration | None = None) -> AwaitedLease:
        """Return the right to be the only one who writes, for an `async with`: see `Session.lease`."""
        return AwaitedLease(self, ttl)

    @contextmanager
    def use(self) -> Iterator[Self]:
        """Make it the current session of this task until the `with` ends: see `Session.use`."""
        token = current.set(self)
        try:
            yield self
        finally:
            current.reset(token)

    async def disconnect(self) -> None:
        """Let go of it: see `Session.disconnect`."""
        if self._held is None:
            self._let_go()
        else:
            await self._door.in_thread(self._let_go)

    async def __aenter__(self) -> Self:
        self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()


class AsyncClient(Finding[AsyncSession], Comparing[AsyncSession], Searching, Carrying, Awaiting):
    """`Client` for tasks: the same verbs, awaited. `retoma.aio.open()` makes it.

    Nothing it does holds up the event loop: writes go to the store's own writer, which commits those of many tasks at
    once, and reads to threads. Close it with `await client.close()`, or use it in an `async with`.
    """

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        door.threads()

    async def close(self) -> None:
        """Close the store and let go of what this client holds; its threads end. Twice is no error."""
        await self._door.aclose()

    async def __aenter__(self) -> Self:
        self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _handle(self, whole: sessions.Whole) -> AsyncSession:
        return AsyncSession(self._door, whole)

    def _own(self, found: object) -> AsyncSession | None:
        return found if isinstance(found, AsyncSession) and found._door is self._door else None


class Opening:
    """What `retoma.aio.open()` returns: await it for the client, or use it in an `async with`, which closes it, too."""

    def __init__(self, store: str | PathLike[str] | None, user: str | None) -> None:
        self._store = store
        self._user = user
        self._client: AsyncClient | None = None

    def __await__(self) -> Generator[object, None, AsyncClient]:
        return self._opened().__await__()

    async def __aenter__(self) -> AsyncClient:
        self._client = await self._opened()
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def _opened(self) -> AsyncClient:
        from asyncio import wrap_future

        threads = ThreadPoolExecutor(thread_name_prefix="retoma-wait")
        opening = threads.submit(opened, self._store, user=self._user)
        try:
            door = await wrap_future(opening)
        except BaseException:
            # When the task was cancelled, it may be opened yet: then nobody else closes it.
            opening.add_done_callback(_close_it)
            threads.shutdown(wait=False)
            raise
        door.take_threads(threads)
        return AsyncClient(door)


def open(store: str | PathLike[str] | None = None, *, user: str | None = None) -> Opening:
    """Open a store for tasks: `async with retoma.aio.open() as client`, or `client = await retoma.aio.open()`.

    `store`, `user` and what is raised are those of `retoma.open`.
    """
    return Opening(store, user)


def _close_it(opening: Future[Door]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
