"""Stores to measure on, filled fast and through the service: the chain of each is whole."""

from __future__ import annotations

import random
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import retoma
from retoma.config import StorePlace
from retoma.model import event as kinds
from retoma.model.codec import Json, encode
from retoma.model.event import new_event
from retoma.model.ids import Operation, TenantKey, new_operation
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.service import access, sessions
from retoma.stores.contract.store import Transaction
from retoma.wiring import open_store

SESSION = "measured"
WHO = Principal(TenantKey(LOCAL_TENANT), "local")
TEXT = "x" * 300
MESSAGE = encode({"role": "user", "content": TEXT})

_BATCH = 1_000
_STATE: dict[str, Json] = {f"key_{n}": f"value {n}" for n in range(10)}
_seeded = random.Random(1)


def place_in(directory: Path) -> StorePlace:
    """Return the store's place in `directory`."""
    path = directory / "retoma.db"
    return StorePlace(kind="sqlite", path=path, url=f"sqlite:///{path}", given=True, source="benchmark")


def opened(place: StorePlace) -> retoma.Client:
    """Open the store as its local owner."""
    return retoma.open(place.path, user="local")


def fill(place: StorePlace, length: int) -> None:
    """Make a session of `length` events: created, ten keys of state, then messages."""
    with closing(open_store(place)) as store:
        store.write(_begun)
        left = length - 2
        while left > 0:
            store.write(partial(_said, count=min(left, _BATCH)))
            left -= _BATCH


def fill_list(place: StorePlace, count: int) -> None:
    """Make `count` sessions."""
    with closing(open_store(place)) as store:
        for first in range(0, count, _BATCH):
            store.write(partial(_made, first=first, last=min(first + _BATCH, count)))


def fill_labelled(place: StorePlace, count: int) -> None:
    """Make `count` sessions: one in ten suspended, one in three with common labels, 20 with rare ones."""
    with closing(open_store(place)) as store:
        for first in range(0, count, _BATCH):
            store.write(
                partial(_labelled, first=first, last=min(first + _BATCH, count), every=max(1, count // 20))
            )


def operation() -> Operation:
    """Return an operation as the client makes it: the time, then chance."""
    return Operation(new_operation(time.time_ns() // 1_000_000, _seeded.randbytes))


def _begun(tx: Transaction) -> None:
    sessions.create(tx, WHO, NewSession(id=SESSION, title="Measured"), operation=operation())
    head = access.head_of(tx, WHO, SESSION)
    access.append(tx, WHO, head, [new_event(kinds.STATE, encode({"set": _STATE}))], operation())
    tx.state.put(head.key, _STATE, seq=head.seq + 1)


def _said(tx: Transaction, *, count: int) -> None:
    head = access.head_of(tx, WHO, SESSION)
    events = [new_event(kinds.MESSAGE, MESSAGE) for _ in range(count)]
    for event in events:
        head = access.append(tx, WHO, head, [event], operation())


def _made(tx: Transaction, *, first: int, last: int) -> None:
    for n in range(first, last):
        new = NewSession(id=f"session-{n:05}", title=f"The session of number {n}", agent="reviewer")
        sessions.create(tx, WHO, new, operation=operation())


def _labelled(tx: Transaction, *, first: int, last: int, every: int) -> None:
    for n in range(first, last):
        words = [word for word, there in (("common", n % 3 == 0), ("rare", n % every == 0)) if there]
        contexts = tuple(("repository", word) for word in words)
        new = NewSession(
            id=f"session-{n:07}", title=f"The session of number {n}", tags=tuple(words), contexts=contexts
        )
        sessions.create(tx, WHO, new, operation=operation())
        if n % 10 == 0:
            sessions.change(tx, WHO, f"session-{n:07}", "suspended", operation=operation())
