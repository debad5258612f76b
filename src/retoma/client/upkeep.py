"""What is done with a store as a whole: checked, backed up, tidied, closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retoma.errors import RetomaError
from retoma.model.limits import NO_LIMITS, Limits
from retoma.model.principal import Principal
from retoma.model.session import Status
from retoma.service import clock
from retoma.stores.api import Store, Transaction
from retoma.stores.api_facts import Facts
from retoma.wiring import SYSTEM, Sources, open_file

if TYPE_CHECKING:
    from pathlib import Path

    from retoma.model.retention import Choice, Entry, Retention
    from retoma.model.template import Template
    from retoma.runtime.backup import Done
    from retoma.service.check.repair import Repaired
    from retoma.service.check.report import Report
    from retoma.service.collect import Due
    from retoma.service.inventory import Inventory
    from retoma.service.retention import Preview, Standing
    from retoma.stores.migrate import Upgraded

__all__ = ["Upkeep"]


class Upkeep:
    """One opened store and one principal, and what is done with the store as a whole. Every rule is in service/."""

    def __init__(
        self,
        store: Store,
        who: Principal,
        *,
        sources: Sources = SYSTEM,
        limits: Limits = NO_LIMITS,
        retention: Retention | None = None,
        templates: Mapping[str, Template] = {},
    ) -> None:
        self._store = store
        self._who = who
        self._sources = sources
        self._limits = limits
        self._retention = retention
        self._templates = templates
        self._worked = False

    def check(
        self, *, sample: float | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Report:
        """Return what in the store is not as it was written; `sample` is the part of the sessions to look at.

        Nothing is changed. `progress` is told how many events of how many were looked at. Raises Unavailable.
        """
        from retoma.service.check.store import check

        return check(self._store, sample=sample, random=self._sources.random, progress=progress)

    def repair(self, report: Report) -> Repaired:
        """Put what a report found damaged aside. Nothing is deleted."""
        from retoma.service.check.repair import repair

        self._who.may_write()
        return repair(self._store, report)

    def backup(self, file: Path, *, progress: Callable[[int, int], None] | None = None) -> Done:
        """Write one moment of the store to the new file `file`, checked; others go on writing meanwhile.

        Raises Conflict when there is such a file, Integrity when the store is damaged, Unavailable.
        """
        from retoma.runtime.backup import backup

        opened = partial(open_file, sources=self._sources)
        return backup(self._store, file, opened=opened, random=self._sources.random, progress=progress)

    def preview(self, choice: Choice) -> Preview:
        """Return what `prune` would take, and change nothing."""
        from retoma.service.retention import preview

        return self._store.read(lambda tx: preview(tx, self._who, choice))

    def prune(
        self, choice: Choice, *, progress: Callable[[int], None] = lambda done: None
    ) -> Mapping[Status, int]:
        """Put sessions that were left alone in the trash; return how many of each status. `progress` is told how many.

        Pinned, archived and driven ones stay, and those that somebody writes in meanwhile.
        """
        from retoma.runtime.due import prune_all

        done = prune_all(self._store, self._who, choice, progress)
        self.tidy()
        return done

    def log(
        self,
        *,
        session: str | None = None,
        since: int = 0,
        before: tuple[int, int] | None = None,
        limit: int = 50,
    ) -> Sequence[Entry]:
        """Return the newest entries of the store's log, newest first; with `session`, of that one, deleted or not."""

        from retoma.stores.retention_api import END

        tenant, place = self._who.tenant, before or END
        if session is None:
            return self._store.read(lambda tx: tx.log.page(tenant, since=since, before=place, limit=limit))
        return self._store.read(lambda tx: tx.log.of(tenant, session, since=since, before=place, limit=limit))

    @property
    def wrote(self) -> bool:
        """Whether anything was written since this client was opened."""
        return self._store.writes > 0

    @property
    def upgraded(self) -> Upgraded | None:
        """The upgrade of the store that opening it did, if there was one."""
        return self._store.upgraded

    def work_due(self, *, within_s: float = 0.020) -> Mapping[str, int]:
        """Do what is due, for a moment; return how many sessions retention failed, trashed and deleted.

        A client that wrote does it once more when it is closed. What time is left brings the search index up to date.
        """
        self._worked = True
        began, done = self._sources.elapsed(), dict[str, int]()
        if self._retention is not None and not self._retention.off:
            from retoma.runtime.due import work

            done |= work(
                self._store, self._who, self._retention, elapsed=self._sources.elapsed, within_s=within_s
            )
        else:
            clock.seen(self._store, self._who, begins=False)
        if self._store.unforgotten:
            self._store.forget(wait=False)  # where readers are in the way, the next writer does it
        from retoma.runtime.indexer import index

        end = began + within_s
        index(self._store, self._who, over=lambda: self._sources.elapsed() >= end)
        return done

    def standing(self) -> Standing:
        """Return how many sessions are due by age: counted by indexes, where `due` looks at all of the store."""
        from retoma.service.retention import standing

        return self._store.read(
            lambda tx: standing(tx, self._who, self._retention, clock.look(tx, self._who))
        )

    def tidy(self) -> None:
        """Do what is due: remove what was deleted, cut off, or in the trash too long, in short transactions."""
        from retoma.service import erasing

        now = clock.seen(self._store, self._who, begins=False).trash
        if not self._store.read(lambda tx: erasing.due(tx, self._who, now=now)):
            return
        while self._store.write(lambda tx: erasing.purge(tx, self._who, now=now)):
            pass
        self._store.forget()

    def clock_ahead(self) -> int:
        """Return by how many milliseconds the clock is ahead of the time that ages are judged by (see `clock`)."""
        return self._store.read(lambda tx: clock.look(tx, self._who)).ahead_ms

    def due(self, *, now: bool = False) -> Due:
        """Return what `collect` would take."""
        from retoma.service.collect import due

        return self._store.read(lambda tx: due(tx, self._who, self._retention, self._time(tx, now=now)))

    def _time(self, tx: Transaction, *, now: bool) -> clock.Time:
        return clock.as_it_is(tx) if now else clock.look(tx, self._who)

    def collect(self, *, compact: bool = False, now: bool = False) -> Due:
        """Take what is due to go; with `compact` the file gets smaller, too. Return what it was.

        Ages are judged by a clock that did not jump; with `now` by the machine's as it is.
        """
        from retoma.runtime.due import work_all
        from retoma.service.collect import collect

        found = self.due(now=now)
        clock.seen(self._store, self._who)
        time = self._store.read(lambda tx: self._time(tx, now=now))
        if self._retention is not None:
            work_all(self._store, self._who, self._retention, time)
        collect(self._store, self._who, time)
        if compact:
            self._store.compact()
            self._store.forget()
        return found

    def contents(self, *, largest: int = 10) -> Inventory:
        """Return what the store holds: counts and bytes, by kind and by session."""
        from retoma.service.inventory import inventory

        return self._store.read(lambda tx: inventory(tx, largest=largest))

    def facts(self) -> Facts:
        """Return what the store says of itself."""
        return self._store.facts()

    def close(self) -> None:
        """Close the store. Everything stays, but for what is due by retention, when something was written."""
        try:
            if self.wrote and not self._worked:
                with suppress(RetomaError):  # it is the next one's, and no failure of what was done here
                    self.work_due()
        finally:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._store.close()
