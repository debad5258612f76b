"""What is due: done beside writes, on demand, or shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from retoma.commands.command import Call, Job, Read
from retoma.commands.opened import Opened
from retoma.errors import Invalid
from retoma.model.principal import Principal
from retoma.service import clock
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from retoma.model.outcomes import LogEntry
    from retoma.model.pages import Page
    from retoma.model.retention import Choice
    from retoma.model.session import Status
    from retoma.service.forget.collect import Due
    from retoma.service.retention import Preview, Standing

__all__ = [
    "Collect",
    "PreviewPrune",
    "Prune",
    "ReadLog",
    "ShowClock",
    "ShowDue",
    "ShowStanding",
    "Tidy",
    "WorkDue",
]


class Tidy(Job[None], frozen=True, kw_only=True):
    """Remove what was deleted, cut off, or in the trash too long, in short transactions."""

    def work(self, opened: Opened, call: Call) -> None:
        from retoma.service.forget import erasing

        store, who = opened.store, call.who
        now = clock.seen(store, who, begins=False).trash
        if not store.read(partial(erasing.due, who=who, now=now)):
            return
        while store.write(partial(erasing.purge, who=who, now=now)):
            pass
        store.forget()


class WorkDue(Job[Mapping[str, int]], frozen=True, kw_only=True):
    """Do what is due, for a moment; return how many sessions retention failed, trashed and deleted.

    What time is left brings the search index up to date.
    """

    within_s: float = 0.020

    def work(self, opened: Opened, call: Call) -> Mapping[str, int]:
        from retoma.runtime.indexer import index

        opened.worked = True
        elapsed = opened.sources.elapsed
        began, done = elapsed(), dict[str, int]()
        if opened.retention is not None and not opened.retention.off:
            from retoma.runtime.due import work

            done |= work(opened.store, call.who, opened.retention, elapsed=elapsed, within_s=self.within_s)
        else:
            clock.seen(opened.store, call.who, begins=False)
        if opened.store.unforgotten:
            opened.store.forget(wait=False)  # where readers are in the way, the next writer does it
        end = began + self.within_s
        index(opened.store, call.who, over=lambda: elapsed() >= end)
        return done


class ShowStanding(Job["Standing"], frozen=True, kw_only=True):
    """Return how many sessions are due by age: counted by indexes, where `ShowDue` reads all of the store."""

    def work(self, opened: Opened, call: Call) -> Standing:
        from retoma.service.retention import standing

        def read(tx: Transaction) -> Standing:
            return standing(tx, call.who, opened.retention, clock.look(tx, call.who))

        return opened.store.read(read)


class ShowClock(Read[int], frozen=True, kw_only=True):
    """Return by how many milliseconds the clock is ahead of the time that ages are judged by."""

    def read(self, tx: Transaction, who: Principal) -> int:
        return clock.look(tx, who).ahead_ms


class ShowDue(Job["Due"], frozen=True, kw_only=True):
    """Return what `Collect` would take, by a clock that did not jump; with `now` by the machine's as it is."""

    now: bool = False

    def work(self, opened: Opened, call: Call) -> Due:
        from retoma.service.forget.collect import due

        def read(tx: Transaction) -> Due:
            return due(tx, call.who, opened.retention, _time(tx, call.who, now=self.now))

        return opened.store.read(read)


class Collect(Job["Due"], frozen=True, kw_only=True):
    """Take what is due to go; with `compact` the file gets smaller, too. Return what it was.

    Ages are judged by a clock that did not jump; with `now` by the machine's as it is.
    """

    compact: bool = False
    now: bool = False

    def work(self, opened: Opened, call: Call) -> Due:
        from retoma.runtime.due import work_all
        from retoma.service.forget.collect import collect

        found = ShowDue(now=self.now).run(opened)
        clock.seen(opened.store, call.who)
        time = opened.store.read(partial(_time, who=call.who, now=self.now))
        if opened.retention is not None:
            work_all(opened.store, call.who, opened.retention, time)
        collect(opened.store, call.who, time)
        if self.compact:
            opened.store.compact()
            opened.store.forget()
        return found


def _time(tx: Transaction, who: Principal, *, now: bool) -> clock.Time:
    return clock.as_it_is(tx) if now else clock.look(tx, who)


class PreviewPrune(Read["Preview"], frozen=True, kw_only=True):
    """Return what `Prune` would take, and change nothing."""

    choice: Choice

    def read(self, tx: Transaction, who: Principal) -> Preview:
        from retoma.service.retention import preview

        return preview(tx, who, self.choice)


class Prune(Job["Mapping[Status, int]"], frozen=True, kw_only=True):
    """Put sessions that were left alone in the trash; return how many of each status. `progress` is told how many.

    Pinned, archived and driven ones stay, and those that somebody writes in meanwhile.
    """

    choice: Choice
    progress: Callable[[int], None] | None = None
    tidies: ClassVar[bool] = True

    def work(self, opened: Opened, call: Call) -> Mapping[Status, int]:
        from retoma.runtime.due import prune_all

        return prune_all(opened.store, call.who, self.choice, self.progress or _untold)


def _untold(done: int) -> None:
    return None


class ReadLog(Read["Page[LogEntry]"], frozen=True, kw_only=True):
    """Return a page of the store's log, newest first; with `session`, of that one, deleted or not.

    `since` is ms UTC; `cursor` is the `next` of the page before. Raises Invalid for another cursor.
    """

    session: str | None = None
    since: int = 0
    limit: int = 50
    cursor: str | None = None

    def read(self, tx: Transaction, who: Principal) -> Page[LogEntry]:
        from retoma.model.outcomes import LogEntry
        from retoma.model.pages import Page
        from retoma.stores.contract.retention import END

        place, limit = _place(self.cursor) if self.cursor is not None else END, self.limit
        if self.session is None:
            found = tx.log.page(who.tenant, since=self.since, before=place, limit=limit + 1)
        else:
            found = tx.log.of(who.tenant, self.session, since=self.since, before=place, limit=limit + 1)
        page = found[:limit]
        items = list(map(LogEntry.of, page))
        following = f"{page[-1].at}.{page[-1].number}" if len(found) > limit else None
        return Page(items=items, next=following)


def _place(cursor: str) -> tuple[int, int]:
    at, _, number = cursor.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (at, number)):
        raise Invalid(
            f"Invalid cursor: {cursor!r}.",
            code="bad_cursor",
            hint="Use the cursor that the previous page printed.",
        )
    return int(at), int(number)
