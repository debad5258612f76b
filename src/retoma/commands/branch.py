"""Branches: another way from any event, back from what was said last, and what belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from retoma.commands.command import Call, Command, Job, Read
from retoma.commands.opened import Opened
from retoma.model.lease import FencingToken
from retoma.model.outcomes import Forked, Undone
from retoma.model.principal import Principal
from retoma.model.session import Session
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from retoma.service.branch.diff import Diff

__all__ = ["DiffSessions", "ForkSession", "ListForks", "ShowTree", "UndoSession"]


class ForkSession(Job[Forked], frozen=True, kw_only=True):
    """Make a session, called `new` if given, that shares the past of this one up to event `at`, its last one unless
    given.

    Raises NotFound, Invalid when there is no such event, Conflict when the id is taken, Refused in the trash, Limit.

    >>> ForkSession(session="demo", new="other-way").run(opened).id
    'other-way'
    """

    session: str
    new: str | None = None
    at: int | None = None
    verb: ClassVar[str] = "fork"
    hashed: ClassVar[tuple[str, ...]] = ("session", "new", "at")

    def work(self, opened: Opened, call: Call) -> Forked:
        from retoma.runtime.branch import fork

        return fork(
            opened.store, call.who, self.session, self.new, seq=self.at, operation=call.operation, limits=call.limits
        )  # fmt: skip


class UndoSession(Job[Undone], frozen=True, kw_only=True):
    """Undo the last user message or input and everything after it; the session as it was is kept under another id.

    Raises NotFound, Busy, Refused when nothing was said or the session is suspended.
    """

    session: str
    verb: ClassVar[str] = "undo"

    def work(self, opened: Opened, call: Call) -> Undone:
        from retoma.runtime.branch import undo

        return undo(opened.store, call.who, self.session, operation=call.operation, token=call.token)


class DiffSessions(Command["Diff"], frozen=True, kw_only=True):
    """Return what two sessions have in common and what each has alone, as both were at event `at` if given.

    The messages are read when they are asked for. Raises NotFound, Invalid when neither has such an event.
    """

    a: str
    b: str
    at: int | None = None

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> Diff:
        from retoma.service.branch.diff import Diff

        return Diff(opened.store, opened.who, self.a, self.b, at=self.at)


class ListForks(Read[Sequence[str]], frozen=True, kw_only=True):
    """Return the sessions that share what this one wrote itself. Raises NotFound."""

    session: str

    def read(self, tx: Transaction, who: Principal) -> Sequence[str]:
        from retoma.service.forget.erasing import forks_of

        return [name for name, _ in forks_of(tx, who, self.session)]


class ShowTree(Read[Sequence[tuple[int, Session]]], frozen=True, kw_only=True):
    """Return a session, its children and its forks, and theirs, as (depth, session), parents first; at most `most`.

    Raises NotFound.
    """

    session: str
    most: int = 1_000

    def read(self, tx: Transaction, who: Principal) -> Sequence[tuple[int, Session]]:
        from retoma.service.tree import tree

        return tree(tx, who, self.session, most=self.most)
