"""Sessions that were left alone: failed when they are idle, put in the trash when they are over or somebody prunes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from retoma.model.ids import Operation, new_operation
from retoma.model.principal import Principal
from retoma.model.retention import ACTOR, TRASH_KEPT_MS, Choice, Deed, Retention
from retoma.model.session import FINAL, Head, Status
from retoma.model.times import span
from retoma.service import clock
from retoma.service.clock import Time
from retoma.service.forget.erasing import CHUNK
from retoma.service.profiles import put_in_trash
from retoma.service.sessions import change
from retoma.stores.contract.retention import Alone, LeftAlone, Mark
from retoma.stores.contract.store import Transaction

WINDOW: Final = 1_000
"""How many sessions one transaction looks at for those that are idle: flows that wait may be very many."""
SHOWN: Final = 20
"""How many sessions a preview names."""
WAITING: Final = ("waiting_for_input", "waiting_for_tool")
"""Where a flow is whose session is never idle: it waits for somebody."""


class Taken(NamedTuple):
    """What one transaction took, and where the next goes on; None when nothing is left."""

    took: int
    after: Mark | None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What `prune` would take: how many sessions of each status, and the first that were left alone."""

    by_status: dict[Status, int]
    first: tuple[str, ...]

    @property
    def count(self) -> int:
        return sum(self.by_status.values())


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions are to be failed, to be trashed, and in the trash for too long."""

    idle: int = 0
    over: int = 0
    trashed: int = 0


def standing(tx: Transaction, who: Principal, rules: Retention | None, time: Time) -> Standing:
    """Return how many sessions are due at `time`."""
    idle = over = 0
    if rules is not None and rules.idle_timeout_ms is not None:
        asked = LeftAlone(status="active", before=time.now - rules.idle_timeout_ms, waiting=False)
        idle = tx.retention.count(who.tenant, asked)
    if rules is not None and rules.completed_after_ms is not None:
        before = time.now - rules.completed_after_ms
        over = sum(tx.retention.count(who.tenant, LeftAlone(status=one, before=before)) for one in FINAL)
    trashed = tx.retention.trashed(who.tenant, time.trash - TRASH_KEPT_MS)
    return Standing(idle=idle, over=over, trashed=trashed)


def preview(tx: Transaction, who: Principal, choice: Choice) -> Preview:
    """Return what `prune` would take now."""
    choice = _believed(tx, who, choice)
    asked = [_asked(choice, status) for status in choice.statuses]
    counts = {one.status: tx.retention.count(who.tenant, one) for one in asked}
    oldest = [one for each in asked for one in tx.retention.alone(who.tenant, each, limit=SHOWN)]
    oldest.sort(key=lambda one: one.mark)
    return Preview(
        by_status={status: count for status, count in counts.items() if count},
        first=tuple(one.id for one in oldest[:SHOWN]),
    )


def prune(
    tx: Transaction, who: Principal, choice: Choice, status: Status, after: Mark | None, *, limit: int = CHUNK
) -> Taken:
    """Put at most `limit` sessions of `choice` that are `status` in the trash.

    Those that are pinned, archived or driven, or that somebody wrote in since, stay.
    """
    who.may_write()
    choice = _believed(tx, who, choice)
    found = tx.retention.alone(who.tenant, _asked(choice, status), after=after, limit=limit)
    count = _trash(tx, who, found, _asked(choice, status), why=f"{choice.why} ({status})")
    return Taken(count, found[-1].mark if len(found) == limit else None)


def trash_over(
    tx: Transaction, who: Principal, status: Status, *, age_ms: int, now: int, after: Mark | None, limit: int
) -> Taken:
    """Put at most `limit` sessions in the trash that are over since `age_ms` before `now`."""
    asked = LeftAlone(status=status, before=now - age_ms)
    found = tx.retention.alone(who.tenant, asked, after=after, limit=limit)
    why = f"{status}, and no event for {span(age_ms)} ([retention] completed_after)"
    count = _trash(tx, _by_itself(who), found, asked, why=why)
    return Taken(count, found[-1].mark if len(found) == limit else None)


def fail_idle(
    tx: Transaction, who: Principal, *, age_ms: int, now: int, after: Mark | None, limit: int
) -> Taken:
    """Fail at most `limit` active sessions without an event since `age_ms` before `now`.

    A flow that waits for somebody is not idle, nor is what is pinned, archived or driven.
    """
    asked = LeftAlone(status="active", before=now - age_ms)
    found = _window(tx, who, asked, after)
    idle = [one for one in found if one.flow_status not in WAITING][:limit]
    by, why = _by_itself(who), f"no event for {span(age_ms)} ([retention] idle_timeout)"
    count = 0
    for one in sorted(idle):
        if _mine(tx, who, one, asked) is not None:
            change(tx, by, one.id, "failed", reason=why, operation=_operation(tx))
            _log(tx, by, "failed", why, one)
            count += 1
    if len(idle) == limit:
        return Taken(count, idle[-1].mark)
    return Taken(count, found[-1].mark if len(found) == WINDOW else None)


def any_idle(tx: Transaction, who: Principal, *, before: int, further: bool) -> bool:
    """Return whether `fail_idle` has something to do from the beginning on; `further`: also if only to look further."""
    found = _window(tx, who, LeftAlone(status="active", before=before), None)
    return (further and len(found) == WINDOW) or any(one.flow_status not in WAITING for one in found)


def _window(tx: Transaction, who: Principal, asked: LeftAlone, after: Mark | None) -> Sequence[Alone]:
    return tx.retention.alone(who.tenant, asked, after=after, limit=WINDOW)


def _trash(tx: Transaction, by: Principal, found: Sequence[Alone], asked: LeftAlone, *, why: str) -> int:
    count = 0
    # In the order of their numbers: two that prune at once do not wait for each other in a circle.
    for one in sorted(found):
        head = _mine(tx, by, one, asked)
        if head is not None:
            put_in_trash(tx, by, head, _operation(tx))
            _log(tx, by, "trashed", why, one)
            count += 1
    return count


def _mine(tx: Transaction, who: Principal, one: Alone, asked: LeftAlone) -> Head | None:
    """Return the session's head, which is this transaction's then; None when it was taken up since it was found."""
    head = tx.sessions.head(who.tenant, one.id)
    if head is None or head.key != one.key:
        return None
    lease = tx.leases.check(head.key)
    if lease is not None and lease[1] > tx.now:
        return None
    return head if tx.retention.still(who.tenant, head.key, asked.status, asked.before) else None


def _log(tx: Transaction, by: Principal, deed: Deed, why: str, one: Alone) -> None:
    tx.log.add(
        by.tenant,
        actor=by.name,
        deed=deed,
        why=why,
        count=one.events,
        session=(one.key, one.id),
    )


def _believed(tx: Transaction, who: Principal, choice: Choice) -> Choice:
    """Return the choice with its age counted from the time that is believed, where the clock is ahead of that."""
    return msgspec.structs.replace(choice, before=choice.before - clock.look(tx, who).ahead_ms)


def _asked(choice: Choice, status: Status) -> LeftAlone:
    return LeftAlone(
        status=status,
        before=choice.before,
        agent=choice.agent,
        flow=choice.flow,
        tags=choice.tags,
        contexts=choice.contexts,
    )


def _by_itself(who: Principal) -> Principal:
    # `@last` is what a person wrote in last: what goes by itself must not be it.
    return Principal(who.tenant, ACTOR)


def _operation(tx: Transaction) -> Operation:
    return Operation(new_operation(tx.now, tx.random))
