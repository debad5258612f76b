"""Due work done: a slice of it behind a command that wrote, or all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from retoma.model.principal import Principal
from retoma.model.retention import Choice, Retention
from retoma.model.session import Status
from retoma.service import clock
from retoma.service.clock import Time
from retoma.service.due import Job, Work, asked_for
from retoma.service.retention import Taken, prune
from retoma.stores.contract.retention import START, Mark
from retoma.stores.contract.store import Store

WITHIN_S: Final = 0.020
"""How long a command that wrote works on what is due, before it ends."""
_FEW: Final = 16
_MANY: Final = 500


class Slice:
    """A stretch of time, by `elapsed` (seconds of a clock that only goes forward)."""

    def __init__(self, elapsed: Callable[[], float], within_s: float) -> None:
        self._elapsed = elapsed
        self._end = elapsed() + within_s
        self._longest = -1.0

    def fits(self) -> bool:
        """Return whether another step, as long as the longest so far, would end in time. The first always may."""
        return self._longest < 0 or self._elapsed() + self._longest < self._end

    def timed(self, step: Callable[[], Taken]) -> Taken:
        """Take a step, and remember how long it was."""
        began = self._elapsed()
        taken = step()
        self._longest = max(self._longest, self._elapsed() - began)
        return taken


def work(
    store: Store,
    who: Principal,
    rules: Retention,
    *,
    elapsed: Callable[[], float],
    within_s: float = WITHIN_S,
) -> Mapping[str, int]:
    """Do what is due for `within_s` seconds; return how many sessions were failed, trashed and deleted.

    One step is always taken, so that it comes to an end on a slow disk, too. What is left is taken up by the next call,
    of whichever process. When nothing is due it only reads, and once in a while keeps the time.
    """
    jobs = asked_for(rules)
    if not jobs or who.role == "read":
        return {}
    within, done = Slice(elapsed, within_s), dict[str, int]()
    time = clock.seen(store, who)
    task = Work(who=who, rules=rules, now=time.now, trash=time.trash, limit=_FEW)
    waiting = store.read(lambda tx: [job for job in jobs if job.waits(tx, task)])
    _run(store, waiting, task, done, within, after=None)
    return done


def work_all(store: Store, who: Principal, rules: Retention, time: Time) -> Mapping[str, int]:
    """Do all that these rules make due at `time`; return the same."""
    who.may_write()
    done: dict[str, int] = {}
    task = Work(who=who, rules=rules, now=time.now, trash=time.trash, limit=_MANY)
    for job in asked_for(rules):
        _run(store, [job], task, done, Slice(lambda: 0.0, math.inf), after=START)
    return done


def prune_all(
    store: Store, who: Principal, choice: Choice, progress: Callable[[int], None]
) -> Mapping[Status, int]:
    """Put all sessions of `choice` in the trash, in short transactions; return how many there were of each status."""
    done: dict[Status, int] = {}
    clock.seen(store, who)
    for status in choice.statuses:
        after: Mark | None = START
        while after is not None:
            taken = store.write(partial(prune, who=who, choice=choice, status=status, after=after))
            if taken.took:
                done[status] = done.get(status, 0) + taken.took
                progress(sum(done.values()))
            after = taken.after
    return done


def _run(
    store: Store,
    jobs: Sequence[Job],
    task: Work,
    done: dict[str, int],
    time: Slice,
    *,
    after: Mark | None,
) -> None:
    """Take a step of each job in turn, until nothing is left, or until the next step would not end in time."""
    places = dict.fromkeys(jobs, after)
    while places:
        for job, place in list(places.items()):
            if not time.fits():
                return
            taken = time.timed(partial(store.write, partial(job.step, work=task, after=place)))
            if taken.took:
                done[job.done] = done.get(job.done, 0) + taken.took
            if taken.after is None:
                del places[job]
            else:
                places[job] = taken.after
