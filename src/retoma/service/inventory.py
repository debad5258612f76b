"""What a store holds: how many of what, and which sessions are the largest."""

from __future__ import annotations

import msgspec

from retoma.stores.contract.store import Transaction

SHELVES = {0: "shown", 1: "archived", 2: "trashed", 3: "coming_in", 4: "deleting", 5: "quarantined"}


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of thing: how many there are, and their bytes as they are kept."""

    kind: str
    count: int
    size_bytes: int


class Large(msgspec.Struct, frozen=True, kw_only=True):
    """A session's journal: its events, and their bytes with the content that it refers to."""

    id: str
    shelf: str
    events: int
    size_bytes: int


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `flows` are the sessions that run a flow. What is in quarantine counts in `by_shelf` alone."""

    sessions: int
    flows: int
    by_status: dict[str, int]
    by_shelf: dict[str, int]
    events: int
    messages: int
    kinds: tuple[Kind, ...]
    event_types: tuple[Kind, ...]
    largest: tuple[Large, ...]


def inventory(tx: Transaction, *, largest: int) -> Inventory:
    """Return what the store holds, with its `largest` sessions."""
    by_status: dict[str, int] = {}
    by_shelf: dict[str, int] = {}
    sessions = flows = messages = 0
    for shelf, status, flow, count, _, said in tx.audit.count("sessions"):
        by_shelf[SHELVES[shelf]] = by_shelf.get(SHELVES[shelf], 0) + count
        if SHELVES[shelf] == "quarantined":
            continue
        sessions += count
        flows += count if flow else 0
        messages += said
        by_status[status] = by_status.get(status, 0) + count
    types = tuple(_kind(*row) for row in tx.audit.count("kinds"))
    events = sum(one.count for one in types)
    contents, versions, states = (tx.audit.count(what)[0] for what in ("contents", "flow_versions", "states"))
    kinds = (
        Kind(kind="events", count=events, size_bytes=sum(one.size_bytes for one in types)),
        _kind("contents", *contents[:2]),
        _kind("state", *states),
        _kind("flow versions", *versions),
        _kind("search index", *tx.audit.count("search")[0]),
    )
    return Inventory(
        sessions=sessions,
        flows=flows,
        by_status=by_status,
        by_shelf=by_shelf,
        events=events,
        messages=messages,
        kinds=kinds,
        event_types=types,
        largest=tuple(
            Large(id=name, shelf=SHELVES[shelf], events=count, size_bytes=size)
            for name, shelf, count, size in tx.audit.largest(limit=largest)
        ),
    )


def _kind(kind: str, count: int, size: int) -> Kind:
    return Kind(kind=kind, count=count, size_bytes=size)
