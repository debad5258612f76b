"""The handle of a session, for a program that waits for what it asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from retoma.client import given
from retoma.client.batch import BlockingBatch
from retoma.client.branching import Branching
from retoma.client.current import current
from retoma.client.held import BlockingLease
from retoma.client.labels import Labelling
from retoma.client.life import Living
from retoma.client.state import State
from retoma.client.talk import Talking


class Session(Talking, Labelling, Living, Branching):
    """A session that a client took up: what it is, as attributes, and what can be done with it.

    The attributes are a snapshot, as of the last `refresh` or the last write through this handle. Everything that is
    done is durable when the call returns. One handle may be used by any number of threads.

    >>> session.append("user", "Which rows fail?")
    2
    >>> session.id, session.status, session.head, session.message_count
    ('demo', 'active', 2, 1)
    """

    @property
    def state(self) -> State:
        """Its state, a mapping whose every change is one durable write.

        >>> session.state["done"] = 3
        >>> session.state["done"]
        3
        """
        return State(self)

    def batch(self, *, key: str | None = None, expect: int | None = None) -> BlockingBatch:
        """Return what collects messages and changes of the state, and writes them together when the `with` ends.

        All of them, or none when anything is raised. With `key` they are written once, however often the `with` is
        repeated; with `expect` only if the session has that many events. The end of the `with` raises as `append` does.

        >>> with session.batch() as batch:
        ...     batch.append("user", "Done with March.")
        ...     batch.state["month"] = 4
        >>> batch.seqs
        [2]
        """
        return BlockingBatch(self, key, expect)

    def lease(
        self, ttl: given.Duration | None = None, *, wait: given.Duration | None = None
    ) -> BlockingLease:
        """Return the right to be the only one who writes messages, steps and state, for a `with`.

        `ttl` is its term, 15 seconds unless given, between a second and an hour; it is renewed as long as the `with`
        lasts. A process that is killed loses it at once on its own machine, elsewhere at the end of the term. With
        `wait`, the `with` waits for so long while another drives the session; those that wait in one process get it in
        the order in which they came. Then, and without `wait` at once, the `with` raises Busy, with `holder`, `since`
        and `expires` (ms UTC). It raises Refused in the trash.

        >>> with session.lease(ttl="30s"):
        ...     session.append("assistant", "Only I write here now.")
        2
        """
        return BlockingLease(self, ttl, wait)

    @contextmanager
    def use(self) -> Iterator[Self]:
        """Make it the current session: what a call without an id means, in this thread or task, until the `with` ends.

        >>> with session.use():
        ...     client.session().id
        'demo'
        """
        token = current.set(self)
        try:
            yield self
        finally:
            current.reset(token)

    def disconnect(self) -> None:
        """Let go of it: a lease of this handle ends, and the handle takes no calls any more. Everything stays.

        Twice is no error. `with client.resume("demo") as session:` does it at the end.

        >>> session.disconnect()
        >>> client.resume("demo").status
        'active'
        """
        self._work(self._let_go)

    def __enter__(self) -> Self:
        self._ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()
