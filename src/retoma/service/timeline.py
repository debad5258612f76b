"""The conversation and the journal: written by one, read by many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from retoma.model import event as kinds
from retoma.model.codec import encode
from retoma.model.event import Event, NewEvent, new_event
from retoma.model.events import kind_of
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
ERASED = "(erased)"
"""What stands for a message whose content is gone."""


class Appended(msgspec.Struct, frozen=True):
    """A message that was appended, and the session's head after it. `at` is ms UTC; None when it was there before."""

    seq: int
    head: Head
    at: int | None = None


def append(
    tx: Transaction,
    who: Principal,
    session: str,
    role: Role,
    said: Content,
    *,
    sender: str = "",
    operation: Operation,
    token: FencingToken | None = None,
    expect: int | None = None,
    limits: Limits = NO_LIMITS,
) -> Appended:
    """Append a message. Durable once the transaction commits.

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
    said_now = [message_event(role, said, sender)]
    after = append_events(tx, who, head, said_now, operation, token=token)
    return Appended(after.seq, after, tx.now)


def message_event(role: Role, said: Content, sender: str = "") -> NewEvent:
    """Return the event that a message is. Raises Invalid when it is too large."""
    data: dict[str, object] = {"role": role, "content": said}
    if sender:
        data["sender"] = sender
    return new_event(kinds.MESSAGE, encode(data))


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
) -> list[Message]:
    """Return the `last` messages of the running epoch behind `since` and ahead of `before`, oldest first.

    With `epochs` those of earlier epochs too. Flows speak in it: a node's content is said by the assistant, an input by
    the user. Tool calls and thoughts alone are left out. Raises NotFound.
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
        found += (said for event in chunk for said in spoken(event, begun) if said.spoken)
    return found[last - 1 :: -1] if found else []


def conversation(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    since: int = 0,
    epochs: bool = False,
    limit: int = CHUNK,
) -> tuple[list[Message], int | None]:
    """Return the messages of the next `limit` events behind `since`, oldest first, and where the next page begins.

    None: it was the last. Raises NotFound.
    """
    head = head_of(tx, who, session)
    page = tx.journal.read(head.key, after=_after(head, since, epochs=epochs), limit=limit)
    begun = _begun(tx, head, epochs=epochs)
    found = [said for event in page for said in spoken(event, begun) if said.spoken]
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
