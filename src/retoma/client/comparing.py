"""Two sessions: one made from another, and both side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from retoma.client.faces import Blocking
from retoma.client.session import Session
from retoma.commands.session import ShowSession

if TYPE_CHECKING:
    from retoma.types import Branch, Difference


class Comparing(Blocking):
    """Branches by the ids of their sessions."""

    def fork(
        self, id: str, new: str | None = None, *, at: int | None = None, key: str | None = None
    ) -> Session:
        """Return a new session that shares the past of `id` up to the seq `at`, its last one unless given.

        It does what `session.fork` does: without `new` an id is generated; with `key` a repeated call returns the first
        one. Raises NotFound, Invalid when there is no such event, Conflict when `new` is taken, Refused in the trash,
        Limit.

        >>> client.fork("demo", "other-way").id
        'other-way'
        """
        from retoma.commands.branch import ForkSession

        made = self._run(ForkSession(session=id, new=new, at=at), key)
        return Session(self._opened, self._run(ShowSession(session=made.id)))

    def tree(self, id: str, *, most: int = 1_000) -> Sequence[Branch]:
        """Return a session, its children and its forks, and theirs: at most `most`, parents first. Raises NotFound.

        >>> session.fork("other-way").rename("Shorter")
        >>> [(one.depth, one.id, one.fork_seq) for one in client.tree("demo")]
        [(0, 'demo', None), (1, 'other-way', 1)]
        """
        from retoma.commands.branch import ShowTree
        from retoma.types import Branch

        found = self._run(ShowTree(session=id, most=most))
        return list(map(Branch.of, found))

    def diff(self, a: str, b: str, *, at: int | None = None) -> Difference:
        """Return what each of two sessions has alone, now or as both were at the seq `at`.

        The messages of both are in memory then. Raises NotFound, Invalid when neither has such an event.

        >>> other = session.fork("other-way")
        >>> other.append("user", "The short one.")
        4
        >>> found = client.diff("demo", "other-way")
        >>> found.by, [message.text for message in found.only_b], found.state
        ('fork', ['The short one.'], ())
        """
        from retoma.commands.branch import DiffSessions

        return self._work(self._run(DiffSessions(a=a, b=b, at=at)).whole)
