"""Writers that meet on PostgreSQL, where they are not contiguous, and answers that are lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from tests.calls import Calls
from tests.postgres import Server

from retoma.errors import Conflict, Limit, NotFound, RetomaError
from retoma.model.event import INLINE_BYTES
from retoma.model.ids import TenantKey
from retoma.model.lease import Holder
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import NewSession
from retoma.service import leases
from retoma.stores.conformance.store import Clock, add, append
from retoma.stores.postgres.changes import PostgresChanges
from retoma.stores.postgres.connection import Dropped, Wire
from retoma.stores.postgres.store import PostgresStore
from retoma.wiring import Sources

WHO = Principal(TenantKey(1), "ana")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    clock = Clock()
    store = PostgresStore(database, shown="test", now=clock, random=clock.bytes)
    yield store
    store.close()


@pytest.fixture
def client(store: PostgresStore) -> Calls:
    clock = Clock()
    return Calls(store, WHO, sources=Sources(clock, clock.bytes))


@pytest.fixture(autouse=True)
def _no_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notice to listeners comes a moment after a write: a round trip at no certain place."""
    monkeypatch.setattr(PostgresChanges, "wrote", lambda changes: None)


@pytest.fixture
def round_trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements each round trip took."""
    counted: list[int] = []
    answered = Wire.answered

    def counting(wire: Wire) -> object:
        counted.append(len(wire._sent))
        return answered(wire)

    monkeypatch.setattr(Wire, "answered", counting)
    return counted


def test_an_append_is_two_round_trips(client: Calls, round_trips: list[int]) -> None:
    client.create(NewSession(id="s"))
    client.append("s", "user", "first")
    client.append("s", "user", "first", key="a")
    round_trips.clear()
    client.append("s", "user", "second")
    assert round_trips == [3, 3], "begin, head, lease; event, head, commit"
    round_trips.clear()
    client.append("s", "user", "third", key="b")
    assert round_trips == [3, 1, 3]


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run the calls in threads that begin together; return what each returned or raised."""
    results: list[object] = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def run(number: int, call: Callable[[], object]) -> None:
        ready.wait()
        try:
            results[number] = call()
        except RetomaError as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number, call)) for number, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_limit_holds_among_writers_that_begin_at_once(store: PostgresStore) -> None:
    client = Calls(store, WHO, limits=Limits(sessions=5))
    results = at_once(*(partial(client.create, NewSession(id=f"s{n}")) for n in range(12)))
    assert sum(isinstance(result, str) for result in results) == 5
    assert sum(isinstance(result, Limit) for result in results) == 7


def test_of_those_who_take_a_name_at_once_one_has_it(client: Calls) -> None:
    results = at_once(*[partial(client.create, NewSession(id="s"))] * 8)
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 7


def test_the_same_key_at_once_is_one_event(client: Calls) -> None:
    client.create(NewSession(id="s"))
    results = at_once(*[partial(client.append, "s", "user", "once", key="k")] * 8)
    assert results == [2] * 8


def test_what_waited_for_a_deletion_finds_nothing(client: Calls, database: str) -> None:
    client.create(NewSession(id="s"))
    with psycopg.connect(database) as other:
        other.execute("SELECT 1 FROM session FOR UPDATE")
        deleting = threading.Thread(target=partial(client.delete, "s"))
        deleting.start()
        while not other.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone():
            pass
        threading.Timer(0.1, other.commit).start()
        with pytest.raises(NotFound):
            client.append("s", "user", "too late")
        deleting.join()


def test_content_stays_while_another_begins_to_refer_to_it(store: PostgresStore) -> None:
    large = "z" * (INLINE_BYTES + 1)
    first = store.write(lambda tx: append(tx, add(tx, "one"), large))
    store.write(lambda tx: add(tx, "two"))
    referring, dropped = threading.Event(), threading.Event()

    def refers(tx) -> None:
        head = tx.sessions.head(TenantKey(1), "two")
        append(tx, head, large)
        tx.state.get(head.key)  # sent, and not committed
        referring.set()
        dropped.wait(0.3)

    def drops() -> None:
        referring.wait()
        store.write(lambda tx: tx.erasing.drop_events(first.key, limit=10))
        dropped.set()

    at_once(lambda: store.write(refers), drops)
    key = store.read(lambda tx: tx.sessions.key(TenantKey(1), "two"))
    (event,) = store.read(lambda tx: tx.journal.read(key, limit=10))
    assert event.value()["content"] == large


def test_who_waited_for_an_undo_writes_in_the_line_that_is_there_now(client: Calls) -> None:
    client.create(NewSession(id="s"))
    for n in range(6):
        client.append("s", "user", f"before {n}")
        results = at_once(lambda: client.undo("s"), partial(client.append, "s", "assistant", f"beside {n}"))
        assert not [one for one in results if isinstance(one, RetomaError)], results
    # What was beside an undo came before it, and went with it, or after.
    assert set(client.messages("s")) <= {one for one in client.messages("s") if one.role == "assistant"}
    assert client.check().whole


def test_a_fork_of_what_is_deleted_at_the_same_time_is_whole_or_not_there(client: Calls) -> None:
    for n in range(6):
        client.create(NewSession(id=f"s{n}"))
        client.append(f"s{n}", "user", "shared")
        forked, _ = at_once(partial(client.fork, f"s{n}", f"f{n}"), partial(client.delete, f"s{n}"))
        if isinstance(forked, NotFound):
            assert client.get(f"f{n}") is None
        else:
            assert [message.text for message in client.messages(f"f{n}")] == ["shared"]
    assert client.check().whole


HOLDER = Holder("host", "boot", 1, 1, "test")
WRITES = {
    "append": lambda client: client.append("s", "user", "once"),
    "create": lambda client: client.create(NewSession(id="new")),
    "delete": lambda client: client.delete("s").id,
    "fork": lambda client: client.fork("s", "f").seq,
    "lease": lambda client: client._store.write(lambda tx: leases.acquire(tx, WHO, "s", HOLDER)).token,
    "rename": lambda client: client.set_id("s", "t"),
    "undo": lambda client: client.undo("s").seq,
}


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("write", WRITES)
def test_a_write_whose_answer_was_lost_is_done_once(
    client: Calls, monkeypatch: pytest.MonkeyPatch, write: str, kept: bool
) -> None:
    client.create(NewSession(id="s"))
    for said in ("first", "second"):
        client.append("s", "user", said)
    commit, lost = Wire.commit, []

    def commits(wire: Wire) -> None:
        if lost or wire.mark is None:
            commit(wire)
            return
        lost.append(1)
        if kept:
            commit(wire)
        wire.close()
        raise Dropped("the answer was lost")

    monkeypatch.setattr(Wire, "commit", commits)
    expected = {"append": 4, "create": "new", "delete": "s", "fork": 3, "lease": 1, "rename": "t", "undo": 2}
    assert WRITES[write](client) == expected[write]
    assert lost
    if write in {"append", "undo"}:
        said = {"append": ["first", "second", "once"], "undo": ["first"]}[write]
        assert [message.text for message in client.messages("s")] == said


def test_the_server_of_the_tests_opens_no_directory_to_others() -> None:
    above = [ROOT, *ROOT.parents]
    before = [place.stat().st_mode for place in above]
    server = Server()
    server.close()
    assert [place.stat().st_mode for place in above] == before
