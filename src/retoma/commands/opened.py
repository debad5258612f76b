"""One opened store, and what commands need beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from retoma.errors import RetomaError, Unavailable
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.runtime.supervisor import Supervisor
from retoma.stores.contract.store import Store
from retoma.wiring import SYSTEM, Sources, open_store

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from retoma.config import Settings, StorePlace
    from retoma.model.retention import Retention
    from retoma.model.template import Template
    from retoma.runtime.indexer import Indexer

T = TypeVar("T")


class Opened:
    """A store, who uses it, by which rules, and what is closed with it. For any number of threads of one process.

    With `indexes` the search index is kept up to date with what this process writes, by the supervisor `beside`.
    """

    def __init__(
        self,
        store: Store,
        who: Principal,
        *,
        sources: Sources = SYSTEM,
        limits: Limits = NO_LIMITS,
        retention: Retention | None = None,
        templates: Mapping[str, Template] = {},
        indexes: bool = False,
    ) -> None:
        self.store = store
        self.who = who
        self.sources = sources
        self.limits = limits
        self.retention = retention
        self.templates = templates
        self.held: dict[object, Callable[[], None]] = {}
        """What holds a session, and what releases it."""
        self.waiting: list[tuple[str, object]] = []
        """Who of this process waits for the lease of which session, in the order in which they came."""
        self.closed = False
        self.worked = False
        self.process = os.getpid()
        self._threads: ThreadPoolExecutor | None = None
        self.beside = Supervisor()
        self._indexer: Indexer | None = None
        if indexes:
            from retoma.runtime.indexer import PAUSE_S, Indexer

            self._indexer = Indexer(store, who)
            self.beside.add(self._indexer.work, PAUSE_S)

    def ready(self) -> None:
        """Raise Unavailable when this was closed, or in a process that was forked off."""
        if self.closed:
            raise Unavailable("This client was closed.", code="closed", hint="Open a new one: retoma.open().")
        if self.process != os.getpid():
            raise Unavailable(
                f"This client was opened by process {self.process}, the parent of this process.",
                code="forked",
                hint="Nothing was written. Open a client in each process, after the fork.",
                process=self.process,
            )

    @property
    def forked(self) -> bool:
        """Whether this is another process than the one that opened the store: nothing of it may be touched then."""
        return self.process != os.getpid()

    @property
    def wrote(self) -> bool:
        """Whether anything was written since the store was opened."""
        return self.store.writes > 0

    def now(self) -> int:
        """Return the time, ms UTC."""
        return self.sources.now()

    def let_go(self, held: object) -> None:
        """Release what holds a session, once; a forked process leaves it to the one that took it."""
        release = self.held.pop(held, None)
        if release is not None and not self.forked:
            release()

    def close(self) -> None:
        """Let go of what is held, and close the store. A second time, or in a forked process, it does nothing.

        Everything stays, but for what is due by retention, when something was written.
        """
        if self.closed or self.forked:
            return
        self.closed = True
        if self._indexer is not None:
            self.beside.remove(self._indexer.work)
        for release in tuple(self.held.values()):
            release()
        try:
            if self.wrote and not self.worked:
                from retoma.commands.due import WorkDue

                with suppress(RetomaError):  # it is the next one's, and no failure of what was done here
                    WorkDue().run(self)
        finally:
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.worked = self.worked or error is not None
        self.close()

    # For tasks

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` on a thread of this store's own. Cancelled before it began, it is not run."""
        import asyncio

        return await asyncio.wrap_future(self.threads().submit(work))

    async def aclose(self) -> None:
        """Close as `close` does, and end the threads."""
        if self.closed or self.forked:
            return
        await self.in_thread(self.close)
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()

    def threads(self) -> ThreadPoolExecutor:
        """Return the threads that wait for tasks, none of which runs before it is needed."""
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(thread_name_prefix="retoma-wait")
        return self._threads

    def take_threads(self, threads: ThreadPoolExecutor) -> None:
        """Use threads that are there; they end with this."""
        self._threads = threads


def opened(settings: Settings, *, user: str | None = None, indexes: bool = False) -> Opened:
    """Open the store that the settings lead to, as its local owner: `user`, or else the system's."""
    from retoma.config import find_store

    place = find_store(settings)
    return Opened(
        open_store(place),
        _owner(user or settings.environment.user),
        limits=settings.limits,
        retention=settings.retention(place) if settings.sets("retention") else None,
        templates=settings.templates if settings.sets("templates") else {},
        indexes=indexes,
    )


def opened_at(place: StorePlace, *, user: str = "") -> Opened:
    """Open the store at `place`, as its local owner."""
    return Opened(open_store(place), _owner(user))


def _owner(user: str) -> Principal:
    return Principal(LOCAL_TENANT, user or "local")
