"""One opened store, as both Python faces go through it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from retoma.client.calls import Calls, operation_of
from retoma.errors import Unavailable
from retoma.model.ids import Operation
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.principal import Principal
from retoma.model.session import NewSession
from retoma.stores.api import Store, Transaction
from retoma.wiring import SYSTEM, Sources

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from retoma.model.retention import Retention
    from retoma.model.template import Template
    from retoma.runtime.indexer import Indexer
    from retoma.runtime.lease import Held

T = TypeVar("T")


class Door:
    """A store, who uses it, and what is to be closed with it. For any number of threads of one process.

    With `indexes` the search index is kept up with what this process writes, on a thread of its own.
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
        self._indexer: Indexer | None = None
        self.store = store
        self.who = who
        self.limits = limits
        self._templates = templates
        self.calls = Calls(
            store, who, sources=sources, limits=limits, retention=retention, templates=templates
        )
        self.held: set[Held] = set()
        self._sources = sources
        self._process = os.getpid()
        self._closed = False
        self._threads: ThreadPoolExecutor | None = None
        if indexes:
            from retoma.runtime.indexer import Indexer

            self._indexer = Indexer(store, who)

    def ready(self) -> None:
        """Raise Unavailable when this was closed, or in a process that was forked off."""
        if self._closed:
            raise Unavailable("This client was closed.", code="closed", hint="Open another: retoma.open().")
        if self.forked:
            raise Unavailable(
                f"This client was opened by process {self._process}, before this one was forked off.",
                code="forked",
                hint="Nothing was written. Open one in each process, after the fork.",
                process=self._process,
            )

    @property
    def forked(self) -> bool:
        """Whether this is another process than the one that opened the store: nothing of it may be touched then."""
        return self._process != os.getpid()

    def let_go(self, held: Held) -> None:
        """End a lease; a forked process leaves it to the one that took it."""
        self.held.discard(held)
        if not self.forked:
            held.release()

    def now(self) -> int:
        """Return the time, ms UTC."""
        return self._sources.now()

    def operation(self, key: str | None, verb: str, request: object) -> Operation:
        """Return the identity of a write, the same for everything that goes through `Calls`."""
        return operation_of(self._sources, key, verb, request)

    def filled(self, template: str | None, new: NewSession) -> NewSession:
        """Return `new` with what the template gives; without one, `new` as it is. Raises NotFound, Invalid."""
        if template is None:
            return new
        from retoma.model.template import applied

        return applied(self._templates, template, new)

    def read(self, use_case: Callable[[Transaction], T]) -> T:
        """Run `use_case` on one moment of the store."""
        return self.store.read(use_case)

    def close(self) -> None:
        """Let go of what is held, and close the store. A second time, or in a forked process, it does nothing."""
        if self._closed or self.forked:
            return
        self._closed = True
        if self._indexer is not None:
            self._indexer.close()
        for held in tuple(self.held):
            held.release()
        self.calls.close()

    # For tasks

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` on a thread of this store's own. Cancelled before it began, it is not run."""
        import asyncio

        return await asyncio.wrap_future(self.threads().submit(work))

    async def aclose(self) -> None:
        """Close as `close` does, and end the threads."""
        if self._closed or self.forked:
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
