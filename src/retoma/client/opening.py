"""The client for tasks, opened."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from types import TracebackType
from typing import Never

from retoma.client.async_client import AsyncClient
from retoma.client.client import opened_store
from retoma.commands.opened import Opened

_USE = "Write `async with retoma.aio.open() as client:` or `client = await retoma.aio.open()`."


class Opening:
    """What `retoma.aio.open()` returns: await it for the client, or use it in an `async with`, which closes it, too."""

    def __init__(self, store: str | PathLike[str] | None, user: str | None) -> None:
        self._store = store
        self._user = user
        self._client: AsyncClient | None = None

    def __getattr__(self, name: str) -> Never:
        raise AttributeError(f"{name!r}: retoma.aio.open() is not awaited. {_USE}")

    def __enter__(self) -> Never:
        raise TypeError(f"retoma.aio.open() needs `async with`. {_USE}")

    def __exit__(self, *error: object) -> None: ...

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
        opening = threads.submit(opened_store, self._store, self._user)
        try:
            opened = await wrap_future(opening)
        except BaseException:
            # When the task was cancelled, it may be opened yet: then nobody else closes it.
            opening.add_done_callback(_close_it)
            threads.shutdown(wait=False)
            raise
        opened.take_threads(threads)
        return AsyncClient(opened)


def open(store: str | PathLike[str] | None = None, *, user: str | None = None) -> Opening:
    """Open a store for tasks: `async with retoma.aio.open() as client`, or `client = await retoma.aio.open()`.

    `store`, `user` and what is raised are those of `retoma.open`.
    """
    return Opening(store, user)


def _close_it(opening: Future[Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
