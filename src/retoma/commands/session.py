"""Sessions, one at a time: made, found, shown, changed, begun again, put in the trash."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from retoma.commands.checked import check
from retoma.commands.command import Call, Read, Write
from retoma.errors import Invalid
from retoma.model.changes import Changes
from retoma.model.ids import SessionId
from retoma.model.principal import Principal
from retoma.model.session import NewSession, Status
from retoma.model.shapes import Note
from retoma.service import access, opening, profiles, sessions
from retoma.service.sessions import Whole
from retoma.stores.contract.store import Transaction

__all__ = [
    "AddNote",
    "ChangeStatus",
    "Changed",
    "CreateSession",
    "FailSession",
    "GetOrCreateSession",
    "GetSession",
    "ListNotes",
    "RenameSession",
    "ResetSession",
    "ResolveSession",
    "RestoreSession",
    "ResumeSession",
    "ShowSession",
    "TrashSession",
    "UpdateSession",
]  # fmt: skip


class ResolveSession(Read[SessionId], frozen=True, kw_only=True):
    """Return the id that an id, a unique prefix of one, or @last means. Raises NotFound, Invalid."""

    text: str

    def read(self, tx: Transaction, who: Principal) -> SessionId:
        return access.resolve(tx, who, self.text)


class ShowSession(Read[Whole], frozen=True, kw_only=True):
    """Return all there is to say of a session. Raises NotFound."""

    session: str

    def read(self, tx: Transaction, who: Principal) -> Whole:
        return sessions.show(tx, who, self.session)


class GetSession(Read[Whole | None], frozen=True, kw_only=True):
    """Return all there is to say of a session, or None when there is none."""

    session: str

    def read(self, tx: Transaction, who: Principal) -> Whole | None:
        return sessions.show(tx, who, self.session) if sessions.get(tx, who, self.session) else None


class CreateSession(Write[Whole], frozen=True, kw_only=True):
    """Make a session; what `new` leaves open, the template gives.

    Raises Invalid, Conflict when the id is taken, NotFound (its parent, the template), Limit.

    >>> CreateSession(new=NewSession(id="user-123", title="Generics")).run(opened).session.id
    'user-123'
    """

    new: NewSession
    template: str | None = None
    verb: ClassVar[str] = "create"

    def __post_init__(self) -> None:
        check(self)
        check(self.new)

    def request(self) -> object:
        return self.new if self.template is None else [self.new, self.template]

    def write(self, tx: Transaction, call: Call) -> Whole:
        new = self.new
        if self.template is not None:
            from retoma.model.template import applied

            new = applied(call.templates, self.template, new)
        made = sessions.create(tx, call.who, new, operation=call.operation, limits=call.limits)
        return sessions.show(tx, call.who, made)


class GetOrCreateSession(Write[Whole], frozen=True, kw_only=True):
    """Return the session with the id of `new` as it is; make it when there is none. Raises as `CreateSession` does."""

    new: NewSession
    verb: ClassVar[str] = "create"

    def __post_init__(self) -> None:
        check(self.new)

    hashed: ClassVar[tuple[str, ...]] = ("new",)

    def write(self, tx: Transaction, call: Call) -> Whole:
        return opening.get_or_create(tx, call.who, self.new, operation=call.operation, limits=call.limits)


class ResumeSession(Write[Whole], frozen=True, kw_only=True):
    """Return a session; a suspended one is active again. Raises NotFound, Refused when it is final or in the trash."""

    session: str
    verb: ClassVar[str] = "resume"

    def write(self, tx: Transaction, call: Call) -> Whole:
        return opening.take_up(tx, call.who, self.session, operation=call.operation)


class Changed(msgspec.Struct, frozen=True):
    """A status before and after, and the session as it is now."""

    old: Status
    new: Status
    whole: Whole


class ChangeStatus(Write[Changed], frozen=True, kw_only=True):
    """Pause, resume, end or fail a session; a failure has a reason.

    Raises NotFound, Refused when its status does not allow it, Invalid, Conflict when `expect` is not the number of its
    events.
    """

    session: str
    to: Status
    reason: str = ""
    expect: int | None = None
    verb: ClassVar[str] = "change"
    beside: ClassVar[bool] = True
    hashed: ClassVar[tuple[str, ...]] = ("session", "to", "reason")

    def write(self, tx: Transaction, call: Call) -> Changed:
        old, new = sessions.change(
            tx, call.who, self.session, self.to, reason=self.reason, operation=call.operation, expect=self.expect
        )  # fmt: skip
        return Changed(old, new, sessions.show(tx, call.who, self.session))


class FailSession(ChangeStatus, frozen=True, kw_only=True):
    """End a session as failed, with the reason. Raises Invalid without one, and as `ChangeStatus` does."""

    to: Status = "failed"

    def __post_init__(self) -> None:
        check(self)
        if not self.reason.strip():
            raise Invalid(
                "The reason is empty.", code="no_reason", hint="Give the reason why the session failed."
            )


class ResetSession(Write[tuple[int, Whole]], frozen=True, kw_only=True):
    """Begin a new epoch, empty; what was is kept. Return its number, and the session.

    Raises NotFound, Refused in the trash, Busy when the caller's lease was lost.
    """

    session: str
    verb: ClassVar[str] = "reset"
    beside: ClassVar[bool] = True

    def request(self) -> object:
        return [self.session, False]

    def write(self, tx: Transaction, call: Call) -> tuple[int, Whole]:
        head = sessions.reset(tx, call.who, self.session, operation=call.operation, token=call.token)
        return head.epoch, sessions.show(tx, call.who, self.session)


class UpdateSession(Write[Whole], frozen=True, kw_only=True):
    """Change a session's properties: texts, labels, settings, metadata. Raises NotFound, Invalid, Refused."""

    session: str
    changes: Changes
    verb: ClassVar[str] = "update"
    beside: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self)
        check(self.changes)

    hashed: ClassVar[tuple[str, ...]] = ("session", "changes")

    def write(self, tx: Transaction, call: Call) -> Whole:
        return profiles.update(tx, call.who, self.session, self.changes, operation=call.operation)


