"""The verbs for two sessions: one made from another, and both side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from retoma.client.faces import Act, Face, Work, verb
from retoma.service import sessions

if TYPE_CHECKING:
    from retoma.values import Difference

S = TypeVar("S")


class Comparing(Face, Generic[S]):
    """Branches by the ids of their sessions. `S` is the handle of the face."""

    @verb
    def fork(
        self, id: str, new: str | None = None, *, at: int | None = None, key: str | None = None
    ) -> Act[S]:
        """Return a new session that shares the past of `id` up to the seq `at`, its last one unless given.

        It does what `session.fork` does: without `new` an id is generated; with `key` a repeated call returns the first
        one. Raises NotFound, Invalid when there is no such event, Conflict when `new` is taken, Refused in the trash,
        Limit.

        >>> client.fork("demo", "other-way").id
        'other-way'
        """
        calls = self._door.calls
        return Work(self._door, lambda: self._handle(calls.show(calls.fork(id, new, at=at, key=key).id)))

    @verb
    def diff(self, a: str, b: str, *, at: int | None = None) -> Act[Difference]:
        """Return what each of two sessions has alone, now or as both were at the seq `at`.

        The messages of both are in memory then. Raises NotFound, Invalid when neither has such an event.

        >>> other = session.fork("other-way")
        >>> other.append("user", "The short one.")
        4
        >>> found = client.diff("demo", "other-way")
        >>> found.by, [message.text for message in found.only_b], found.state
        ('fork', ['The short one.'], ())
        """
        from retoma.client.public import difference

        return Work(self._door, lambda: difference(self._door.calls.diff(a, b, at=at)))

    def _handle(self, whole: sessions.Whole) -> S:
        raise NotImplementedError
