"""One connection to PostgreSQL, always in pipeline mode: what returns no rows goes in one packet with what does.

Statements go through libpq as psycopg wraps it, without its cursors: those send each statement at once, so that a
transaction of six would be six packets.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeAlias

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from retoma.model.lease import Ticking, no_ticks
from retoma.stores.postgres.search import Tsvector
from retoma.stores.postgres.statements import Statement, own, reading, writing
from retoma.stores.sql.statements import STATEMENTS, Row, Value, Values
from retoma.stores.sql.transaction import SqlTransaction

SILENCE_S = 2.0
"""How long a server may say nothing before it is asked, on another connection, whether it is still at work."""
CONNECT_S = 2
_LIMITS: dict[str, str | int | None] = {
    "connect_timeout": CONNECT_S,
    "tcp_user_timeout": 4_000,
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "application_name": "retoma",
    "client_encoding": "utf8",
}

_LEASE = STATEMENTS["lease_token"]
_CHANGES_LEASES = {"put_lease", "renew_lease", "drop_lease", "release_lease", "move_lease"}
_OK = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}

Load: TypeAlias = "Callable[[bytes], int | str | bytes | bool]"
Mark: TypeAlias = "tuple[str, tuple[Value, ...]]"


class Silent(psycopg.OperationalError):
    """The server neither answers nor can be asked: the network is cut, or its machine is gone."""


class Dropped(psycopg.OperationalError):
    """The connection is gone, and with it what was asked last, or its answer."""


class Prepared(NamedTuple):
    """A statement that the server knows by `name`; `loads` is filled by its first rows."""

    name: bytes
    loads: list[Load]


class Wire:
    """A connection with its one transaction object. `mark` is what its last transaction would leave for good."""

    def __init__(
        self, url: str, random: Callable[[int], bytes], *, writes: bool, ticks: Ticking = no_ticks
    ) -> None:
        self._url = url
        self._handle = connect(url)
        self._pgconn = self._handle.pgconn
        self._pgconn.enter_pipeline_mode()
        self._poll = select.poll()
        self._poll.register(self._pgconn.socket, select.POLLIN)
        self._known: dict[str, Prepared] = {}
        self._named = 0
        self._sent: list[tuple[str, Prepared, bool]] = []
        self._lease: Row | None = None
        self.mark: Mark | None = None
        self.transaction = SqlTransaction(self._write if writes else self._read, random, Tsvector, ticks)

    def ask(self, name: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one of PostgreSQL's own statements."""
        return self._run(own(name), values)

    def begin(self, how: str) -> None:
        """Begin a transaction, in the packet of its first statement that has rows."""
        self.mark = self._lease = None
        self.transaction.moved.clear()
        self.put(f"BEGIN {how}")

    def commit(self) -> None:
        """Commit what was put; return when it is durable. What went wrong with a statement is raised here, too."""
        self.put("COMMIT")
        self.answered()

    def roll_back(self) -> None:
        """Undo the transaction. A connection that cannot is closed, which undoes it too."""
        try:
            if self._sent:
                with suppress(psycopg.Error):
                    self.answered()
            if self._pgconn.transaction_status != pq.TransactionStatus.IDLE:
                self.put("ROLLBACK")
                self.answered()
        except psycopg.Error:
            self.close()

    @property
    def usable(self) -> bool:
        return not self._sent and self._pgconn.transaction_status == pq.TransactionStatus.IDLE

    def close(self) -> None:
        self._handle.close()

    def put(self, text: str, values: Sequence[Value] = ()) -> None:
        """Send a statement with the next that is waited for."""
        if self._pgconn.status != pq.ConnStatus.OK:
            raise Dropped("the connection is closed")
        prepared = self._known.get(text)
        if prepared is None:
            self._named += 1
            prepared = self._known[text] = Prepared(b"r%d" % self._named, [])
            self._pgconn.send_prepare(prepared.name, text.encode())
            self._sent.append((text, prepared, True))
        dumped = [_dumped(value) for value in values]
        self._pgconn.send_query_prepared(prepared.name, dumped, [1] * len(dumped), result_format=1)
        self._sent.append((text, prepared, False))

    def answered(self) -> list[list[Row]]:
        """Wait until the server has done all that was put, and return the rows of each. Raises what failed."""
        sent, self._sent = self._sent, []
        try:
            results = self._exchanged()
        except BaseException:
            self._pgconn.finish()  # in the middle of an answer there is no way back
            raise
        failed: psycopg.Error | None = None
        rows: list[list[Row]] = []
        for (text, prepared, preparing), result in zip(sent, results, strict=True):
            if result.status in _OK:
                if not preparing:
                    rows.append(_rows(result, prepared.loads))
                continue
            if preparing:
                self._known.pop(text, None)
            if result.status != pq.ExecStatus.PIPELINE_ABORTED and failed is None:
                failed = _error(result)
        if failed is not None:
            raise failed
        return rows

    # What a transaction runs

    def _read(self, text: str, values: Values = ()) -> list[Row]:
        statement = reading(text)
        return self._run(statement, statement.bound(values))

    def _write(self, text: str, values: Values = ()) -> list[Row]:
        statement = writing(text)
        bound = statement.bound(values)
        if text is _LEASE and self._lease is not None and self._lease[0] == bound[0]:
            return [self._lease[1:]] if self._lease[1] is not None else []
        if statement.name in _CHANGES_LEASES:
            self._lease = None
        if statement.alone is not None:
            self.put(own("one_at_a_time").text, (bound[statement.alone],))
            self.answered()
        if statement.mark is not None:
            name, places = statement.mark
            self.mark = name, tuple(bound[place] for place in places)
        if statement.name == "session_head":
            return self._head(statement, bound)
        return self._run(statement, bound)

    def _head(self, statement: Statement, bound: Sequence[Value]) -> list[Row]:
        """Lock the session's row and, in the same packet, ask for the lease that every write looks at."""
        self.put(statement.text, bound)
        self.put(own("lease_beside").text, bound)
        *_, head, beside = self.answered()
        self._lease = beside[0] if beside else None
        return head

    def _run(self, statement: Statement, bound: Sequence[Value]) -> list[Row]:
        self.put(statement.text, bound)
        return self.answered()[-1] if statement.has_rows else []

    # What goes over the network

    def _exchanged(self) -> list[pq.abc.PGresult]:
        """Send all that was put, in one packet if it fits, and return what came back, result by result."""
        pgconn = self._pgconn
        pgconn.pipeline_sync()
        if pgconn.flush():
            self._poll.modify(pgconn.socket, select.POLLIN | select.POLLOUT)
            while pgconn.flush():
                self._wait()
            self._poll.modify(pgconn.socket, select.POLLIN)
        results: list[pq.abc.PGresult] = []
        while True:
            while pgconn.is_busy():
                self._wait()
            result = pgconn.get_result()
            if pgconn.status != pq.ConnStatus.OK:
                raise Dropped(
                    (result.error_message if result else pgconn.error_message).decode(errors="replace")
                )
            if result is None:
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)

    def _wait(self) -> None:
        while not self._poll.poll(SILENCE_S * 1_000):
            if not self._works():
                raise Silent("the server does not answer")
        try:
            self._pgconn.consume_input()
        except psycopg.OperationalError as error:
            raise Dropped(str(error)) from None

    def _works(self) -> bool:
        with suppress(psycopg.Error), connect(self._url) as other:
            asked = psycopg.RawCursor(other).execute(
                own("at_work").text.encode(), (self._pgconn.backend_pid,)
            )
            return asked.fetchone() is not None
        return False


