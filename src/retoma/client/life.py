"""A session's life: refreshed, paused, resumed, ended, reset, put in the trash, redacted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retoma.client.faces import Blocking
from retoma.client.handle import Handle
from retoma.commands.session import (
    ChangeStatus,
    FailSession,
    ResetSession,
    RestoreSession,
    ShowSession,
    TrashSession,
)

if TYPE_CHECKING:
    from retoma.types import Redaction


class Living(Handle, Blocking):
    """What becomes of a session."""

    def refresh(self) -> None:
        """Read the session whole: its attributes are those of now. Raises NotFound when it is gone.

        >>> other = client.get("demo")
        >>> other.rename("By another handle")
        >>> session.refresh()
        >>> session.title
        'By another handle'
        """
        self._refreshed()

    def pause(self, reason: str = "", *, key: str | None = None, expect: int | None = None) -> None:
        """Suspend it: it is read, labelled and noted, and takes no messages and no changes of its state.

        A process that drives it is not asked: it stops at its next step. Raises Refused unless the session is active,
        Conflict when `expect` is not the number of its events, NotFound.

        >>> session.pause("waits for new data")
        >>> session.status, session.reason
        ('suspended', 'waits for new data')
        """
        self._become(ChangeStatus(session=self.id, to="suspended", reason=reason, expect=expect), key)

    def resume(self, *, key: str | None = None, expect: int | None = None) -> None:
        """Make a suspended session active again. Raises Refused unless it is suspended, Conflict, NotFound.

        >>> session.pause()
        >>> session.resume()
        >>> session.status
        'active'
        """
        self._become(ChangeStatus(session=self.id, to="active", expect=expect), key)

    def end(self, reason: str = "", *, key: str | None = None, expect: int | None = None) -> None:
        """Complete it: it is read-only from now on, but for labels and notes.

        Raises Refused once it is final, Conflict, NotFound.

        >>> session.end()
        >>> session.status
        'completed'
        """
        self._become(ChangeStatus(session=self.id, to="completed", reason=reason, expect=expect), key)

    def fail(self, reason: str, *, key: str | None = None, expect: int | None = None) -> None:
        """End it as failed, with the reason; it is read-only as after `end`.

        Raises Invalid without a reason, Refused once it is final, Conflict, NotFound.

        >>> session.fail("the export has no rows")
        >>> session.status, session.reason
        ('failed', 'the export has no rows')
        """
        self._become(FailSession(session=self.id, reason=reason, expect=expect), key)

    def reset(self, *, erase: bool = False, key: str | None = None) -> int:
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
        if erase:
            from retoma.commands.forget import EraseEpochs

            epoch = self._run(EraseEpochs(session=self.id), key)
            self._refreshed()
            return epoch
        epoch, whole = self._run(ResetSession(session=self.id), key)
        self._saw(whole)
        return epoch

    def trash(self, *, key: str | None = None) -> None:
        """Put it in the trash: hidden from lists, read-only, deleted seven days later unless it is restored.

        Raises Busy while it is driven, NotFound.

        >>> session.trash()
        >>> [one.id for one in client.list()], [one.id for one in client.list(deleted=True)]
        ([], ['demo'])
        """
        self._saw(self._run(TrashSession(session=self.id), key))

    def restore(self, *, key: str | None = None) -> None:
        """Take it out of the trash. Raises Refused when it is not in it, NotFound.

        >>> session.trash()
        >>> session.restore()
        >>> session.trashed_at is None
        True
        """
        self._saw(self._run(RestoreSession(session=self.id), key))

    def redact(
        self,
        *,
        pattern: str | None = None,
        first: int | None = None,
        last: int | None = None,
        dry_run: bool = False,
        key: str | None = None,
    ) -> Redaction:
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
        from retoma.commands.forget import RedactSession

        asked = RedactSession(session=self.id, pattern=pattern, first=first, last=last, dry_run=dry_run)
        taken = self._run(asked, key)
        self._refreshed()
        return taken

    def _become(self, command: ChangeStatus, key: str | None) -> None:
        self._saw(self._run(command, key).whole)

    def _refreshed(self) -> None:
        self._saw(self._run(ShowSession(session=self.id)))
