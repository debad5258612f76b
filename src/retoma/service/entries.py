"""What a program writes into a session, in one transaction: messages, and changes of its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, assert_never

import msgspec

from retoma.errors import Limit
from retoma.model import event as kinds
from retoma.model.codec import Json, JsonMap, encode
from retoma.model.event import NewEvent, new_event
from retoma.model.ids import Operation
from retoma.model.lease import FencingToken
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.message import Content, Role
from retoma.model.principal import Principal
from retoma.model.session import Head, accept_writes
from retoma.model.state import SYS, check_keys, check_values
from retoma.service.access import append, expect_head, fence, have_room, head_of, repeated
from retoma.service.timeline import message_event, spend
from retoma.stores.contract.store import Transaction

MOST: Final = 10_000
"""Entries of one transaction: whoever else writes waits for all of them."""


class Said(msgspec.Struct, frozen=True):
    """A message."""

    role: Role
    content: Content
    sender: str = ""
    extra: JsonMap = {}
    """Its `usage` and `metadata`, where they were given."""


class Changed(msgspec.Struct, frozen=True):
    """A change of the state: keys that are set, and keys that go. None is in both."""

    sets: JsonMap = {}
    removed: tuple[str, ...] = ()


Entry: TypeAlias = Said | Changed


class Written(msgspec.Struct, frozen=True):
    """What was written: the seqs of the messages, in order, and the session's head behind it.

    `at` is when, ms UTC; None when nothing was, because there was nothing to write or it was written before.
    """

    messages: tuple[int, ...]
    head: Head
    at: int | None = None
    removed: JsonMap = {}
    """The keys that went, with what they held."""
    used: Mapping[str, int] = {}


def write(
    tx: Transaction,
    who: Principal,
    session: str,
    entries: Sequence[Entry],
    *,
    operation: Operation,
    token: FencingToken | None = None,
    expect: int | None = None,
    limits: Limits = NO_LIMITS,
) -> Written:
    """Write all of `entries`, in order, or nothing. Keys to be removed that are not there are ignored.

    Raises NotFound, Refused unless the session is active, Busy when another drives it, Conflict when `expect` is given
    and is not the number of its events, Invalid, Limit.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if (before := repeated(tx, head.key, operation)) is not None:
        return Written(_messages_among(tx, head, before), head)
    what = "messages" if any(isinstance(one, Said) for one in entries) else "changes of its state"
    accept_writes(head, what)
    fence(tx, head, token)
    expect_head(head, expect)
    if len(entries) > MOST:
        raise Limit(
            f"One transaction accepts at most {MOST:,} entries; there are {len(entries):,}.",
            code="too_many_entries",
            hint="Nothing was written. Send it in smaller parts.",
            limit=MOST,
            value=len(entries),
        )
    known = _known(tx, head, entries)
    state = dict(known)
    events = [event for entry in entries if (event := _event(entry, state)) is not None]
    have_room(tx, head, len(events), limits)
    if not events:
        return Written((), head)
    _put(tx, head, known, state, entries, seq=head.seq + len(events))
    seqs = [head.seq + n for n, event in enumerate(events, 1) if event.type == kinds.MESSAGE]
    after = append(tx, who, head, events, operation, token=token)
    used = spend(tx, head, [one.extra for one in entries if isinstance(one, Said)])
    gone = {name: value for name, value in known.items() if name not in state}
    return Written(tuple(seqs), after, tx.now, gone, used)


def state_of(
    tx: Transaction, who: Principal, session: str, names: Sequence[str] | None = None
) -> dict[str, Json]:
    """Return the state, or those of `names` that are in it. Raises NotFound."""
    key = head_of(tx, who, session).key
    found = tx.state.get(key) if names is None else tx.state.some(key, names)
    found.pop(SYS, None)
    return found


def _known(tx: Transaction, head: Head, entries: Sequence[Entry]) -> dict[str, Json]:
    """Return what is there of the keys that are to be removed."""
    names = {name: None for entry in entries if isinstance(entry, Changed) for name in entry.removed}
    return tx.state.some(head.key, list(names)) if names else {}


def _event(entry: Entry, state: dict[str, Json]) -> NewEvent | None:
    """Return the event that an entry is, and make its change in `state`; None when it changes nothing."""
    match entry:
        case Said():
            return message_event(entry.role, entry.content, entry.sender, entry.extra)
        case Changed():
            check_keys((*entry.sets, *entry.removed))
            check_values(entry.sets)
            gone = [name for name in entry.removed if name in state and name not in entry.sets]
            data: dict[str, Json] = {"set": dict(entry.sets)} if entry.sets else {}
            if gone:
                data["delete"] = list(gone)
            state |= entry.sets
            for name in gone:
                del state[name]
            return new_event(kinds.STATE, encode(data)) if data else None
        case _:
            assert_never(entry)


def _put(
    tx: Transaction,
    head: Head,
    known: JsonMap,
    state: JsonMap,
    entries: Sequence[Entry],
    *,
    seq: int,
) -> None:
    """Make the rows of the state what they are after `entries`; each names the last event of the operation."""
    touched = {name for entry in entries if isinstance(entry, Changed) for name in entry.sets}
    if sets := {name: value for name, value in state.items() if name in touched}:
        tx.state.put(head.key, sets, seq=seq)
    if gone := [name for name in known if name not in state]:
        tx.state.delete(head.key, gone)


def _messages_among(tx: Transaction, head: Head, seqs: Sequence[int]) -> tuple[int, ...]:
    page = tx.journal.read(head.key, after=seqs[0] - 1, until=seqs[-1] + 1, limit=len(seqs))
    return tuple(event.seq for event in page if event.type == kinds.MESSAGE)
