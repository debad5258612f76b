"""The conversation of a session, and its journal: written by one, read by many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

import msgspec

from retoma.commands.command import Call, Read, Stream, Write
from retoma.commands.opened import Opened
from retoma.model import event
from retoma.model.codec import JsonField
from retoma.model.lease import FencingToken
from retoma.model.message import ROLES, Message, content, role
from retoma.model.pages import Event
from retoma.model.principal import Principal
from retoma.service import timeline
from retoma.service.timeline import Appended
from retoma.stores.contract.store import Transaction

__all__ = ["AppendMessage", "ReadConversation", "ReadEvents", "ReadMessages"]


class AppendMessage(Write[Appended], frozen=True, kw_only=True):
    """Append a message to a session, a text or parts as JSON; it is durable when this returns.

    Raises Refused unless the session is active, Busy when another drives it, Conflict when `expect` is given and is not
    the number of its events, Invalid for another role or content, Limit, NotFound.

    >>> AppendMessage(session="demo", role="user", content="Which rows fail?").run(opened).seq
    2
    """

    session: str
    role: str
    content: JsonField
    sender: str = ""
    extra: Mapping[str, JsonField] = msgspec.field(default_factory=dict)
    expect: int | None = None
    verb: ClassVar[str] = "append"
    over: ClassVar[bool] = True

    def request(self) -> object:
        sender = [self.sender] if self.sender or self.extra else []
        return [self.session, self.role, self.content, *sender, *([dict(self.extra)] if self.extra else [])]

    def write(self, tx: Transaction, call: Call) -> Appended:
        said = self.content
        return timeline.append(
            tx,
            call.who,
            self.session,
            self.role if self.role in ROLES else role(self.role),
            said if isinstance(said, str) else content(said),
            sender=self.sender,
            extra=self.extra,
            operation=call.operation,
            token=call.token,
            expect=self.expect,
            limits=call.limits,
        )


class ReadMessages(Read[list[Message]], frozen=True, kw_only=True):
    """Return the conversation of the running epoch, oldest first; of all epochs with `epochs`.

    `last` reads that many from its end, `before` a seq those before it; without both everything is read, in pages.
    `since` leaves out what is not after that seq. With `tools`, messages of tool calls, results and reasoning alone are
    included. Raises NotFound, Integrity when a message is damaged.

    >>> [message.text for message in ReadMessages(session="demo", last=50).run(opened)]
    ['Which rows fail?']
    """

    session: str
    last: int | None = None
    since: int = 0
    before: int | None = None
    epochs: bool = False
    tools: bool = False

    def read(self, tx: Transaction, who: Principal) -> list[Message]:
        last = _EVERY if self.last is None else self.last
        return timeline.messages(
            tx, who, self.session, last=last, since=self.since, before=self.before, epochs=self.epochs, tools=self.tools
        )  # fmt: skip

    def run(
        self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None
    ) -> list[Message]:
        if self.last is None and self.before is None:
            every = ReadConversation(
                session=self.session, since=self.since, epochs=self.epochs, tools=self.tools
            )
            return list(every.run(opened))
        return opened.store.read(partial(self.read, who=opened.who))


_EVERY = 1 << 31


class ReadConversation(Stream[Message], frozen=True, kw_only=True):
    """Yield the conversation after `since`, oldest first, read in pages of 1,000 events. Raises NotFound.

    With `follow`, also what is said from now on, until the session is completed or failed.
    """

    session: str
    since: int = 0
    epochs: bool = False
    tools: bool = False
    follow: bool = False

    def pages(self, opened: Opened) -> Iterator[Sequence[Message] | None]:
        if self.follow:
            for events in _journal(opened, self.session, self.since, follow=True):
                said = (one for event in events or () for one in timeline.spoken(event, ()))
                yield None if events is None else [one for one in said if self.tools or one.spoken]
            return
        following: int | None = self.since
        while following is not None:
            page, following = opened.store.read(
                partial(
                    timeline.conversation, who=opened.who, session=self.session, since=following, epochs=self.epochs,
                    tools=self.tools,
                )
            )  # fmt: skip
            yield page


class ReadEvents(Stream[Event], frozen=True, kw_only=True):
    """Yield the journal after `since`, oldest first, in pages of 1,000; only of `types`, if given.

    `last` reads that many from its end, `before` a seq those before it, in one transaction. With `follow`, also the
    events to come, until the session is completed or failed. Raises NotFound (also once it is deleted), Integrity when
    an event is damaged.

    >>> [event.type for event in ReadEvents(session="demo").run(opened)]
    ['session.created', 'message']
    """

    session: str
    since: int = 0
    types: frozenset[str] | None = None
    follow: bool = False
    last: int | None = None
    before: int | None = None

    def pages(self, opened: Opened) -> Iterator[Sequence[Event] | None]:
        wanted = self.types
        if self.last is not None or self.before is not None:
            yield opened.store.read(partial(self._tail, who=opened.who))
            return
        for page in _journal(opened, self.session, self.since, follow=self.follow):
            if page is None:
                yield None
            else:
                yield [Event.of(one) for one in page if wanted is None or one.type in wanted]

    def _tail(self, tx: Transaction, who: Principal) -> list[Event]:
        found: list[Event] = []
        last, before = _EVERY if self.last is None else self.last, self.before
        while len(found) < last:
            limit = min(timeline.CHUNK, last + 16)
            page = timeline.tail(tx, who, self.session, after=self.since, before=before, limit=limit)
            found += (Event.of(one) for one in page if self.types is None or one.type in self.types)
            if len(page) < limit:
                break
            before = page[-1].seq
        return found[last - 1 :: -1] if found and last > 0 else []


def _journal(
    opened: Opened, session: str, since: int, *, follow: bool
) -> Iterator[Sequence[event.Event] | None]:
    line = None
    while True:
        asked = partial(timeline.following, who=opened.who, session=session, after=since, line=line)
        page, over, line = opened.store.read(asked)
        if page:
            since = page[-1].seq
            yield page
        elif over or not follow:
            return
        else:
            yield None
