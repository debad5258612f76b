"""One connection to PostgreSQL, always in pipeline mode: what returns no rows is sent with what does."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import errors, pq
from psycopg.types.numeric import Int8BinaryDumper

from retoma.stores.postgres.statements import Statement, own, reading, writing
from retoma.stores.sql import STATEMENTS, Row, Value, Values
from retoma.stores.transaction import SqlTransaction

SILENCE_S = 2.5
"""How long a server may say nothing before it is asked, on another connection, whether it is still at work."""
CONNECT_S = 2

_LEASE = STATEMENTS["lease_token"]
_CHANGES_LEASES = {"put_lease", "renew_lease", "drop_lease", "release_lease"}

T = TypeVar("T")


class Silent(psycopg.OperationalError):
    """The server neither answers nor can be asked: the network is cut, or its machine is gone."""


class _Patient(psycopg.Connection[Row]):
    """Waits for a server that works, however long, and not for one that is gone."""

    url = ""

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        while True:
            try:
                return super().wait(gen, interval, timeout or SILENCE_S)
            except errors._WaitTimeout:
                if timeout is not None:
                    raise
                if not self._works():
                    raise Silent("the server does not answer") from None

    def _works(self) -> bool:
        with suppress(psycopg.Error), connect(self.url, psycopg.Connection) as other:
            asked = psycopg.RawCursor(other).execute(own("at_work").text.encode(), (self.info.backend_pid,))
            return asked.fetchone() is not None
        return False


class Wire:
    """A connection with its one transaction object. `run` runs shared statements; reads have no locks."""

    def __init__(self, url: str, random: Callable[[int], bytes], *, writes: bool) -> None:
        self.handle = connect(url, _Patient)
        self.handle.url = url
        self.handle.prepare_threshold = 0
        self.handle.prepared_max = 512
        self.handle.adapters.register_dumper(int, Int8BinaryDumper)
        self.transaction = SqlTransaction(self._write if writes else self._read, random)
        self.mark: tuple[str, tuple[Value, ...]] | None = None
        self._lease: Row | None = None
        self._stack = ExitStack()

    def pipelined(self) -> None:
        """Begin the pipeline. Before that a text may hold several statements."""
        self._pipeline = self._stack.enter_context(self.handle.pipeline())

    def ask(self, name: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one of PostgreSQL's own statements."""
        return self._rows(own(name), values)

    def begin(self, how: str) -> None:
        """Begin a transaction, in the breath of its first statement."""
        self.mark = self._lease = None
        self.transaction.moved.clear()
        self._send(f"BEGIN {how}", (), prepare=False)

    def commit(self) -> None:
        """Commit what was sent; return when it is durable. What went wrong with a statement is raised here, too."""
        self._send("COMMIT", (), prepare=False)
        self._pipeline.sync()

    def settle(self) -> None:
        """Wait for what was sent, and raise what went wrong with it."""
        self._pipeline.sync()

    def roll_back(self) -> None:
        """Undo the transaction. A connection that cannot is closed, which undoes it too."""
        try:
            with suppress(psycopg.Error):
                self._pipeline.sync()
            if self.handle.info.transaction_status is not pq.TransactionStatus.IDLE:
                self._send("ROLLBACK", (), prepare=False)
                self._pipeline.sync()
        except psycopg.Error:
            self.close()

    @property
    def usable(self) -> bool:
        return not self.handle.closed and self.handle.info.transaction_status is pq.TransactionStatus.IDLE

    def close(self) -> None:
        # The socket goes first: leaving the pipeline of a server that is gone would wait for it.
        self.handle.pgconn.finish()
        with suppress(psycopg.Error):
            self._stack.close()
        self.handle.close()

    def _read(self, text: str, values: Values = ()) -> list[Row]:
        statement = reading(text)
        return self._rows(statement, statement.bound(values))

    def _write(self, text: str, values: Values = ()) -> list[Row]:
        statement = writing(text)
        bound = statement.bound(values)
        if text is _LEASE and self._lease is not None and self._lease[0] == bound[0]:
            return [self._lease[1:]] if self._lease[1] is not None else []
        if statement.name in _CHANGES_LEASES:
            self._lease = None
        if statement.alone is not None:
            self._rows(own("one_at_a_time"), (bound[statement.alone],))
        if statement.mark is not None:
            name, places = statement.mark
            self.mark = name, tuple(bound[place] for place in places)
        if statement.name == "session_head":
            return self._head(statement, bound)
        return self._rows(statement, bound)

    def _head(self, statement: Statement, bound: Sequence[Value]) -> list[Row]:
        """Lock the session's row and, in the same breath, ask for the lease that every write looks at."""
        head = self._send(statement.text, bound)
        beside = self._send(own("lease_beside").text, bound).fetchall()
        self._lease = beside[0] if beside else None
        return head.fetchall()

    def _rows(self, statement: Statement, bound: Sequence[Value]) -> list[Row]:
        cursor = self._send(statement.text, bound)
        return cursor.fetchall() if statement.has_rows else []

    def _send(
        self, text: str, values: Sequence[Value], *, prepare: bool | None = None
    ) -> psycopg.RawCursor[Row]:
        # A cursor each: its result comes when the pipeline is read.
        cursor: psycopg.RawCursor[Row] = psycopg.RawCursor(self.handle)
        cursor.execute(text.encode(), values, prepare=prepare, binary=True)
        return cursor


C = TypeVar("C", bound="psycopg.Connection[Any]")


def connect(url: str, kind: type[C]) -> C:
    """Connect to the server at `url`. What the URL says of time-outs holds; else a server that is gone is noticed."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    limits: dict[str, str | int | None] = {
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": 4_000,
        "keepalives_idle": 5,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "application_name": "retoma",
    }
    said = conninfo_to_dict(url)
    kept = make_conninfo(url, **{name: value for name, value in limits.items() if name not in said})
    return kind.connect(kept, autocommit=True)
