"""A connection to SQLite: how it is opened, which file is ours, and how the file gets to the newest format."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import apsw

from retoma.errors import Integrity, Unavailable
from retoma.model.lease import Ticking, no_ticks
from retoma.stores.sql import migrate
from retoma.stores.sql.statements import Row, Values
from retoma.stores.sql.transaction import SqlTransaction

if TYPE_CHECKING:
    from retoma.stores.sql.search import Terms

APPLICATION_ID = 0x52544D41  # "RTMA"
PAGE_BYTES = 2048
"""An append changes four pages, each in another tree, and the log takes every one of them whole: so half of 4096."""


class Connection:
    """A connection with its one cursor and its one transaction object."""

    BUSY_MS: Final = 10_000

    def __init__(
        self, place: str, flags: int, random: Callable[[int], bytes], ticks: Ticking = no_ticks
    ) -> None:
        self.handle = apsw.Connection(place, flags=flags)
        self.handle.set_busy_timeout(self.BUSY_MS)
        # Else SQLite may prepare a statement anew each time that it is bound, to plan by the values.
        self.handle.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self.execute = execute = self.handle.cursor().execute
        """For what returns no rows: that is done when it returns."""

        def run(statement: str, values: Values = ()) -> list[Row]:
            # fetchall exhausts the cursor: apsw runs a statement only as far as it is read.
            return execute(statement, values).fetchall()

        self.run = run
        self.transaction = SqlTransaction(run, random, _terms, ticks)

    def set(self, pragma: str, value: str, expected: object) -> None:
        """Set a pragma and read it back, since SQLite ignores what it cannot do."""
        self.run(f"PRAGMA {pragma} = {value}")
        got = self.run(f"PRAGMA {pragma}")[0][0]
        if got != expected:
            raise Unavailable(f"SQLite did not accept {pragma} = {value}: the value is {got}.", code="pragma")

    def make_durable(self) -> None:
        """Sync each commit. A new file gets its page size here: it is the log's from the first commit on."""
        self.run(f"PRAGMA page_size = {PAGE_BYTES}")
        self.set("journal_mode", "WAL", "wal")
        self.set("synchronous", "FULL", 2)
        if sys.platform == "darwin":
            self.set("fullfsync", "ON", 1)

    def close(self, *, force: bool = False) -> None:
        """Close it, with `force` whatever it is at.

        The last to close moves the log into the file; when the disk refuses, all is in the log still.
        """
        with contextlib.suppress(apsw.Error):
            self.handle.close(force)

    def roll_back(self) -> bool:
        """Undo the transaction, if there is one. Return False when that took the connection along."""
        if self.handle.in_transaction:
            try:
                self.run("ROLLBACK")
            except apsw.Error:
                # The transaction is over either way: SQLite undoes it when the connection goes.
                self.close(force=True)
                return False
        return True


def _terms() -> Terms:
    from retoma.stores.sqlite.search import Fts5  # too much for every start

    return Fts5()


def format_of(connection: Connection, shown: str) -> int:
    """Return the store's format, 0 for an empty file. Raises Integrity, Unavailable."""
    # In this order: another process may make the store in between, tables and number in one transaction.
    tables = connection.run("SELECT 1 FROM sqlite_schema LIMIT 1")
    application = connection.run("PRAGMA application_id")[0][0]
    version: int = connection.run("PRAGMA user_version")[0][0]
    if application != APPLICATION_ID and (application or tables):
        raise Integrity(
            f"{shown} belongs to another program and is not a Retoma store.",
            code="not_a_store",
            hint="Nothing was changed. Give another path with --store.",
        )
    migrate.refuse_newer(version, shown)
    return version