def connect(url: str) -> psycopg.Connection[Row]:
    """Connect to the server at `url`. What the URL says of time-outs holds; else a server that is gone is noticed.

    What is raised quotes no part of a password, in its cause neither.
    """
    try:
        said = conninfo_to_dict(url)
        kept = make_conninfo(url, **{name: value for name, value in _LIMITS.items() if name not in said})
    except psycopg.ProgrammingError:
        raise psycopg.ProgrammingError("libpq cannot read the URL") from None
    try:
        return psycopg.connect(kept, autocommit=True)
    except psycopg.Error:
        if _is_read_as_meant(url, said):
            raise
        raise psycopg.OperationalError(
            "its URL is ambiguous; special characters in a password must be written as %XX ('@' as %40, '/' as %2F)"
        ) from None


def _is_read_as_meant(url: str, said: Mapping[str, object]) -> bool:
    """Return whether libpq took nothing of a password for a host, a port or a database, which its errors name."""
    secret, at, _ = url.partition("://")[2].rpartition("@")
    ports = str(said.get("port") or "").replace(",", "")
    return (ports.isdecimal() or not ports) and not (at and set("/@") & set(secret.partition(":")[2]))


def _dumped(value: Value) -> bytes | None:
    if isinstance(value, int):
        return value.to_bytes(8, signed=True)
    return value.encode() if isinstance(value, str) else value


def _rows(result: pq.abc.PGresult, loads: list[Load]) -> list[Row]:
    """Return the rows of a result in binary format."""
    count, width, get = result.ntuples, result.nfields, result.get_value
    if not count:
        return []
    if not loads:
        loads += [_LOADS[result.ftype(column)] for column in range(width)]
    return [
        tuple(
            None if (value := get(row, column)) is None else loads[column](value) for column in range(width)
        )
        for row in range(count)
    ]


def _integer(value: bytes) -> int:
    return int.from_bytes(value, signed=True)


def _boolean(value: bytes) -> bool:
    return value == b"\x01"


_LOADS: dict[int, Load] = {
    16: _boolean, 17: bytes, 20: _integer, 21: _integer, 23: _integer, 25: bytes.decode, 2278: bytes,
}  # fmt: skip
"""By PostgreSQL's numbers of its types: boolean, bytea, the integers, text, and void."""


def _error(result: pq.abc.PGresult) -> psycopg.Error:
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    said = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message
    try:
        kind: type[psycopg.Error] = errors.lookup(state)
    except KeyError:
        kind = psycopg.OperationalError
    return kind(said.decode(errors="replace").strip())
