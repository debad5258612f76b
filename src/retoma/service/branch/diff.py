"""Two sessions side by side: what they have in common at their beginning, and what each has alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final, Literal, NamedTuple

import msgspec

from retoma.errors import Invalid
from retoma.model import outcomes
from retoma.model.branch import shared
from retoma.model.codec import Json, JsonMap, decode
from retoma.model.event import Event
from retoma.model.ids import SessionKey
from retoma.model.message import Message
from retoma.model.outcomes import Differs
from retoma.model.principal import Principal
from retoma.model.session import Session
from retoma.model.state import SYS
from retoma.service.branch import past
from retoma.service.sessions import show
from retoma.service.timeline import spoken
from retoma.stores.contract.store import Store, Transaction

_PAGE: Final = 1_000


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two as it is compared, where its own part begins, and its epochs as (first seq, number)."""

    session: Session
    after: int
    epochs: tuple[tuple[int, int], ...]


class Shared(NamedTuple):
    """The beginning that both have, by events that they share or because the same was said; up to where in each."""

    by: Literal["fork", "content"] | None
    a: int
    b: int


class Diff:
    """The difference between two sessions, now or as both were at event `at`.

    Messages are read when they are asked for. Raises NotFound, Invalid.
    """

    def __init__(self, store: Store, who: Principal, a: str, b: str, *, at: int | None) -> None:
        self._store = store
        self.a, self.b, forked, self.state = store.read(partial(_look, who=who, names=(a, b), at=at))
        same = 0
        ours, theirs = self._messages(self.a), self._messages(self.b)
        ends = self.a.after, self.b.after
        for one, other in zip(ours, theirs, strict=False):
            if _said(one) != _said(other):
                break
            same += 1
            ends = one.seq, other.seq
        self.common = Shared("fork" if forked else "content" if same else None, *ends)

    def only(self, side: Literal["a", "b"]) -> Iterator[Message]:
        """Yield the messages that one of the two has alone, oldest first, of all its epochs."""
        one, after = (self.a, self.common.a) if side == "a" else (self.b, self.common.b)
        return self._messages(msgspec.structs.replace(one, after=after))

    def whole(self) -> outcomes.Difference:
        """Return all of it, in memory."""
        alone = outcomes.Alone(tuple(self.only("a")), tuple(self.only("b")))
        return self.without(alone)

    def without(self, messages: outcomes.Alone) -> outcomes.Difference:
        """Return it with these messages."""
        return outcomes.Difference(
            a=outcomes.Side.of(self.a.session),
            b=outcomes.Side.of(self.b.session),
            common=outcomes.Common(*self.common),
            messages=messages,
            state=tuple(self.state),
        )

    def _messages(self, side: Side) -> Iterator[Message]:
        after, last = side.after, side.session.seq
        while after < last:
            page = self._store.read(partial(_events, key=side.session.key, after=after, last=last))
            if not page:
                return  # it was cut or deleted meanwhile
            yield from (said for event in page for said in spoken(event, side.epochs) if said.spoken)
            after = page[-1].seq


def _look(
    tx: Transaction, who: Principal, names: tuple[str, str], at: int | None
) -> tuple[Side, Side, bool, list[Differs]]:
    now = [show(tx, who, name).session for name in names]
    if at is not None and not 0 < at <= max(one.seq for one in now):
        raise Invalid(
            f"Neither session has an event {at:,}.",
            code="no_event",
            hint=f"`retoma session log {names[0]}` shows the existing events.",
            seq=at,
        )
    states: list[JsonMap | None] = [None, None]
    for n, one in enumerate(now):
        if at is not None and at < one.seq:
            then = past.moment(tx, who, one, at)
            now[n], states[n] = then.session, then.state
    lines = [tx.branches.line(one.key) for one in now]
    together = shared(lines[0], lines[1]) if lines[0] and lines[1] else 0
    together = min(together, now[0].seq, now[1].seq)
    a, b = (
        Side(
            session=one,
            after=together or tx.branches.start(who.tenant, one.key, one.uid)[0],
            epochs=tuple(tx.sessions.epochs(one.key)),
        )
        for one in now
    )
    return (
        a,
        b,
        together > 0,
        list(_differing(_state(tx, now[0].key, states[0]), _state(tx, now[1].key, states[1]))),
    )


def _events(tx: Transaction, key: SessionKey, after: int, last: int) -> list[Event]:
    return tx.journal.read(key, after=after, until=last + 1, limit=_PAGE)


def _said(message: Message) -> tuple[object, ...]:
    return message.role, message.sender, message.text, message.parts


# State


def _state(tx: Transaction, key: SessionKey, then: Mapping[str, Json] | None) -> Iterator[tuple[str, Json]]:
    """Yield a state in the order of its keys: that of `then`, else the rows, page by page."""
    if then is not None:
        yield from sorted(then.items(), key=lambda item: item[0].encode())
        return
    after: str | None = None
    while page := tx.transfers.state(key, after=after, limit=_PAGE):
        yield from ((name, decode(value)) for name, value, _ in page if name != SYS)
        after = page[-1][0]


def _differing(ours: Iterator[tuple[str, Json]], theirs: Iterator[tuple[str, Json]]) -> Iterator[Differs]:
    """Yield what differs of two states, each in the order of its keys."""
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0].encode() < other[0].encode()):
            assert one is not None
            yield Differs(key=one[0], where="a", a=one[1])
            one = next(ours, None)
        elif one is None or other[0].encode() < one[0].encode():
            yield Differs(key=other[0], where="b", b=other[1])
            other = next(theirs, None)
        else:
            if one[1] != other[1]:
                yield Differs(key=one[0], where="both", a=one[1], b=other[1])
            one, other = next(ours, None), next(theirs, None)
