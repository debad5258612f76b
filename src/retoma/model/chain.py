"""The hash chain of a journal.

    hash = BLAKE3(previous hash ‖ BLAKE3(header) ‖ BLAKE3(salt ‖ data))

The header is the compact JSON array `[seq, type, at, actor, cause, operation, request]`, bytes as lower-case hex.
Data and salt can be erased later: the digest that stands for them stays, so the chain still holds and says
"erased", not "damaged". The salt keeps a digest from being guessed back into short data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

if TYPE_CHECKING:
    from retoma.model.event import Event

SALT_BYTES = 16

_encode = msgspec.json.Encoder().encode


def genesis(uid: bytes) -> bytes:
    """Return what the first event of the session with this `uid` (16 bytes) is chained to."""
    return blake3(b"retoma journal 1\n" + uid).digest()


def digest(salt: bytes, data: bytes) -> bytes:
    """Return the 32 bytes that stand for an event's data once it is erased."""
    return blake3(salt + data).digest()


def link(
    previous: bytes,
    seq: int,
    kind: str,
    at: int,
    actor: str,
    cause: int | None,
    operation: bytes | None,
    request: bytes | None,
    data_digest: bytes,
) -> bytes:
    """Return the hash of an event (32 bytes) from the one before it, its header and the digest of its data."""
    header = _encode(
        (
            seq,
            kind,
            at,
            actor,
            cause,
            operation.hex() if operation else None,
            request.hex() if request else None,
        )
    )
    return blake3(previous + blake3(header).digest() + data_digest).digest()


def follows(event: Event, previous: bytes) -> bool:
    """Return whether `event` is the one that was linked to the hash `previous`."""
    linked = link(
        previous,
        event.seq,
        event.type,
        event.at,
        event.actor,
        event.cause,
        event.operation,
        event.request,
        event.digest,
    )
    return linked == event.hash


def as_written(event: Event) -> bool:
    """Return whether the event's data is what its digest stands for. Erased data is: nothing is there to differ."""
    if event.data is None or event.salt is None:
        return event.data is None and event.salt is None
    return digest(event.salt, event.data) == event.digest
