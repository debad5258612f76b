"""What goes by itself goes late rather than early, says so, and can be brought back; what nobody set does nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.calls import Calls

from retoma.errors import Unavailable
from retoma.model.changes import Changes
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.retention import SETTLED_MS, STEADY_MS, TRASH_KEPT_MS, Choice, Looked, Retention, looked
from retoma.model.session import TRASHED, NewSession
from retoma.model.times import DAY, HOUR, MINUTE
from retoma.runtime import due
from retoma.runtime.drive import Request
from retoma.service import retention
from retoma.stores.conformance.store import HOLDER, Clock
from retoma.stores.contract.retention import LeftAlone
from retoma.stores.contract.store import Listing
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

IDLE = Retention(idle_timeout_ms=2 * HOUR)
OVER = Retention(completed_after_ms=30 * DAY)
BOTH = Retention(idle_timeout_ms=2 * HOUR, completed_after_ms=30 * DAY)


@pytest.fixture
def store(clock: Clock) -> SqliteStore:
    return SqliteStore(None, now=clock, random=clock.bytes)


@pytest.fixture
def under(store: SqliteStore, clock: Clock) -> Callable[[Retention], Calls]:
    """Return a client on the one store of the test, under some rules. Time does not pass while it works."""

    def client(rules: Retention) -> Calls:
        sources = Sources(clock, clock.bytes, lambda: 0.0)
        return Calls(store, Principal(LOCAL_TENANT, "ana"), sources=sources, retention=rules)

    return client


def passes(clock: Clock, client: Calls, ms: int) -> None:
    """Let time go by in half hours, with a command in each: due work sees a steady clock."""
    end = clock.now + ms
    while clock.now < end:
        clock.now = min(clock.now + 30 * MINUTE, end)
        client.work_due()


def listed(client: Calls, **asked: object) -> list[str]:
    return sorted(session.id for session in client.list([Listing(**asked)], limit=1_000).items)


def told(client: Calls, **asked: object) -> list[tuple[str, str, str]]:
    return [(entry.actor, entry.deed, entry.id) for entry in reversed(client.log(**asked))]


# Idle


def test_an_idle_session_is_failed_with_the_reason_and_by_nobody(under, clock):
    client = under(IDLE)
    client.create(NewSession(id="s"))
    client.create(NewSession(id="busy"))
    passes(clock, client, 2 * HOUR - 1)
    client.append("busy", "user", "still here")
    assert client.get("s").status == "active"
    passes(clock, client, MINUTE)
    assert (client.get("s").status, client.get("s").reason) == (
        "failed",
        "no event for 2h ([retention] idle_timeout)",
    )
    assert client.get("busy").status == "active"
    assert [*client.events("s")][-1].actor == "retention"
    assert told(client) == [("retention", "failed", "s")]
    assert client.resolve("@last") == "busy"


def test_what_is_pinned_archived_driven_paused_or_waits_is_never_idle(under, clock, make_flow):
    client = under(IDLE)
    for name in ("pinned", "archived", "driven", "paused", "left"):
        client.create(NewSession(id=name))
    client.update("pinned", Changes(pinned=True))
    client.update("archived", Changes(archived=True))
    client.change("paused", "suspended")
    flow = make_flow(start="---\ntype: question\n---\nWhat?\n")
    with client.drive(Request(directory=flow, session="waits")):
        pass

    def drives(tx):
        tx.leases.put(tx.sessions.head(LOCAL_TENANT, "driven"), HOLDER, ttl_ms=DAY)

    client._store.write(drives)
    passes(clock, client, 12 * HOUR)
    assert listed(client, status="failed") == ["left"]
    passes(clock, client, DAY)
    assert listed(client, status="failed") == ["driven", "left"]  # its driver was gone


def test_flows_that_wait_by_the_thousand_do_not_hide_who_is_idle(under, clock):
    client = under(IDLE)

    def waiting(tx):
        for n in range(2 * retention.WINDOW + 10):
            head = tx.sessions.add(LOCAL_TENANT, f"w{n}", NewSession(), parent=None)
            tx.flows.visit(head.key, ["a"], visits=0, node="a", status="waiting_for_input")

    client._store.write(waiting)
    clock.now += 1
    client.create(NewSession(id="idle"))
    clock.now += 2 * HOUR + MINUTE
    # Each time goes on where the one before stopped, even when it may take a single step.
    steps = []
    while client.get("idle").status == "active":
        seconds = iter(range(100))
        due.work(client._store, client._who, IDLE, elapsed=lambda s=seconds: float(next(s)), within_s=3.5)
        steps.append(client._store.read(lambda tx: tx.retention.mark(LOCAL_TENANT, "idle")))
        assert len(steps) < 9
    assert len(set(steps)) == len(steps) > 1


# Over


def test_what_is_over_lies_in_the_trash_for_seven_days_first(under, clock):
    client = under(OVER)
    for name, status in (("done", "completed"), ("broken", "failed"), ("paused", "suspended")):
        client.create(NewSession(id=name, title="words"))
        client.change(name, status)
    client.create(NewSession(id="active"))
    passes(clock, client, 30 * DAY)
    assert listed(client, shelf=TRASHED) == []
    passes(clock, client, MINUTE)
    assert listed(client, shelf=TRASHED) == ["broken", "done"]
    client.restore("done")
    passes(clock, client, TRASH_KEPT_MS)
    assert client.get("broken") is not None
    passes(clock, client, MINUTE)
    assert client.get("broken") is None
    assert listed(client) == ["active", "done", "paused"]  # restored, it begins anew
    assert told(client) == [
        ("retention", "trashed", "done"),
        ("retention", "trashed", ""),
        ("trash", "erased", ""),
    ]
    assert told(client, session="broken") == [("retention", "trashed", ""), ("trash", "erased", "")]
    assert client._store.read(lambda tx: tx.sessions.doomed(LOCAL_TENANT)) is None


def test_what_is_pinned_archived_or_driven_is_not_trashed(under, clock):
    client = under(OVER)
    for name in ("pinned", "archived", "driven"):
        client.create(NewSession(id=name))
        client.change(name, "completed")
    client.update("pinned", Changes(pinned=True))
    client.update("archived", Changes(archived=True))
    client._store.write(
        lambda tx: tx.leases.put(tx.sessions.head(LOCAL_TENANT, "driven"), HOLDER, ttl_ms=90 * DAY)
    )
    passes(clock, client, 60 * DAY)
    assert listed(client, shelf=TRASHED) == []


def test_without_retention_nothing_goes_however_long_it_is_left(under, clock):
    client = under(Retention())
    client.create(NewSession(id="a"))
    client.create(NewSession(id="b"))
    client.change("b", "completed")
    client.trash("a")
    passes(clock, client, 20 * DAY)
    assert told(client) == []
    assert (listed(client), listed(client, shelf=TRASHED)) == (["b"], ["a"])
    client.create(NewSession(id="c"))
    client.delete("c")  # a verb that deletes does what is due
    assert listed(client, shelf=TRASHED) == []
    assert told(client) == [("trash", "erased", "")]


# The clock


def test_a_clock_that_is_ahead_for_a_moment_makes_nothing_go(under, clock):
    client = under(BOTH)
    client.create(NewSession(id="active"))
    client.create(NewSession(id="over"))
    client.change("over", "completed")
    client.create(NewSession(id="trashed"))
    client.trash("trashed")
    client.work_due()
    before = clock.now
    for jump in (2 * HOUR, 40 * DAY, 4_000 * DAY):
        clock.now = before + jump
        client.work_due()
        clock.now += SETTLED_MS - 1
        client.work_due()
        clock.now = before + MINUTE
        client.work_due()
        assert (listed(client), listed(client, shelf=TRASHED)) == (["active", "over"], ["trashed"])
        assert client.get("active").status == "active"
    assert told(client) == []


def test_after_a_silence_the_first_command_goes_by_the_time_of_the_one_before(under, clock):
    client = under(IDLE)
    client.create(NewSession(id="s"))
    client.work_due()
    clock.now += 30 * DAY
    client.work_due()
    assert client.get("s").status == "active"
    clock.now += SETTLED_MS
    client.work_due()
    assert client.get("s").status == "failed"


@given(st.lists(st.tuples(st.integers(0, 30 * MINUTE), st.integers(0, 4_000 * DAY)), max_size=30))
def test_a_look_at_a_time_far_ahead_moves_nothing_by_more_than_an_hour(looks):
    now, known = 10**12, None
    for step, ahead in looks:
        now += step
        judged, known = looked(known, now)
        assert judged <= now
        assert judged == now  # whatever was seen between: a steady clock is believed again at once
        judged, known = looked(known, now + ahead)
        assert judged <= now + STEADY_MS


@given(st.lists(st.integers(-4_000 * DAY, 4_000 * DAY), max_size=30))
def test_no_time_is_believed_that_is_still_to_come(steps):
    now, known = 10**15, None
    for step in steps:
        now += step
        judged, known = looked(known, now)
        assert judged <= now


def test_looks_are_kept_seldom():
    known = Looked(1_000, 1_000)
    assert looked(known, 1_000 + STEADY_MS // 2) == (1_000 + STEADY_MS // 2, known)
    later = 1_001 + STEADY_MS // 2
    assert looked(known, later) == (later, Looked(later, later))


# Slices


def test_a_slice_ends_in_time_and_the_next_goes_on(under, clock):
    client = under(IDLE)
    for n in range(100):
        client.create(NewSession(id=f"s{n}"))
    clock.now += 2 * HOUR + 1
    ticks = iter(range(1_000))
    done = due.work(client._store, client._who, IDLE, elapsed=lambda: next(ticks) / 1_000, within_s=0.010)
    # A step takes one tick here, and the clock is read thrice for each: few fit.
    assert 16 < done["failed"] < 100
    assert done["failed"] % 16 == 0
    assert client.work_due(within_s=0) == {"failed": 16}  # however slow it is, there is an end to it
    rest = client.work_due()
    assert rest["failed"] == 100 - 16 - done["failed"]
    assert client.work_due() == {}


def test_a_client_that_wrote_does_a_slice_when_it_is_closed(tmp_path, clock):
    def opened() -> Calls:
        store = SqliteStore(tmp_path / "retoma.db", now=clock, random=clock.bytes)
        who = Principal(LOCAL_TENANT, "ana")
        return Calls(store, who, sources=Sources(clock, clock.bytes), retention=IDLE)

    with opened() as client:
        client.create(NewSession(id="s"))
    clock.now += 50 * MINUTE
    with opened() as client:
        client.create(NewSession(id="t"))
    clock.now += 50 * MINUTE
    with opened() as client:
        client.create(NewSession(id="u"))
    clock.now += 30 * MINUTE
    with opened() as client:
        assert client.get("s").status == "active"  # it only reads
    with opened() as client:
        assert client.get("s").status == "active"
    with pytest.raises(Unavailable), opened() as client:
        client.create(NewSession(id="v"))
        raise Unavailable("stopped")
    with opened() as client:
        assert client.get("s").status == "active"
        client.append("v", "user", "words")
    with opened() as client:
        assert (client.get("s").status, client.get("t").status) == ("failed", "active")


def test_who_may_only_read_does_no_due_work(under, clock, store):
    under(IDLE).create(NewSession(id="s"))
    clock.now += 3 * HOUR
    reader = Calls(
        store, Principal(LOCAL_TENANT, "eva", "read"), sources=Sources(clock, clock.bytes), retention=IDLE
    )
    assert reader.work_due() == {}
    assert reader.get("s").status == "active"


def test_gc_now_does_all_of_it_at_once_and_says_what(under, clock):
    client = under(BOTH)
    for n in range(3):
        client.create(NewSession(id=f"idle{n}"))
    client.create(NewSession(id="over"))
    client.change("over", "completed")
    client.create(NewSession(id="trashed"))
    client.trash("trashed")
    clock.now += 31 * DAY
    assert client.collect().nothing  # the clock jumped: it is not believed yet
    assert client.clock_ahead() == 31 * DAY
    standing = client.standing()
    assert (standing.idle, standing.over, standing.trashed) == (0, 0, 0)
    found = client.due(now=True)
    assert (found.idle, found.over, found.trashed) == (3, 1, 1)
    assert client.collect(now=True) == found
    assert listed(client, status="failed") == ["idle0", "idle1", "idle2"]
    assert listed(client, shelf=TRASHED) == ["over"]
    assert client.due().nothing


# Prune


def choice(clock: Clock, **facts: object) -> Choice:
    return Choice(before=clock.now - 30 * DAY, **facts)


def test_prune_takes_what_was_left_alone_and_no_active_one_unasked(under, clock):
    client = under(Retention())
    for name, status in (
        ("done", "completed"),
        ("broken", "failed"),
        ("paused", "suspended"),
        ("active", "active"),
    ):
        client.create(NewSession(id=name))
        if status != "active":
            client.change(name, status)
        clock.now += 1_000
    for name, change in (("pinned", Changes(pinned=True)), ("archived", Changes(archived=True))):
        client.create(NewSession(id=name))
        client.change(name, "completed")
        client.update(name, change)
    clock.now += 31 * DAY
    client.create(NewSession(id="new"))
    client.change("new", "completed")
    found = client.preview(choice(clock))
    assert (found.by_status, found.first) == (
        {"suspended": 1, "completed": 1, "failed": 1},
        ("done", "broken", "paused"),
    )
    assert client.prune(choice(clock)) == found.by_status
    assert listed(client, shelf=TRASHED) == ["broken", "done", "paused"]
    assert client.prune(choice(clock)) == {}
    assert {entry[:2] for entry in told(client)} == {("ana", "trashed")}
    client.restore("paused")
    assert client.get("paused").status == "suspended"
    assert client.prune(choice(clock, statuses=("active",))) == {"active": 1}
    assert listed(client) == ["new", "paused", "pinned"]


def test_prune_goes_through_many_in_pages_and_tells_how_far_it_is(under, clock):
    client = under(Retention())

    def many(tx):
        for n in range(1_203):
            head = tx.sessions.add(
                LOCAL_TENANT, f"s{n}", NewSession(tags=("odd",) if n % 2 else ()), parent=None
            )
            tx.sessions.set_status(head.key, "completed", "")

    client._store.write(many)
    clock.now += 31 * DAY
    seen: list[int] = []
    assert client.prune(choice(clock, tags=("odd",)), progress=seen.append) == {"completed": 601}
    assert seen == [500, 601]
    assert client.prune(choice(clock)) == {"completed": 602}


def test_one_that_was_taken_up_since_it_was_found_stays(under, clock):
    client = under(Retention())
    for name in ("written", "pinned", "renamed", "left"):
        client.create(NewSession(id=name))
    clock.now += 31 * DAY
    asked = LeftAlone(status="active", before=clock.now)
    found = client._store.read(lambda tx: tx.retention.alone(LOCAL_TENANT, asked, limit=9))
    client.append("written", "user", "again")
    client.update("pinned", Changes(pinned=True))
    client.set_id("renamed", "other")
    client.create(NewSession(id="renamed"))
    assert (
        client._store.write(partial(retention._trash, by=client._who, found=found, asked=asked, why="x")) == 1
    )
    assert listed(client, shelf=TRASHED) == ["left"]


def test_the_rows_agree_with_the_journal_after_all_of_it(under, clock):
    client = under(BOTH)
    for n in range(4):
        client.create(NewSession(id=f"s{n}", template="t" if n % 2 else ""))
        if n > 1:
            client.change(f"s{n}", "completed")
    passes(clock, client, 31 * DAY)
    client.restore("s2")
    report = client.check()
    assert report.whole, report.damage


def test_a_store_that_cannot_be_written_for_due_work_does_not_fail_the_close(under, clock, monkeypatch):
    client = under(IDLE)
    client.create(NewSession(id="s"))

    def refuses(*args: object, **named: object) -> None:
        raise Unavailable("another process keeps writing")

    monkeypatch.setattr(due, "work", refuses)
    closed = SimpleNamespace(count=0)
    monkeypatch.setattr(client._store, "close", lambda: setattr(closed, "count", closed.count + 1))
    client.close()
    assert closed.count == 1
