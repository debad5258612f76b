"""The verbs of a session's life: read anew, paused, resumed, ended, begun anew, put away, forgotten, let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retoma.client.faces import Act, verb
from retoma.client.handle import Handle
from retoma.errors import Invalid
from retoma.model.session import Status
from retoma.service import profiles, sessions
from retoma.stores.api import Transaction

if TYPE_CHECKING:
    from retoma.values import Redaction


class Living(Handle):
    """What becomes of a session."""

    @verb
    def refresh(self) -> Act[None]:
        """Read the session whole: its attributes are those of now. Raises NotFound when it is gone.

        >>> other = client.get("demo")
        >>> other.rename("By another handle")
        >>> session.refresh()
        >>> session.title
        'By another handle'
        """
        return self._work(self._refreshed)

    @verb
    def pause(self, reason: str = "", *, key: str | None = None, expect: int | None = None) -> Act[None]:
        """Suspend it: it is read, labelled and noted, and takes no messages and no changes of its state.

        A process that drives it is not asked: it stops at its next step. Raises Refused unless the session is active,
        Conflict when `expect` is not the number of its events, NotFound.

        >>> session.pause("waits for new data")
        >>> session.status, session.reason
        ('suspended', 'waits for new data')
        """
        return self._become("suspended", reason, key, expect)

    @verb
    def resume(self, *, key: str | None = None, expect: int | None = None) -> Act[None]:
        """Make a suspended session active again. Raises Refused unless it is suspended, Conflict, NotFound.

        >>> session.pause()
        >>> session.resume()
        >>> session.status
        'active'
        """
        return self._become("active", "", key, expect)

    @verb
    def end(self, reason: str = "", *, key: str | None = None, expect: int | None = None) -> Act[None]:
        """Complete it: it is read-only from now on, but for labels and notes.

        Raises Refused once it is final, Conflict, NotFound.

        >>> session.end()
        >>> session.status
        'completed'
        """
        return self._become("completed", reason, key, expect)

    @verb
    def fail(self, reason: str, *, key: str | None = None, expect: int | None = None) -> Act[None]:
        """End it as failed, with the reason; it is read-only as after `end`.

        Raises Invalid without a reason, Refused once it is final, Conflict, NotFound.

        >>> session.fail("the export has no rows")
        >>> session.status, session.reason
        ('failed', 'the export has no rows')
        """
        if not reason.strip():
            raise Invalid("The reason is empty.", code="no_reason", hint="Say why it failed.")
        return self._become("failed", reason, key, expect)

    @verb
    def reset(self, *, erase: bool = False, key: str | None = None) -> Act[int]:
        """Begin a new epoch and return its number: conversation, state and flow start empty, what was is kept.

        A final session is active again. Id, labels, settings and notes stay. Another driver of it is fenced off. With
        `erase` the earlier epochs are deleted for good, and whoever drives it is fenced off, this handle too. Raises
        Refused in the trash, Busy when this handle's lease was lost, NotFound.

        >>> session.append("user", "Which rows fail?")
        2
        >>> session.reset()
        2
        >>> session.messages(), len(session.messages(epochs=True))
        ([], 1)
        """
        door, held = self._door, self._held
        if erase:
            return self._then_seen(lambda: door.calls.reset(self.id, erase=True, key=key))
        operation = door.operation(key, "reset", [self.id, False])

        def use_case(tx: Transaction) -> int:
            token = held.token if held else None
            return sessions.reset(tx, door.who, self.id, operation=operation, token=token).epoch

        return self._told(use_case)

    @verb
    def trash(self, *, key: str | None = None) -> Act[None]:
        """Put it in the trash: hidden from lists, read-only, deleted seven days later unless it is restored.

        Raises Busy while it is driven, NotFound.

        >>> session.trash()
        >>> [one.id for one in client.list()], [one.id for one in client.list(deleted=True)]
        ([], ['demo'])
        """
        return self._then_seen(lambda: self._door.calls.trash(self.id, key=key))

    @verb
    def restore(self, *, key: str | None = None) -> Act[None]:
        """Take it out of the trash. Raises Refused when it is not in it, NotFound.

        >>> session.trash()
        >>> session.restore()
        >>> session.trashed_at is None
        True
        """
        door = self._door
        operation = door.operation(key, "restore", self.id)
        return self._told(lambda tx: profiles.restore(tx, door.who, self.id, operation=operation))

    @verb
    def redact(
        self,
        *,
        pattern: str | None = None,
        first: int | None = None,
        last: int | None = None,
        dry_run: bool = False,
        key: str | None = None,
    ) -> Act[Redaction]:
        """Take content out for good: the events from the seq `first` to `last`, or each in which `pattern` is found.

        `pattern` is a regular expression, held against each value by itself, in every epoch, in the state and in what
        is said of the session. Events keep their place, and the journal still verifies. What goes is returned as
        `events` (seqs), `keys` of the state and `fields`; with `dry_run` it stays. Raises Invalid, also for a
        pattern that takes too long, Busy while the session is driven, Refused in the trash, NotFound.

        >>> session.append("user", "My card is 4111 1111 1111 1111.")
        2
        >>> session.redact(pattern=r"4111( ?\\d{4}){3}").events
        (2,)
        >>> session.messages()
        []
        """
        from retoma.model.pattern import Pattern
        from retoma.service.erasing import Selection

        if (pattern is None) == (first is None):
            raise Invalid(
                "Name what is to go: a pattern, or the events from first to last.", code="bad_usage"
            )
        until = first if last is None and pattern is None else last
        selection = Selection(
            first=first or 1, last=until, wanted=Pattern(pattern) if pattern is not None else None
        )
        calls = self._door.calls
        return self._then_seen(
            lambda: calls.redact(self.id, selection, pattern=pattern, key=key, dry_run=dry_run)
        )

    def _become(self, status: Status, reason: str, key: str | None, expect: int | None) -> Act[None]:
        door = self._door
        operation = door.operation(key, "change", [self.id, status, reason])

        def use_case(tx: Transaction) -> None:
            sessions.change(tx, door.who, self.id, status, reason=reason, operation=operation, expect=expect)

        return self._told(use_case)
