"""A lease that lapsed is over once anybody wrote; leases of one machine go by the machine's own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from tests.calls import Calls
from tests.service.branching import client, texts

from retoma.errors import Busy
from retoma.model.changes import Changes
from retoma.model.lease import LEASE_TTL_MS, FencingToken, Ticks
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.runtime.process import ticks as machine
from retoma.service import entries, leases, timeline
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import HOLDER, Clock
from retoma.stores.contract.store import Store
from retoma.stores.postgres.store import PostgresStore
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import SYSTEM, Sources

__all__ = ["client"]


def held(client: Calls) -> FencingToken:
    return client._store.write(lambda tx: leases.acquire(tx, client._who, "s", HOLDER)).token


def writes(client: Calls, token: FencingToken | None, text: str = "mine") -> int:
    operation = client._operation(None, "append", "s")

    def use_case(tx):
        return timeline.append(tx, client._who, "s", "user", text, operation=operation, token=token)

    return client._store.write(use_case)


def away_and_back(
    first: Callable[[Calls], object], then: Callable[[Calls], object]
) -> Callable[[Calls], object]:
    return lambda client: (first(client), then(client))


def changes_state(client: Calls) -> None:
    operation = client._operation(None, "state", "s")
    change = [entries.Changed({"a": 1})]
    client._store.write(lambda tx: entries.write(tx, client._who, "s", change, operation=operation))


WRITES: dict[str, Callable[[Calls], object]] = {
    "append": lambda client: client.append("s", "user", "theirs"),
    "state": changes_state,
    "redact": lambda client: client.redact("s", Selection(first=2, last=2)),
    "trash and restore": away_and_back(lambda c: c.trash("s"), lambda c: c.restore("s")),
    "pause and resume": away_and_back(
        lambda c: c.change("s", "suspended"), lambda c: c.change("s", "active")
    ),
    "title": lambda client: client.update("s", Changes(title="T")),
    "id": away_and_back(lambda c: c.set_id("s", "t"), lambda c: c.set_id("t", "s")),
    "note": lambda client: client.note("s", "n"),
    "undo": lambda client: client.undo("s"),
    "reset": lambda client: client.reset("s"),
    "delete": away_and_back(lambda c: c.delete("s"), lambda c: c.create(NewSession(id="s"))),
}


@pytest.mark.parametrize("write", WRITES)
def test_whatever_somebody_writes_in_a_lapse_fences_the_old_holder(client, clock, write):
    client.create(NewSession(id="s"))
    client.append("s", "user", "first")
    token = held(client)
    clock.now += LEASE_TTL_MS
    WRITES[write](client)
    assert not client._store.write(lambda tx: leases.renew(tx, client._who, "s", token))
    for _ in range(2):
        with pytest.raises(Busy) as refused:
            writes(client, token)
        assert refused.value.code == "fenced"
    assert client.append("s", "user", "goes on") > 0


def test_an_import_that_continues_it_in_a_lapse_does_too(client, clock, other_store):
    client.create(NewSession(id="s"))
    client.append("s", "user", "first")
    other_store.import_(BytesIO(b"".join(client.export("s"))))
    client.append("s", "user", "second")
    token = held(other_store)
    clock.now += LEASE_TTL_MS
    assert other_store.import_(BytesIO(b"".join(client.export("s")))).outcome == "extended"
    with pytest.raises(Busy, match="no longer driven by this process"):
        writes(other_store, token)


@pytest.fixture
def other_store(clock: Clock) -> Iterator[Calls]:
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "bia"), sources=Sources(clock, clock.bytes)) as other:
        yield other


def test_a_holder_that_wakes_and_finds_nothing_new_goes_on(client, clock):
    client.create(NewSession(id="s"))
    token = held(client)
    client.note("s", "beside a lease that holds")
    clock.now += 10 * LEASE_TTL_MS
    client.show("s")
    writes(client, token, "one")
    assert client._store.write(lambda tx: leases.renew(tx, client._who, "s", token))
    writes(client, token, "two")
    assert texts(client, "s") == ["one", "two"]


# The machine's clock


Opened = Callable[[Clock, Callable[[], Ticks | None]], Calls]


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path) -> Iterator[Opened]:
    made: list[Calls] = []
    url = request.getfixturevalue("database") if request.param == "postgres" else ""

    def calls(clock: Clock, ticks: Callable[[], Ticks | None]) -> Calls:
        store: Store
        if url:
            store = PostgresStore(url, shown="test", now=clock, random=clock.bytes, ticks=ticks)
        else:
            store = SqliteStore(tmp_path / "retoma.db", now=clock, random=clock.bytes, ticks=ticks)
        made.append(Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)))
        return made[-1]

    yield calls
    for one in made:
        one.close()


def test_on_one_machine_a_wrong_wall_clock_neither_ends_a_lease_nor_keeps_one(opened):
    here = Ticks("boot", 1_000)
    right, wrong = Clock(), Clock()
    wrong._drawn = 1 << 32
    one, other = opened(right, lambda: here), opened(wrong, lambda: here)
    one.create(NewSession(id="s"))
    token = held(one)
    wrong.now += 60_000
    with pytest.raises(Busy, match="is driven by"):
        other.append("s", "user", "walks in")
    with pytest.raises(Busy):
        held(other)
    assert other.show("s").lease.expires_at == wrong.now + LEASE_TTL_MS
    writes(one, token)
    here = Ticks("boot", 1_000 + LEASE_TTL_MS)  # and the wall clocks stand still
    other.append("s", "user", "the lease is over")
    with pytest.raises(Busy, match="no longer driven"):
        writes(one, token)


def test_a_renewal_counts_by_that_clock_too(opened):
    here = Ticks("boot", 0)
    clock = Clock()
    one = opened(clock, lambda: here)
    one.create(NewSession(id="s"))
    token = held(one)
    here = Ticks("boot", LEASE_TTL_MS - 1)
    assert one._store.write(lambda tx: leases.renew(tx, one._who, "s", token))
    here = Ticks("boot", 2 * LEASE_TTL_MS - 2)
    with pytest.raises(Busy):
        one.append("s", "user", "x")


@pytest.mark.parametrize("there", [Ticks("another boot", 0), None])
def test_another_machine_goes_by_the_wall_clock(opened, there):
    clock, elsewhere = Clock(), Clock()
    elsewhere._drawn = 1 << 32
    one, other = opened(clock, lambda: Ticks("boot", 10**9)), opened(elsewhere, lambda: there)
    one.create(NewSession(id="s"))
    held(one)
    with pytest.raises(Busy):
        other.append("s", "user", "x")
    elsewhere.now += LEASE_TTL_MS
    assert other.append("s", "user", "x") == 2


def test_this_machine_has_such_a_clock():
    assert SYSTEM.ticks is machine
    before, after = machine(), machine()
    if before is not None and after is not None:
        assert (before.boot, before.ms) <= (after.boot, after.ms)
