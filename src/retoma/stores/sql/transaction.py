"""One transaction over a function that runs statements; the same for every SQL dialect."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from retoma.model.lease import Ticking, no_ticks
from retoma.stores.sql.erasing import SqlErasing
from retoma.stores.sql.facts import SqlFlows, SqlLeases, SqlPending, SqlState
from retoma.stores.sql.journal import SqlJournal
from retoma.stores.sql.names import Names
from retoma.stores.sql.profiles import SqlProfiles
from retoma.stores.sql.sessions import SqlSessions
from retoma.stores.sql.statements import Run

if TYPE_CHECKING:
    from retoma.stores.sql.audit import SqlAudit
    from retoma.stores.sql.branches import SqlBranches
    from retoma.stores.sql.retention import SqlLog, SqlRetention
    from retoma.stores.sql.search import SqlIndexing, SqlSearch, Terms
    from retoma.stores.sql.transfers import SqlTransfers


class SqlTransaction:
    """What a use case is given. One is kept for each connection; `now` is set anew for each transaction.

    `moved` has each head that the transaction moved, as the witness hashes it. `terms` is the database's own index.
    `ticks` reads the machine's monotonic clock, which leases go by; None where there is none.
    """

    def __init__(
        self, run: Run, random: Callable[[int], bytes], terms: Callable[[], Terms], ticks: Ticking = no_ticks
    ) -> None:
        self.now = 0
        self._terms = terms
        self.moved: list[bytes] = []
        self.random = random

        def now() -> int:
            return self.now

        self._names = names = Names(run)
        self.sessions = SqlSessions(run, now, random, names)
        self.profiles = SqlProfiles(run, now, names)
        self.erasing = SqlErasing(run)
        self.journal = SqlJournal(run, self, random)
        self.state = SqlState(run)
        self.pending = SqlPending(run)
        self.flows = SqlFlows(run, now)
        self.leases = SqlLeases(run, now, ticks)
        self._run = run
        self._now = now

    @cached_property
    def transfers(self) -> SqlTransfers:
        from retoma.stores.sql.transfers import SqlTransfers  # with its records, too much for every start

        return SqlTransfers(self._run, self._now, self._names, self.journal)

    @cached_property
    def retention(self) -> SqlRetention:
        from retoma.stores.sql.retention import SqlRetention  # for what goes by age alone

        return SqlRetention(self._run, self._now)

    @cached_property
    def log(self) -> SqlLog:
        from retoma.stores.sql.retention import SqlLog

        return SqlLog(self._run, self._now, self._names)

    @cached_property
    def audit(self) -> SqlAudit:
        from retoma.stores.sql.audit import SqlAudit  # for `store check` alone

        return SqlAudit(self._run, self._now, self._names)

    @cached_property
    def branches(self) -> SqlBranches:
        from retoma.stores.sql.branches import SqlBranches  # what no append needs

        return SqlBranches(self._run, self._now, self._names)

    @cached_property
    def search(self) -> SqlSearch:
        from retoma.stores.sql.search import SqlSearch  # too much for every start

        return SqlSearch(self._run, self._terms())

    @cached_property
    def indexing(self) -> SqlIndexing:
        from retoma.stores.sql.search import SqlIndexing

        return SqlIndexing(self._run, self._terms())
