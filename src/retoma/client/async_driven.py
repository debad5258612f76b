"""`FlowRun` for tasks. Made by scripts/awaited from the blocking one: change that."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retoma.client.driven import Driven
from retoma.client.faces import Awaiting

if TYPE_CHECKING:
    pass


class AsyncFlowRun(Driven, Awaiting):
    """`FlowRun` for tasks: the same attributes, the same methods, awaited. One task at a time may use it."""

    async def send(self, answer: str) -> None:
        """See `FlowRun.send`."""
        self._ready()
        await self._work(partial(self._drive.send, answer))

    async def signal(self, name: str) -> bool:
        """See `FlowRun.signal`."""
        self._ready()
        return await self._work(partial(self._drive.signal, name)) is not None

    async def perform(self, approved: str = "") -> None:
        """See `FlowRun.perform`."""
        self._ready()
        await self._work(partial(self._drive.perform, approved))

    async def deny(self, why: str) -> None:
        """See `FlowRun.deny`."""
        self._ready()
        await self._work(partial(self._drive.deny, why))

    async def close(self) -> None:
        """See `FlowRun.close`."""
        await self._work(self._let_go)

    async def __aenter__(self) -> Self:
        self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
