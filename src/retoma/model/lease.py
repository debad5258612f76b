"""The right to drive a session: held by one process at a time, fenced by a token that only grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, NewType, TypeAlias

import msgspec

FencingToken = NewType("FencingToken", int)

LEASE_TTL_MS = 15_000
RENEWALS = 3
"""How often a lease is renewed in its term: a renewal that fails is tried again before it ends."""


class Holder(msgspec.Struct, frozen=True):
    """Who drives: enough to tell a person, and to know on the same machine whether the process still lives.

    `boot` identifies this start of the machine; `started` is the process's start in the system's own ticks, so that a
    number that the system gave to another process since is not mistaken for it.
    """

    host: str
    boot: str
    pid: int
    started: int
    command: str
    user: str = ""


class Ticks(NamedTuple):
    """What the machine's monotonic clock says: milliseconds since `boot`, which names a start of the machine.

    Two readings can be compared when their `boot` is the same, whatever happened to the wall clock in between.
    """

    boot: str
    ms: int


Ticking: TypeAlias = Callable[[], Ticks | None]
"""Reads the machine's monotonic clock; None where there is none, or none that its processes share."""


def no_ticks() -> None:
    """Say that there is no such clock: leases end by the wall clock."""


class Lease(msgspec.Struct, frozen=True):
    """A lease as it stands. Instants are milliseconds UTC."""

    token: FencingToken
    holder: Holder
    acquired_at: int
    expires_at: int
