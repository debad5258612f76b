"""The conversation and the journal: written by one, read by many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from retoma.model import event as kinds
from retoma.model.codec import JsonMap, encode
from retoma.model.event import Event, NewEvent, new_event
from retoma.model.events import kind_of
from retoma.model.events.message import TOKENS, tokens
from retoma.model.ids import Operation, SessionKey
from retoma.model.instant import Instant
from retoma.model.lease import FencingToken
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.message import Content, Message, Role
from retoma.model.principal import Principal
from retoma.model.session import FINAL, Head, accept_writes
from retoma.service.access import append as append_events
from retoma.service.access import expect_head, fence, have_room, head_of, repeated
from retoma.stores.contract.store import Transaction

CHUNK = 1_000
NOTHING: Final[JsonMap] = MappingProxyType({})
ERASED = "(erased)"
"""What stands for a message whose content is gone."""


class Appended(msgspec.Struct, frozen=True):
    """A message that was appended, and the session's head after it. `at` is ms UTC; None when it was there before.

    `used` are the session's tokens after it, if it added some.
    """

    seq: int
    head: Head
    at: int | None = None
    used: Mapping[str, int] = {}


def append(
    tx: Transaction,
    who: Principal,
    session: str,
    role: Role,
    said: Content,
    *,
    sender: str = "",
    extra: JsonMap = NOTHING,
    operation: Operation,
    token: FencingToken | None = None,
    expect: int | None = None,
    limits: Limits = NO_LIMITS,
) -> Appended:
    """Append a message, with its `usage` and `metadata` in `extra`. Durable once the transaction commits.

    Raises Refused unless the session is active, Busy when another drives it, Conflict when `expect` is given and is not
    the number of its events, Limit when it is full.
    """
    who.may_write()
    head = head_of(tx, who, session)
    before = repeated(tx, head.key, operation)
    if before is not None:
        return Appended(before[0], head)
    accept_writes(head, "messages")
    fence(tx, head, token)
    expect_head(head, expect)
    have_room(tx, head, 1, limits)
    said_now = [message_event(role, said, sender, extra)]
    after = append_events(tx, who, head, said_now, operation, token=token)
    return Appended(after.seq, after, tx.now, spend(tx, head, [extra]))


def message_event(role: Role, said: Content, sender: str = "", extra: JsonMap = NOTHING) -> NewEvent:
    """Return the event that a message is. Raises Invalid when it is too large."""
    data: dict[str, object] = {"role": role, "content": said}
    if sender:
        data["sender"] = sender
    return new_event(kinds.MESSAGE, encode({**data, **extra}))


def spend(tx: Transaction, head: Head, messages: Iterable[JsonMap]) -> Mapping[str, int]:
    """Add the tokens of messages to the session's; return these, if there were any."""
    used = [one for one in messages if "usage" in one]
    if not used:
        return {}
    counts = [sum(tokens(one, name) or 0 for one in used) for name in TOKENS]
    return dict(zip(TOKENS, tx.sessions.spend(head.key, *counts), strict=True))


def events(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    after: int = 0,
    limit: int = CHUNK,
    until: int | None = None,
) -> list[Event]:
    """Return at most `limit` events after seq `after`, oldest first. Raises NotFound."""
    head = head_of(tx, who, session)
    return tx.journal.read(head.key, after=max(after, head.base), limit=limit, until=until)


class Following(NamedTuple):
    """A page for who follows a session: `over` when none will come any more, and the line that it was read from."""

    events: list[Event]
    over: bool
    line: SessionKey


def tail(
    tx: Transaction, who: Principal, session: str, *, after: int, before: int | None, limit: int
) -> list[Event]:
    """Return the last `limit` events after seq `after` and before `before`, newest first. Raises NotFound."""
    head = head_of(tx, who, session)
    return tx.journal.tail(head.key, before=before, after=max(after, head.base), limit=limit)


def following(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    after: int,
    line: SessionKey | None = None,
    limit: int = CHUNK,
) -> Following:
    """Return the next events after seq `after`. Raises NotFound.

    When an undo put another line in the place of `line`, they begin where that one goes its own way.
    """
    head = head_of(tx, who, session)
    if line is not None and head.key != line and (now := tx.branches.line(head.key)) is not None:
        after = min(after, now.inherited_until)
    page = tx.journal.read(head.key, after=max(after, head.base), limit=limit)
    return Following(page, head.status in FINAL and len(page) < limit, head.key)


def messages(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    last: int,
    since: int = 0,
    before: int | None = None,
    epochs: bool = False,
    tools: bool = False,
) -> list[Message]:
    """Return the `last` messages of the current epoch after `since` and before `before`, oldest first.

    With `epochs` those of earlier epochs too. A node's content is a message of the assistant, an input one of the user.
    Messages of tool calls, results and reasoning alone are included with `tools`. Raises NotFound.
    """
    head = head_of(tx, who, session)
    after = _after(head, since, epochs=epochs)
    found: list[Message] = []
    begun = _begun(tx, head, epochs=epochs)
    while len(found) < last:
        chunk = tx.journal.tail(head.key, before=before, after=after, limit=min(CHUNK, last + 16))
        if not chunk:
            break
        before = chunk[-1].seq
        found += (said for event in chunk for said in spoken(event, begun) if tools or said.spoken)
    return found[last - 1 :: -1] if found else []


def conversation(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    since: int = 0,
    epochs: bool = False,
    tools: bool = False,
    limit: int = CHUNK,
) -> tuple[list[Message], int | None]:
    """Return the messages of the next `limit` events behind `since`, oldest first, and where the next page begins.

    None: it was the last. Raises NotFound.
    """
    head = head_of(tx, who, session)
    page = tx.journal.read(head.key, after=_after(head, since, epochs=epochs), limit=limit)
    begun = _begun(tx, head, epochs=epochs)
    found = [said for event in page for said in spoken(event, begun) if tools or said.spoken]
    return found, page[-1].seq if len(page) == limit else None


def spoken(event: Event, epochs: Sequence[tuple[int, int]], *, erased: bool = False) -> Iterator[Message]:
    """Yield the message that an event is, if it is one. `epochs` are (first seq, number), in order.

    With `erased`, of one that was erased remains that something was said.
    """
    kind = kind_of(event.type)
    if kind.said is None or (event.erased and not erased):
        return
    epoch = next((number for first, number in reversed(epochs) if first <= event.seq), 1)
    if event.erased:
        yield Message(seq=event.seq, at=Instant.of(event.at), role=kind.role, text=ERASED, epoch=epoch)
    elif (message := kind.said(event, event.value())) is not None:
        yield message if epoch == 1 else msgspec.structs.replace(message, epoch=epoch)


def _after(head: Head, since: int, *, epochs: bool) -> int:
    return max(since, head.base, 0 if epochs else head.epoch_seq - 1)


def _begun(tx: Transaction, head: Head, *, epochs: bool) -> list[tuple[int, int]]:
    """Return where each epoch begins; the running one alone, unless all are read."""
    return tx.sessions.epochs(head.key) if epochs else [(head.epoch_seq, head.epoch)]
