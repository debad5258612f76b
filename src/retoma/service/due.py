"""Due work: what nobody asked for now and is to be done all the same, a little at a time. A job for each kind of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from retoma.model.principal import Principal
from retoma.model.retention import SETTLED_MS, Retention
from retoma.model.session import Status
from retoma.service import retention
from retoma.service.forget import erasing
from retoma.service.profiles import trash_due
from retoma.service.retention import Taken
from retoma.stores.contract.retention import START, LeftAlone, Mark
from retoma.stores.contract.store import Transaction

IDLE: Final = "idle"
IDLE_ENDED: Final = "idle ended"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """For whom due work is done, by which rules, and what time it is held to be: `trash` in the trash, else `now`.

    `limit` sessions are taken at a time.
    """

    who: Principal
    rules: Retention
    now: int
    trash: int
    limit: int


class Job(Protocol):
    """One kind of due work. `done` says in the past what it does to a session."""

    @property
    def done(self) -> str: ...
    def on(self, rules: Retention) -> bool:
        """Return whether these rules ask for it."""
        ...

    def waits(self, tx: Transaction, work: Work) -> bool:
        """Return whether there is something to do. It is asked in a read, before each command ends: it is cheap."""
        ...

    def step(self, tx: Transaction, work: Work, after: Mark | None) -> Taken:
        """Do a little of it, in one short transaction; go on behind `after`."""
        ...


class FailIdle(NamedTuple):
    """Active sessions without an event for too long are failed.

    Flows that wait are never failed, and stay in the way of who is idle. When they are very many, the work is passed on
    from command to command, and begins anew some minutes after it came to an end.
    """

    done: str = "failed"

    def on(self, rules: Retention) -> bool:
        return rules.idle_timeout_ms is not None

    def waits(self, tx: Transaction, work: Work) -> bool:
        if _stood(tx, work) != START:
            return True
        ended = tx.retention.mark(work.who.tenant, IDLE_ENDED)
        lately = ended is not None and 0 <= work.now - ended.at < SETTLED_MS
        before = work.now - (work.rules.idle_timeout_ms or 0)
        return retention.any_idle(tx, work.who, before=before, further=not lately)

    def step(self, tx: Transaction, work: Work, after: Mark | None) -> Taken:
        tenant, stood = work.who.tenant, _stood(tx, work)
        taken = retention.fail_idle(
            tx,
            work.who,
            age_ms=work.rules.idle_timeout_ms or 0,
            now=work.now,
            after=after or stood,
            limit=work.limit,
        )
        stands = taken.after or START
        if stands != stood:
            tx.retention.put_mark(tenant, IDLE, stands)
            if stands == START:
                tx.retention.put_mark(tenant, IDLE_ENDED, Mark(work.now, 0))
        return taken


def _stood(tx: Transaction, work: Work) -> Mark:
    return tx.retention.mark(work.who.tenant, IDLE) or START


class TrashOver(NamedTuple):
    """Sessions that are over, in this status, for long enough are put in the trash."""

    status: Status
    done: str = "trashed"

    def on(self, rules: Retention) -> bool:
        return rules.completed_after_ms is not None

    def waits(self, tx: Transaction, work: Work) -> bool:
        asked = LeftAlone(status=self.status, before=work.now - (work.rules.completed_after_ms or 0))
        return bool(tx.retention.alone(work.who.tenant, asked, limit=1))

    def step(self, tx: Transaction, work: Work, after: Mark | None) -> Taken:
        return retention.trash_over(
            tx,
            work.who,
            self.status,
            age_ms=work.rules.completed_after_ms or 0,
            now=work.now,
            after=after,
            limit=work.limit,
        )


class EmptyTrash(NamedTuple):
    """Sessions whose time in the trash is over begin to be deleted."""

    done: str = "deleted"

    def on(self, rules: Retention) -> bool:
        return not rules.off

    def waits(self, tx: Transaction, work: Work) -> bool:
        return trash_due(tx, work.who, now=work.trash) is not None

    def step(self, tx: Transaction, work: Work, after: Mark | None) -> Taken:
        count = 0
        while count < work.limit and erasing.empty_trash(tx, work.who, now=work.trash):
            count += 1
        return Taken(count, START if count == work.limit else None)


class Sweep(NamedTuple):
    """Rows of what was deleted or cut off are removed."""

    done: str = ""

    def on(self, rules: Retention) -> bool:
        return not rules.off

    def waits(self, tx: Transaction, work: Work) -> bool:
        return erasing.unswept(tx, work.who) or trash_due(tx, work.who, now=work.trash) is not None

    def step(self, tx: Transaction, work: Work, after: Mark | None) -> Taken:
        return Taken(0, START if erasing.sweep(tx, work.who) else None)


JOBS: Final[tuple[Job, ...]] = (
    TrashOver("completed"),
    TrashOver("failed"),
    EmptyTrash(),
    Sweep(),
    FailIdle(),
)
"""All there are. They take turns, a step each, in this order; the last may look at much and find nothing."""


def asked_for(rules: Retention) -> Sequence[Job]:
    """Return the jobs that `rules` ask for."""
    return [job for job in JOBS if job.on(rules)]
