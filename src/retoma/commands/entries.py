"""Several writes of a session in one transaction: messages, and changes of its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from retoma.commands.checked import Checked
from retoma.commands.command import Call, Read, Write
from retoma.model.codec import JsonField, JsonMap
from retoma.model.message import content, role
from retoma.model.principal import Principal
from retoma.service import entries
from retoma.service.access import head_of
from retoma.service.entries import Changed, Entry, Said, Written
from retoma.stores.contract.store import Transaction

__all__ = ["AppendMessages", "ChangeState", "NewMessage", "ReadState", "Standing", "WriteBatch"]


class NewMessage(Checked, frozen=True):
    """A message to write; `content` is a text, or parts as JSON."""

    role: str
    content: JsonField
    sender: str = ""
    extra: Mapping[str, JsonField] = msgspec.field(default_factory=dict)

    def asked(self) -> list[JsonField]:
        """Return what an idempotency key is compared with."""
        return [self.role, self.content, self.sender, *([dict(self.extra)] if self.extra else [])]

    def said(self) -> Said:
        """Return it as it is written. Raises Invalid for another role or content."""
        what = self.content
        return Said(
            role(self.role), what if isinstance(what, str) else content(what), self.sender, self.extra
        )


class _Entries(Write[Written], frozen=True, kw_only=True):
    """Writes entries, all or none, at most 10,000 at a time.

    Raises Refused unless the session is active, Busy when another drives it, Conflict when `expect` is given and is not
    the number of its events, Invalid, Limit, NotFound.
    """

    session: str
    expect: int | None = None
    over: ClassVar[bool] = True

    def entries(self) -> Sequence[Entry]:
        raise NotImplementedError

    def write(self, tx: Transaction, call: Call) -> Written:
        return entries.write(
            tx,
            call.who,
            self.session,
            self.entries(),
            operation=call.operation,
            token=call.token,
            expect=self.expect,
            limits=call.limits,
        )


class AppendMessages(_Entries, frozen=True, kw_only=True):
    """Append messages, all or none, in one transaction. Raises as `AppendMessage` does."""

    messages: tuple[NewMessage, ...]
    verb: ClassVar[str] = "append_many"

    def request(self) -> object:
        return [self.session, [one.asked() for one in self.messages]]

    def entries(self) -> Sequence[Entry]:
        return [one.said() for one in self.messages]


class WriteBatch(_Entries, frozen=True, kw_only=True):
    """Write messages and changes of the state in their order, all or none, in one transaction."""

    batch: tuple[NewMessage | Changed, ...]
    verb: ClassVar[str] = "batch"

    def request(self) -> object:
        return [self.session, list(map(_asked, self.batch))]

    def entries(self) -> Sequence[Entry]:
        return [one.said() if isinstance(one, NewMessage) else one for one in self.batch]


class ChangeState(_Entries, frozen=True, kw_only=True):
    """Set keys of the state, and remove keys; those that are not there are ignored. One durable write.

    Raises as `WriteBatch` does, and Invalid for what JSON would not give back as it is.
    """

    sets: JsonMap
    removed: tuple[str, ...] = ()
    verb: ClassVar[str] = "state"

    def request(self) -> object:
        return [self.session, Changed(self.sets, self.removed)]

    def entries(self) -> Sequence[Entry]:
        return [Changed(self.sets, self.removed)]


class Standing(msgspec.Struct, frozen=True):
    """The state, or some keys of it, and how many events the session had then."""

    head: int
    values: dict[str, JsonField]


class ReadState(Read[Standing], frozen=True, kw_only=True):
    """Return the state, or those of `names` that are in it, as of one moment. Raises NotFound."""

    session: str
    names: tuple[str, ...] | None = None

    def read(self, tx: Transaction, who: Principal) -> Standing:
        head = head_of(tx, who, self.session).seq
        return Standing(head, entries.state_of(tx, who, self.session, self.names))


def _asked(one: NewMessage | Changed) -> object:
    if isinstance(one, NewMessage):
        return one.asked()
    return {"set": dict(one.sets), "delete": list(one.removed)}
