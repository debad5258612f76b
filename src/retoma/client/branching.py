"""Branches of a session: another way from any event, and back."""

from __future__ import annotations

from typing import Self

from retoma.client.faces import Blocking
from retoma.client.handle import Handle
from retoma.commands.session import ShowSession


class Branching(Handle, Blocking):
    """Where a session parts from another."""

    def fork(self, id: str | None = None, *, at: int | None = None, key: str | None = None) -> Self:
        """Return a new session that shares the past of this one up to the seq `at`, its last one unless given.

        It is active, goes on by itself, and takes no time to make however long the past is. Without an id one is
        generated. With `key` a repeated call returns the first one. Raises Invalid when there is no such event,
        Conflict when the id is taken, Refused in the trash, Limit, NotFound.

        >>> session.append("user", "Which way?")
        2
        >>> other = session.fork("other-way")
        >>> other.append("user", "The short one.")
        5
        >>> [message.text for message in other.messages()], len(session.messages())
        (['Which way?', 'The short one.'], 1)
        """
        from retoma.commands.branch import ForkSession

        made = self._run(ForkSession(session=self.id, new=id, at=at), key)
        return type(self)(self._opened, self._run(ShowSession(session=made.id)))

    def undo(self, *, key: str | None = None) -> str | None:
        """Go back to before the last user message, or the last input of its flow; return the id of what was.

        That is kept whole, archived; None once it was deleted. The id, the title, labels and settings stay, and so does
        a lease of this handle. With `key` it is done once. Raises Refused when no user has said anything or the session
        is suspended, Busy while another drives it, NotFound.

        >>> session.append("user", "Which way?")
        2
        >>> session.append("user", "Never mind.")
        3
        >>> session.undo()
        'demo~1'
        >>> [message.text for message in session.messages()]
        ['Which way?']
        """
        from retoma.commands.branch import UndoSession

        undone = self._run(UndoSession(session=self.id), key)
        self._saw(self._run(ShowSession(session=self.id)))
        return undone.kept
