"""Appends that meet on PostgreSQL: they share a transaction, and nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest
from tests.calls import Calls

from retoma.errors import Busy, Invalid, NotFound, Refused
from retoma.model.chain import as_written, follows, genesis
from retoma.model.codec import JsonMap
from retoma.model.event import INLINE_BYTES
from retoma.model.ids import Operation, TenantKey, new_operation
from retoma.model.lease import Holder
from retoma.model.principal import Principal
from retoma.model.session import NewSession
from retoma.service import entries, leases
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Transaction
from retoma.stores.postgres import groups
from retoma.stores.postgres.changes import PostgresChanges
from retoma.stores.postgres.columns import columns
from retoma.stores.postgres.connection import Dropped, Wire
from retoma.stores.postgres.statements import own
from retoma.stores.postgres.store import PostgresStore
from retoma.stores.sql.statements import Row
from retoma.wiring import Sources

TENANT = TenantKey(1)
WHO = Principal(TENANT, "ana")
HOLDER = Holder("host", "boot", 1, 1, "test")
SESSIONS = ("a", "b", "c")


@pytest.fixture
def store(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresStore]:
    monkeypatch.setattr(groups, "GROUP_S", 60)
    clock = Clock()
    store = PostgresStore(database, shown="test", now=clock, random=clock.bytes)
    yield store
    store.close()


@pytest.fixture
def client(store: PostgresStore) -> Calls:
    clock = Clock()
    client = Calls(store, WHO, sources=Sources(clock, clock.bytes))
    for name in (*SESSIONS, "lone", "first"):
        client.create(NewSession(id=name))
    return client


@pytest.fixture(autouse=True)
def _no_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notice to listeners comes a moment after a write: a round trip at no certain place."""
    monkeypatch.setattr(PostgresChanges, "wrote", lambda changes: None)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements each round trip took."""
    counted: list[int] = []
    answered = Wire.answered

    def counting(wire: Wire) -> list[list[Row]]:
        counted.append(len(wire._sent))
        return answered(wire)

    monkeypatch.setattr(Wire, "answered", counting)
    return counted


class Meeting:
    """Calls that meet: a group of one is held until all wait behind it, and before it whoever writes alone."""

    def __init__(self, store: PostgresStore, pool: ThreadPoolExecutor) -> None:
        self._store, self._pool = store, pool
        self._calls = 0
        self._go = threading.Event()
        self.held = [self._hold("lone")]
        if not store._groups._seat:
            self.held.append(self._hold("first"))

    def add(self, call: Callable[[], object]) -> Future[object]:
        """Begin one call in a thread of its own; it waits when this returns."""
        self._calls += 1
        future = self._pool.submit(call)
        while len(self._store._groups._waiting) < self._calls:
            assert not future.done(), future.exception()
        return future

    def go(self) -> None:
        """Let all go on, and wait for those who were held."""
        self._go.set()
        for one in self.held:
            one.result()

    def _hold(self, name: str) -> Future[None]:
        inside = threading.Event()

        def use_case(tx: Transaction) -> None:
            tx.sessions.head(TENANT, name)
            inside.set()
            self._go.wait()

        future = self._pool.submit(self._store.write, use_case)
        future.add_done_callback(lambda _: inside.set())  # it failed before it was inside
        inside.wait()
        return future


@contextmanager
def meeting(store: PostgresStore) -> Generator[Meeting]:
    with ThreadPoolExecutor(12) as pool:
        met = Meeting(store, pool)
        try:
            yield met
        finally:
            met._go.set()


def says(client: Calls, name: str, text: str, **others: str) -> Callable[[], int]:
    return partial(client.append, name, "user", text, **others)


def texts(client: Calls, name: str) -> list[str]:
    return [message.text for message in client.messages(name)]


def test_a_group_is_two_round_trips_and_each_chain_is_whole(
    store: PostgresStore, client: Calls, sent: list[int]
) -> None:
    times = 0
    while sent[-2:] != [3, 3]:  # a connection that ran none before prepares two statements in each round trip
        assert times == 0 or (times < 3 and sent[-2:] == [5, 5])
        times += 1
        with meeting(store) as met:
            futures = [met.add(says(client, name, f"{name}{n}")) for n in range(3) for name in SESSIONS]
            sent.clear()
            met.go()
            seqs = [future.result() for future in futures]
    # Each time: begin, heads, leases; events, heads, commit.
    before_last = 2 + 3 * (times - 1)
    assert seqs == [before_last + n for n in range(3) for _ in SESSIONS]
    for name in SESSIONS:
        assert texts(client, name) == [f"{name}{n}" for n in range(3)] * times
        session = client.get(name)
        assert session is not None
        before = genesis(session.uid)
        events = list(client.events(name))
        for event in events:
            assert follows(event, before)
            assert as_written(event)
            before = event.hash
        assert (session.seq, session.hash, session.messages) == (len(events), before, 3 * times)


def test_a_group_reads_what_keys_wrote_before_in_a_third_round_trip(
    store: PostgresStore, client: Calls, sent: list[int]
) -> None:
    client.append("a", "user", "known", key="k")
    for _ in range(2):
        with meeting(store) as met:
            futures = [met.add(says(client, "a", "known", key="k")) for _ in range(2)]
            futures += [met.add(says(client, "b", "new", key="l")) for _ in range(3)]
            sent.clear()
            met.go()
            seqs = [future.result() for future in futures]
    assert seqs == [2, 2, 2, 2, 2]
    assert sent[-3:] == [3, 5, 1], "heads; a question for each key; nothing to write but COMMIT"
    assert (texts(client, "a"), texts(client, "b")) == (["known"], ["new"])


def test_an_error_undoes_its_own_writes_alone(store: PostgresStore, client: Calls) -> None:
    client.change("c", "completed")
    store.write(lambda tx: leases.acquire(tx, WHO, "b", HOLDER))

    def fails() -> None:
        def use_case(tx: Transaction) -> None:
            head = tx.sessions.head(TENANT, "a")
            assert head is not None
            tx.journal.append(TENANT, head, [], actor="ana", operation=b"o" * 16, request=None)
            raise ValueError("on purpose")

        store.write(use_case)

    with meeting(store) as met:
        first = met.add(says(client, "a", "first"))
        errors = [
            (met.add(fails), ValueError),
            (met.add(says(client, "b", "driven")), Busy),
            (met.add(says(client, "c", "over")), Refused),
            (met.add(says(client, "missing", "?")), NotFound),
        ]
        last = met.add(says(client, "a", "last"))
        met.go()
        assert [first.result(), last.result()] == [2, 3]
        for future, kind in errors:
            with pytest.raises(kind):
                future.result()
    assert texts(client, "a") == ["first", "last"]


def test_what_a_group_has_not_got_runs_by_itself(store: PostgresStore, client: Calls) -> None:
    def counts(tx: Transaction) -> int:
        head = tx.sessions.head(TENANT, "b")
        assert head is not None
        tx.state.put(head.key, {"n": len(tx.state.get(head.key)) + 1}, seq=head.seq)
        return head.seq

    with meeting(store) as met:
        futures = [
            met.add(says(client, "a", "before")),
            met.add(lambda: store.write(counts)),
            met.add(says(client, "a", "x" * (INLINE_BYTES + 1))),
            met.add(says(client, "a", "after")),
        ]
        met.go()
        assert [future.result() for future in futures] == [2, 1, 3, 4]
    assert [len(text) for text in texts(client, "a")] == [6, INLINE_BYTES + 1, 5]
    assert store.read(lambda tx: tx.state.get(tx.sessions.key(TENANT, "b"))) == {"n": 1}


def test_what_the_database_refuses_is_no_matter_of_the_others(store: PostgresStore, client: Calls) -> None:
    wrong = Calls(store, Principal(TENANT, "no\0name"))
    with meeting(store) as met:
        futures = [met.add(says(one, "a", "text")) for one in (client, wrong, client)]
        met.go()
        assert sorted(future.result() for future in (futures[0], futures[2])) == [2, 3]
        with pytest.raises(Invalid):
            futures[1].result()
    assert texts(client, "a") == ["text", "text"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_group_whose_answer_was_lost_is_written_once(
    store: PostgresStore, client: Calls, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    commit, lost = Wire.commit, []

    def commits(wire: Wire) -> None:
        if lost or all(text != own("add_events").text for text, *_ in wire._sent):
            commit(wire)
            return
        lost.append(1)
        if kept:
            commit(wire)
        wire.close()
        raise Dropped("the answer was lost")

    monkeypatch.setattr(Wire, "commit", commits)
    said = [(name, f"{name}{n}") for n in range(3) for name in SESSIONS]
    with meeting(store) as met:
        futures = [met.add(says(client, name, text)) for name, text in said]
        met.go()
        seqs = [future.result() for future in futures]
    assert lost
    for name in SESSIONS:
        own_seqs = [seq for seq, (of, _) in zip(seqs, said, strict=True) if of == name]
        assert sorted(own_seqs) == [2, 3, 4]
        written = {event.seq: event.value().get("content") for event in client.events(name)}
        assert [written[seq] for seq in own_seqs] == [f"{name}{n}" for n in range(3)]


def test_nobody_waits_for_a_session_that_somebody_else_has(
    store: PostgresStore, client: Calls, database: str
) -> None:
    with psycopg.connect(database) as other, meeting(store) as met:
        other.execute("SELECT 1 FROM session WHERE id = 'a' FOR UPDATE")
        late = [met.add(says(client, "a", f"a{n}")) for n in range(3)]
        free = [met.add(says(client, name, "free")) for name in ("b", "c")]
        met.go()
        assert [future.result() for future in free] == [2, 2]
        assert not any(future.done() for future in late)
        other.commit()
        assert sorted(future.result() for future in late) == [2, 3, 4]


def test_an_interrupt_is_the_writers_alone(store: PostgresStore, client: Calls) -> None:
    def interrupts() -> None:
        def use_case(tx: Transaction) -> None:
            tx.sessions.head(TENANT, "a")
            raise KeyboardInterrupt

        store.write(use_case)

    with meeting(store) as met:
        first = met.add(interrupts)
        others = [met.add(says(client, name, "text")) for name in SESSIONS]
        met.go()
        assert isinstance(first.exception(), KeyboardInterrupt)
        assert [future.result() for future in others] == [2, 2, 2]


def test_use_cases_that_are_beyond_a_group_are_kept_out_of_the_next(
    store: PostgresStore, client: Calls
) -> None:
    runs = []

    def use_case(tx: Transaction) -> None:
        runs.append(1)
        head = tx.sessions.head(TENANT, "b")
        assert head is not None
        tx.state.get(head.key)

    for _ in range(3):
        with meeting(store) as met:
            first = met.add(lambda: store.write(use_case))
            met.go()
            first.result()
    assert len(runs) == 9, "each up to the head, in the group, by itself"
    with meeting(store) as met:
        met._pool.submit(store.write, use_case).result()
        met.go()
    assert len(runs) == 10


def test_changes_of_the_state_go_in_groups(store: PostgresStore, client: Calls) -> None:
    def write(name: str, *written: entries.Entry) -> Callable[[], tuple[int, JsonMap]]:
        def run() -> tuple[int, JsonMap]:
            operation = new_operation(1, os.urandom)
            done = store.write(
                lambda tx: entries.write(tx, WHO, name, written, operation=Operation(operation))
            )
            return done.head.seq, done.removed

        return run

    write("a", entries.Changed({"n": 0, "gone": 1}))()
    with meeting(store) as met:
        futures = [
            met.add(write("a", entries.Changed({"n": 1}), entries.Said("user", "one"))),
            met.add(write("b", entries.Changed({"n": 2}))),
            met.add(write("a", entries.Changed(removed=("gone", "missing")))),
            met.add(write("a", entries.Changed({"n": 3}))),
        ]
        met.go()
        results = [future.result() for future in futures]
    assert sorted(seq for seq, _ in (results[0], *results[2:])) == [4, 5, 6]
    assert results[1:3] == [(2, {}), (results[2][0], {"gone": 1})]
    assert store.read(lambda tx: entries.state_of(tx, WHO, "a")) == {"n": 3}
    assert store.read(lambda tx: entries.state_of(tx, WHO, "b")) == {"n": 2}


def test_groups_of_two_stores_on_the_same_sessions(
    store: PostgresStore, client: Calls, database: str
) -> None:
    """As two processes: each finds sessions that the other has."""
    clock = Clock()
    other = PostgresStore(database, shown="test", now=clock, random=clock.bytes)
    clients = [Calls(one, WHO) for one in (store, other)]
    begin = threading.Barrier(12)

    def writes(number: int) -> list[tuple[str, int]]:
        begin.wait()
        said = [SESSIONS[(number + n) % 2] for n in range(12)]
        return [
            (name, clients[number % 2].append(name, "user", f"{number}.{n}")) for n, name in enumerate(said)
        ]

    with ThreadPoolExecutor(12) as pool:
        answered = [seq for seqs in pool.map(writes, range(12)) for seq in seqs]
    other.close()
    assert sorted(answered) == [(name, seq) for name in ("a", "b") for seq in range(2, 74)]
    assert [len(texts(client, name)) for name in ("a", "b")] == [72, 72]


def test_columns_come_back_as_the_rows_they_were(store: PostgresStore) -> None:
    rows = [
        (1, "a", b"\0\xff"),
        (-(1 << 63), "", b""),
        (None, "ö€𐍈", None),
        ((1 << 63) - 1, None, b"x" * 70_000),
    ]
    with store._begun() as wire:
        wire.put("SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])", columns(rows, "itb"))
        assert wire.answered()[-1] == rows
        wire.roll_back()


def test_what_is_asked_for_all_is_sought_in_indexes(client: Calls, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as other:
        other.execute(
            """INSERT INTO session (tenant, id, uid, status, epoch, epoch_seq, head_seq, head_hash, created_at,
            updated_at, listed_at) SELECT 1, 's' || n, '', 'active', 1, 1, 0, '', 0, 0, 0
            FROM generate_series(1, 10000) n"""
        )
        other.execute(
            "INSERT INTO session_name (tenant, id, session) SELECT tenant, id, pk FROM session ON CONFLICT DO NOTHING"
        )
        other.execute(
            "INSERT INTO lease (session, token, holder, acquired_at, expires_at) SELECT pk, 1, '', 0, 0 FROM session"
        )
        other.execute("ANALYZE session, session_name, lease")
        for name in ("heads_together", "leases_together", "move_heads"):
            plan = other.execute(f"EXPLAIN (GENERIC_PLAN) {own(name).text}".encode()).fetchall()
            assert not [line for (line,) in plan if "Seq Scan" in line], plan