class RenameSession(Write[Whole], frozen=True, kw_only=True):
    """Give a session another id; its history stays. Raises NotFound, Invalid, Conflict, Busy, Refused."""

    session: str
    new: str
    verb: ClassVar[str] = "set_id"
    beside: ClassVar[bool] = True
    over: ClassVar[bool] = True
    hashed: ClassVar[tuple[str, ...]] = ("session", "new")

    def write(self, tx: Transaction, call: Call) -> Whole:
        made = profiles.rename(tx, call.who, self.session, self.new, operation=call.operation)
        return sessions.show(tx, call.who, made)


class AddNote(Write[tuple[int, Whole]], frozen=True, kw_only=True):
    """Add a remark to a session; return its seq, and the session. Raises NotFound, Invalid, Refused in the trash."""

    session: str
    text: str
    verb: ClassVar[str] = "note"
    beside: ClassVar[bool] = True
    hashed: ClassVar[tuple[str, ...]] = ("session", "text")

    def write(self, tx: Transaction, call: Call) -> tuple[int, Whole]:
        seq = profiles.note(tx, call.who, self.session, self.text, operation=call.operation)
        return seq, sessions.show(tx, call.who, self.session)


class ListNotes(Read[list[Note]], frozen=True, kw_only=True):
    """Return a session's notes, oldest first. Raises NotFound."""

    session: str

    def read(self, tx: Transaction, who: Principal) -> list[Note]:
        return list(map(Note.of, profiles.notes(tx, who, self.session)))


class TrashSession(Write[Whole], frozen=True, kw_only=True):
    """Hide a session; seven days later it is deleted. Raises NotFound, Busy while it is driven."""

    session: str
    verb: ClassVar[str] = "trash"
    over: ClassVar[bool] = True
    tidies: ClassVar[bool] = True

    def write(self, tx: Transaction, call: Call) -> Whole:
        profiles.trash(tx, call.who, self.session, operation=call.operation)
        return sessions.show(tx, call.who, self.session)


class RestoreSession(Write[Whole], frozen=True, kw_only=True):
    """Take a session out of the trash. Raises NotFound, Refused when it is not in it."""

    session: str
    verb: ClassVar[str] = "restore"
    beside: ClassVar[bool] = True

    def write(self, tx: Transaction, call: Call) -> Whole:
        profiles.restore(tx, call.who, self.session, operation=call.operation)
        return sessions.show(tx, call.who, self.session)
