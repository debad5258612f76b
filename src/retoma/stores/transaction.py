"""One transaction over a function that runs statements; the same for every SQL dialect."""

from __future__ import annotations

from collections.abc import Callable

from retoma.stores.erasing import SqlErasing
from retoma.stores.facts import SqlFlows, SqlLeases, SqlState
from retoma.stores.journal import SqlJournal
from retoma.stores.names import Names
from retoma.stores.profiles import SqlProfiles
from retoma.stores.sessions import SqlSessions
from retoma.stores.sql import Run


class SqlTransaction:
    """What a use case is given. One is kept for each connection; `now` is set anew for each transaction."""

    def __init__(self, run: Run, random: Callable[[int], bytes]) -> None:
        self.now = 0
        self.random = random

        def now() -> int:
            return self.now

        names = Names(run)
        self.sessions = SqlSessions(run, now, random, names)
        self.profiles = SqlProfiles(run, now, names)
        self.erasing = SqlErasing(run)
        self.journal = SqlJournal(run, now, random)
        self.state = SqlState(run)
        self.flows = SqlFlows(run, now)
        self.leases = SqlLeases(run, now)
