"""The session that a call without an id means."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from retoma.errors import Invalid

if TYPE_CHECKING:
    from retoma.client.async_session import AsyncSession
    from retoma.client.session import Session
    from retoma.commands.opened import Opened

current: ContextVar[Session | AsyncSession | None] = ContextVar("retoma.current", default=None)
"""A context variable: each thread and each task has its own. `with session.use():` sets it; `current.get()` reads it.
"""


def named(id: str | None, opened: Opened) -> str:
    """Return `id`, or the current session's, of the same client. Raises Invalid."""
    if id is not None:
        return id
    found = current.get()
    if found is None or found._opened is not opened:
        raise Invalid(
            "There is no current session."
            if found is None
            else "The current session belongs to another client.",
            code="no_current",
            hint="Pass an id, or make a session current: with session.use().",
        )
    return found.id
