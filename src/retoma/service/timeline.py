"""The conversation and the journal: written by one, read by many."""

from __future__ import annotations

from collections.abc import Iterator

from retoma.model import event as kinds
from retoma.model.codec import Json, encode
from retoma.model.event import Event, new_event
from retoma.model.ids import Operation
from retoma.model.lease import FencingToken
from retoma.model.message import Message, Role
from retoma.model.principal import Principal
from retoma.model.session import accept_writes
from retoma.service.access import append as append_events
from retoma.service.access import expect_head, fence, head_of, repeated
from retoma.stores.api import Transaction

CHUNK = 1_000
ERASED = "(erased)"
"""What stands for a message whose content is gone."""


def append(
    tx: Transaction,
    who: Principal,
    session: str,
    role: Role,
    content: str,
    *,
    operation: Operation,
    token: FencingToken | None = None,
    expect: int | None = None,
) -> int:
    """Append a message and return its seq. Durable once the transaction commits.

    Raises Refused unless the session is active, Busy when another drives it, Conflict when `expect` is given and is not
    the number of its events.
    """
    who.may_write()
    head = head_of(tx, who, session)
    before = repeated(tx, head.key, operation)
    if before is not None:
        return before[0]
    accept_writes(head, "messages")
    fence(tx, head, token)
    expect_head(head, expect)
    event = new_event(kinds.MESSAGE, encode({"role": role, "content": content}))
    return append_events(tx, who, head, [event], operation).seq


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
    return tx.journal.read(head_of(tx, who, session).key, after=after, limit=limit, until=until)


def messages(
    tx: Transaction,
    who: Principal,
    session: str,
    *,
    last: int | None = None,
    since: int = 0,
    epochs: bool = False,
) -> list[Message]:
    """Return the conversation, oldest first: the `last` messages of the running epoch, or all of them.

    Flows speak in it too: a node's content is said by the assistant, an input by the user.
    """
    head = head_of(tx, who, session)
    after = max(since, 0 if epochs else head.epoch_seq - 1)
    found: list[Message] = []
    before: int | None = None
    while last is None or len(found) < last:
        chunk = tx.journal.tail(head.key, before=before, after=after, limit=min(CHUNK, (last or CHUNK) + 16))
        if not chunk:
            break
        before = chunk[-1].seq
        for event in chunk:
            found.extend(spoken(event))
    found.reverse()
    return found if last is None else found[-last:] if last else []


def spoken(event: Event, *, erased: bool = False) -> Iterator[Message]:
    """Yield what an event says in the conversation; with `erased` also that something was said and erased."""
    if event.type not in kinds.CONVERSATION:
        return
    if event.erased:
        if erased:
            role = {kinds.FLOW_INPUT: "user", kinds.FLOW_STEP: "assistant"}.get(event.type, "")
            yield Message(seq=event.seq, at=event.at, role=role, text=ERASED)
        return
    data = event.value()
    match event.type:
        case kinds.MESSAGE:
            sender = data.get("sender", "")
            yield Message(
                seq=event.seq,
                at=event.at,
                role=str(data.get("role", "")),
                text=_text(data.get("content", "")),
                sender=sender if isinstance(sender, str) else "",
            )
        case kinds.FLOW_INPUT:
            yield Message(
                seq=event.seq,
                at=event.at,
                role="user",
                text=_text(data.get("input", "")),
                sender=str(data.get("node")),
            )
        case kinds.FLOW_STEP if data.get("content"):
            yield Message(
                seq=event.seq,
                at=event.at,
                role="assistant",
                text=str(data["content"]),
                sender=str(data.get("node")),
            )
        case _:
            pass


def _text(content: Json) -> str:
    return content if isinstance(content, str) else encode(content).decode()
