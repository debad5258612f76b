"""The session that a call without an id means."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retoma.client.asynchronous import AsyncSession
    from retoma.client.session import Session

current: ContextVar[Session | AsyncSession | None] = ContextVar("retoma.current", default=None)
"""A context variable: each thread and each task has its own. `with session.use():` sets it; `current.get()` reads it.
"""
