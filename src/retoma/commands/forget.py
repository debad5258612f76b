"""What makes a store forget: a session deleted, its content taken out, its earlier epochs erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from retoma.commands.command import Call, Job, Write
from retoma.commands.opened import Opened
from retoma.errors import Invalid
from retoma.service.forget.deleting import Deleted, delete
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from retoma.service.forget.erasing import Redaction

__all__ = ["DeleteSession", "EraseEpochs", "RedactSession"]


class DeleteSession(Write[Deleted], frozen=True, kw_only=True):
    """Delete a session for good: rows, state and journal, in no file of the store any more. Raises NotFound.

    What forks share of it stays for them; `with_forks` they are deleted, too.

    >>> DeleteSession(session="demo").run(opened).id
    'demo'
    """

    session: str
    with_forks: bool = False
    verb: ClassVar[str] = "delete"
    tidies: ClassVar[bool] = True

    def request(self) -> object:
        return [self.session, True] if self.with_forks else self.session

    def write(self, tx: Transaction, call: Call) -> Deleted:
        return delete(tx, call.who, self.session, with_forks=self.with_forks, operation=call.operation)


class EraseEpochs(Job[int], frozen=True, kw_only=True):
    """Begin a new epoch, delete the earlier ones for good, and return its number; forks forget what they share of them.

    Raises NotFound, Refused in the trash, Busy while such a fork is driven.
    """

    session: str
    verb: ClassVar[str] = "reset"
    tidies: ClassVar[bool] = True

    def request(self) -> object:
        return [self.session, True]

    def work(self, opened: Opened, call: Call) -> int:
        from retoma.runtime.forget import reset_erasing

        return reset_erasing(opened.store, call.who, self.session, call.operation)


class RedactSession(Job["Redaction"], frozen=True, kw_only=True):
    """Take content out for good: the events from `first` to `last`, or whatever the regular expression `pattern` finds.

    Sessions that share the events forget them, too, and a pattern is looked for in what forks wrote themselves. With
    `dry_run` nothing is changed, and what would go is returned. Raises Invalid, also for a pattern that takes too long,
    NotFound, Busy, Refused in the trash.
    """

    session: str
    pattern: str | None = None
    first: int | None = None
    last: int | None = None
    dry_run: bool = False
    verb: ClassVar[str] = "redact"

    def request(self) -> object:
        return [self.session, *self._stretch(), self.pattern]

    def _stretch(self) -> tuple[int, int | None]:
        one = self.last is None and self.pattern is None
        return self.first or 1, self.first if one else self.last

    def work(self, opened: Opened, call: Call) -> Redaction:
        from retoma.model.pattern import Pattern
        from retoma.runtime.forget import redact
        from retoma.service.forget.erasing import Selection

        if (self.pattern is None) == (self.first is None):
            raise Invalid("Give what to redact: a pattern, or the first and last event.", code="bad_usage")
        first, last = self._stretch()
        wanted = Pattern(self.pattern) if self.pattern is not None else None
        selection = Selection(first=first, last=last, wanted=wanted)
        operation = None if self.dry_run else call.operation
        return redact(opened.store, call.who, self.session, selection, operation)
