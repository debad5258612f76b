"""A clock that is wrong for a while deletes nothing, whoever asks it; and real time keeps no trash for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO

import pytest
from tests.calls import Calls

from retoma.errors import NotFound
from retoma.model.retention import SETTLED_MS, Choice
from retoma.model.session import TRASHED, NewSession
from retoma.model.times import DAY, HOUR, LAST, MINUTE
from retoma.service.transfer.incoming import STALE_MS
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing
from retoma.wiring import now_ms

YEAR = 365 * DAY


def trashed(client: Calls) -> list[str]:
    return sorted(one.id for one in client.list([Listing(shelf=TRASHED)], limit=99).items)


def prune(client: Calls, clock: Clock) -> object:
    return client.prune(Choice(before=clock.now - DAY, statuses=("active",)))


WRITES: dict[str, Callable[[Calls, Clock], object]] = {
    "trash": lambda client, clock: client.trash("b"),
    "rm": lambda client, clock: client.delete("b"),
    "reset --erase": lambda client, clock: client.reset("b", erase=True),
    "append": lambda client, clock: client.append("b", "user", "x"),
    "gc": lambda client, clock: client.collect(),
    "prune": prune,
    "import": lambda client, clock: client.import_(exported(client), name="c"),
}


def exported(client: Calls) -> BinaryIO:
    return BytesIO(b"".join(client.export("b")))


@pytest.mark.parametrize("write", WRITES)
def test_a_clock_that_is_ahead_for_a_command_empties_no_trash(client, clock, write):
    for name in ("a", "b"):
        client.create(NewSession(id=name))
    client.trash("a")
    right = clock.now
    for ahead in (8 * DAY, YEAR):
        clock.now = right + ahead
        if client.get("b") is not None and "b" not in trashed(client):
            if "c" in [one.id for one in client.list([Listing()], limit=99).items]:
                client.delete("c")
            WRITES[write](client, clock)
        client.work_due()
        clock.now = right = right + MINUTE
        assert "a" in trashed(client)
        client.work_due()
    assert client.restore("a") is None


def test_prune_counts_ages_from_the_time_that_is_believed(client, clock):
    client.create(NewSession(id="a"))
    client.create(NewSession(id="b"))
    client.trash("b")
    clock.now += 8 * DAY
    assert prune(client, clock) == {}
    clock.now += SETTLED_MS
    assert client.preview(Choice(before=clock.now - DAY, statuses=("active",))).count == 1
    assert prune(client, clock) == {"active": 1}


def test_a_store_that_lay_for_a_month_empties_its_trash_at_the_second_look(client, clock):
    client.create(NewSession(id="a"))
    client.trash("a")
    clock.now += 30 * DAY
    client.collect()
    assert trashed(client) == ["a"]
    clock.now += SETTLED_MS
    client.collect()
    assert trashed(client) == []


def test_a_command_a_month_empties_the_trash_too(client, clock):
    client.create(NewSession(id="a"))
    client.trash("a")
    for _ in range(2):
        clock.now += 30 * DAY
        client.collect()
    assert trashed(client) == []


@pytest.mark.parametrize("behind", [8 * DAY, 50 * YEAR])
def test_what_was_trashed_while_the_clock_was_behind_is_kept_for_seven_days(client, clock, behind):
    for name in ("a", "b"):
        client.create(NewSession(id=name))
    client.trash("a")
    right = clock.now
    clock.now -= behind
    client.trash("b")
    for _ in range(5):
        clock.now += 20 * MINUTE
        client.work_due()
    clock.now = right + HOUR
    end = clock.now + 7 * DAY
    while clock.now < end - HOUR:
        client.tidy()
        clock.now += HOUR
    assert trashed(client) == ["a", "b"]
    for _ in range(3):
        clock.now += HOUR
        client.tidy()
    assert trashed(client) == []


def test_a_clock_that_was_set_back_keeps_the_trash_for_seven_days_and_no_longer(client, clock):
    client.create(NewSession(id="a"))
    clock.now += 50 * YEAR
    client.trash("a")
    clock.now += SETTLED_MS
    client.collect()
    clock.now -= 50 * YEAR
    client.create(NewSession(id="b"))
    client.trash("b")
    for _ in range(9):
        clock.now += DAY
        client.collect()
        clock.now += SETTLED_MS
        client.collect()
    assert trashed(client) == ["a"]


def test_trash_of_an_earlier_retoma_is_not_emptied_by_a_first_look(client, clock):
    client.create(NewSession(id="a"))
    client.trash("a")
    client._store.write(lambda tx: tx.retention._run("DELETE FROM due"))
    clock.now += 8 * DAY
    client.collect()
    assert trashed(client) == ["a"]
    clock.now += SETTLED_MS
    client.collect()
    assert trashed(client) == []


def test_gc_now_goes_by_the_clock_as_it_is(client, clock):
    client.create(NewSession(id="a"))
    client.trash("a")
    clock.now += 8 * DAY
    assert client.due(now=True).trashed == client.collect(now=True).trashed == 1
    with pytest.raises(NotFound):
        client.restore("a")


def test_an_import_that_was_left_is_removed_by_the_same_clock(client, clock):
    client.create(NewSession(id="b"))
    tenant = client._who.tenant
    key = client._store.write(
        lambda tx: tx.transfers.begin(tenant, b"u" * 16, 1, base=(0, b"h" * 32), becomes="x")
    )
    client.collect()
    clock.now += STALE_MS + MINUTE
    client.import_(exported(client), name="c")
    client.collect()
    assert client._store.read(lambda tx: tx.transfers.token(tenant, key)) is not None
    clock.now += SETTLED_MS
    client.collect()
    assert client._store.read(lambda tx: tx.transfers.token(tenant, key)) is None


@pytest.mark.parametrize("now", [-1, -(10**12), 9_300_000_000_000, LAST])
def test_a_clock_before_1970_or_after_2262_is_no_error(client, clock, now):
    clock.now = now
    client.create(NewSession(id="a", ttl_ms=HOUR))
    client.append("a", "user", "words", key="k")
    client.fork("a", "b")
    client.undo("a")
    client.trash("a")
    client.restore("a")
    client.collect()
    assert next(client.events("b")).at == now
    assert client.check().whole


def test_the_system_clock_is_read_where_nanoseconds_end(monkeypatch):
    def ended() -> int:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")

    monkeypatch.setattr("time.time_ns", ended)
    assert abs(now_ms() - time.time() * 1_000) < 60_000
    monkeypatch.setattr("time.time_ns", lambda: 10**30)
    assert now_ms() == LAST


def test_no_seq_is_too_large_to_be_asked_for(client):
    client.create(NewSession(id="a"))
    client.append("a", "user", "words")
    client.fork("a", "b")
    for name in ("a", "b"):
        for seq in (2**32, 2**63, 99999999999999999999):
            assert [*client.events(name, since=seq)] == []
            assert client.messages(name, since=seq) == []
            assert [one.text for one in client.messages(name, last=9, before=seq)] == ["words"]
