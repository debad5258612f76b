"""Retoma for tasks: `async with retoma.aio.open() as client`. The names are those of `retoma`, awaited."""

from __future__ import annotations

from retoma.client.async_client import AsyncClient
from retoma.client.async_driven import AsyncFlowRun
from retoma.client.async_session import AsyncSession
from retoma.client.opening import open
from retoma.client.state import AsyncState

__all__ = ["AsyncClient", "AsyncFlowRun", "AsyncSession", "AsyncState", "open"]
