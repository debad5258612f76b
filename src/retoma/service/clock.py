"""The one clock of everything that goes by age: a wall clock that is wrong for a moment deletes nothing."""

from __future__ import annotations

from typing import Final, NamedTuple

from retoma.model.principal import Principal
from retoma.model.retention import TRASH_KEPT_MS, Looked, looked, went_back
from retoma.model.times import FIRST
from retoma.stores.contract.retention import Mark
from retoma.stores.contract.store import Store, Transaction

CLOCK: Final = "clock"
BACK: Final = "clock back"
_EVER: Final = 1 << 62


class Time(NamedTuple):
    """By what time ages are judged (ms UTC): `trash` that of sessions in the trash, `now` any other.

    `ahead_ms` is how far the machine's clock is ahead of it. `known`: there was something to compare the clock with.
    """

    now: int
    trash: int
    ahead_ms: int = 0
    known: bool = True


def as_it_is(tx: Transaction) -> Time:
    """Return what the machine's clock says, whatever it said before."""
    return Time(tx.now, tx.now)


def look(tx: Transaction, who: Principal) -> Time:
    """Return the time to judge by, and keep nothing of this look at the clock."""
    return _look(tx, who)[0]


def keep(tx: Transaction, who: Principal) -> Time:
    """Return the time to judge by, and keep what this look at the clock says for the next.

    Whoever puts a session in the trash does it first: the clock by which it leaves is one that was seen then. (And
    before the session's row is locked, so that two of them do not wait for each other.)
    """
    time, kept = _look(tx, who)
    for name, mark in kept.items():
        tx.retention.put_mark(who.tenant, name, mark)
    return time


def seen(store: Store, who: Principal, *, begins: bool = True) -> Time:
    """Look at the clock, and keep that when there is something to keep: mostly it is a read alone.

    Unless it `begins`, a clock that nobody looked at in this store is looked at only when something would go by age.
    """
    time, kept = store.read(lambda tx: _look(tx, who))
    if who.role == "read" or not kept or not (begins or time.known):
        return time
    return store.write(lambda tx: keep(tx, who))


def _look(tx: Transaction, who: Principal) -> tuple[Time, dict[str, Mark]]:
    """Return the time to judge by, and the marks to keep."""
    mark, back = (tx.retention.mark(who.tenant, name) for name in (CLOCK, BACK))
    known = Looked(*mark) if mark is not None else None
    if known is None and tx.retention.trashed(who.tenant, _EVER):
        # Nobody looked when these were trashed, by an earlier Retoma: a first look is not believed yet.
        known = Looked(FIRST, tx.now)
    judged, after = looked(known, tx.now)
    since = went_back(Looked(*back) if back is not None else None, known, tx.now)
    marks = {CLOCK: (mark, Mark(*after)), BACK: (back, Mark(*since) if since is not None else None)}
    kept = {name: new for name, (old, new) in marks.items() if new is not None and new != old}
    waits = since is not None and judged - since.seen < TRASH_KEPT_MS
    return Time(judged, FIRST if waits else judged, max(tx.now - judged, 0), known is not None), kept
