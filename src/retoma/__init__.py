"""Durable sessions for agents, scripts and guided flows.

`retoma.open()` opens a store and returns a `Client`, whose sessions are `Session` handles; `retoma.aio.open()` does
so for tasks. Each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retoma import aio, parts, shapes, types, values
    from retoma.client.client import Client, open
    from retoma.client.current import current
    from retoma.client.session import Session
    from retoma.errors import (
        Busy,
        Conflict,
        Integrity,
        Invalid,
        Limit,
        NotFound,
        Refused,
        RetomaError,
        Unavailable,
    )

__all__ = [
    "Busy",
    "Client",
    "Conflict",
    "Integrity",
    "Invalid",
    "Limit",
    "NotFound",
    "Refused",
    "RetomaError",
    "Session",
    "Unavailable",
    "aio",
    "current",
    "open",
    "parts",
    "shapes",
    "types",
    "values",
]

_HOME = {
    "Client": "retoma.client.client",
    "Session": "retoma.client.session",
    "current": "retoma.client.current",
    "open": "retoma.client.client",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'retoma' has no attribute {name!r}")
    from importlib import import_module

    if name in {"aio", "parts", "shapes", "types", "values"}:
        return import_module(f"retoma.{name}")
    return getattr(import_module(_HOME.get(name, "retoma.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
