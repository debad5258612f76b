"""The contract of retention and of the store's own log; a store's test class has it beside `StoreContract`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.retention import Entry
from retoma.model.session import ARCHIVED, TRASHED, Head, NewSession
from retoma.stores.conformance.store import HOLDER, OURS, THEIRS, Clock, add, append
from retoma.stores.contract.retention import END, LeftAlone, Mark
from retoma.stores.contract.store import Store, Transaction

ANY = LeftAlone(status="active", before=1 << 60)


class RetentionContract:
    """Who was left alone, the longest first; where work stands; what the log says, and what it forgets."""

    def test_those_left_alone_come_in_the_order_of_their_last_events(
        self, store: Store, clock: Clock
    ) -> None:
        began = clock.now
        _make(store, clock, "c", "a", "b")
        clock.now += 5_000
        store.write(lambda tx: append(tx, _head(tx, "a"), "more"))
        assert _alone(store, ANY) == ["c", "b", "a"]
        assert _alone(store, ANY, tenant=THEIRS) == []
        assert _alone(store, msgspec.structs.replace(ANY, before=began + 2_000)) == ["c"]
        assert _alone(store, msgspec.structs.replace(ANY, before=began + 1_000)) == []
        first = store.read(lambda tx: tx.retention.alone(OURS, ANY, limit=1))[0]
        assert (first.events, first.flow_status) == (1, None)
        assert _alone(store, ANY, after=first.mark) == ["b", "a"]
        assert store.read(lambda tx: tx.retention.count(OURS, ANY)) == 3

    def test_what_is_pinned_put_away_driven_or_in_another_status_is_none_of_them(
        self, store: Store, clock: Clock
    ) -> None:
        _make(store, clock, "left", "archived", "trashed", "pinned", "leased", "ended")
        store.write(partial(_shelve, name="archived", shelf=ARCHIVED))
        store.write(partial(_shelve, name="trashed", shelf=TRASHED))
        store.write(lambda tx: tx.sessions.set_status(_head(tx, "ended").key, "completed", ""))
        store.write(partial(_pin, name="pinned"))
        lease = store.write(lambda tx: tx.leases.put(_head(tx, "leased"), HOLDER, ttl_ms=15_000))
        assert _alone(store, ANY) == ["left"]
        assert _alone(store, LeftAlone(status="completed", before=1 << 60)) == ["ended"]
        clock.now = lease.expires_at
        assert _alone(store, ANY) == ["left", "leased"]
        for name, still in (("left", True), ("pinned", False), ("archived", False), ("ended", False)):
            assert store.read(partial(_still, name=name)) is still

    def test_they_can_be_asked_for_by_what_is_said_of_them(self, store: Store, clock: Clock) -> None:
        new = NewSession(agent="reviewer", tags=("t", "u"), contexts=(("task", "7"),))
        for name, facts in (("plain", NewSession()), ("said", new)):
            store.write(partial(_add, name=name, facts=facts))

        def begins(tx: Transaction) -> None:
            head = _head(tx, "said")
            tx.flows.begin(OURS, head.key, flow="tour", path="/tour", version=b"v")
            tx.flows.visit(head.key, ["a"], visits=0, node="a", status="waiting_for_input")

        store.write(begins)
        for said in (
            {"agent": "reviewer"},
            {"flow": "tour"},
            {"tags": ("u", "t")},
            {"contexts": (("task", "7"),)},
            {"agent": "reviewer", "flow": "tour", "tags": ("t",), "contexts": (("task", "7"),)},
        ):
            assert _alone(store, msgspec.structs.replace(ANY, **said)) == ["said"], said
        assert _alone(store, msgspec.structs.replace(ANY, tags=("t", "absent"))) == []
        busy = msgspec.structs.replace(ANY, waiting=False)
        assert store.read(lambda tx: tx.retention.count(OURS, busy)) == 1
        assert _alone(store, busy) == ["plain"]

    def test_marks_are_of_a_tenant_and_a_name(self, store: Store) -> None:
        assert store.read(lambda tx: tx.retention.mark(OURS, "idle")) is None
        for mark in (Mark(1, 2), Mark(-3, 4)):
            store.write(partial(_put_mark, mark=mark))
            assert store.read(lambda tx: tx.retention.mark(OURS, "idle")) == mark
        assert store.read(lambda tx: tx.retention.mark(OURS, "clock")) is None
        assert store.read(lambda tx: tx.retention.mark(THEIRS, "idle")) is None

    def test_the_trash_is_emptied_from_its_oldest(self, store: Store, clock: Clock) -> None:
        _make(store, clock, "a", "b", "c")
        for name in ("b", "a"):
            store.write(partial(_shelve, name=name, shelf=TRASHED))
            clock.now += 1_000
        assert store.read(lambda tx: tx.profiles.trash_due(OURS, clock.now)) == "b"
        assert store.read(lambda tx: tx.profiles.trash_due(OURS, clock.now - 2_000)) is None
        assert store.read(lambda tx: tx.profiles.trash_due(THEIRS, clock.now)) is None
        assert store.read(lambda tx: tx.retention.trashed(OURS, clock.now)) == 2
        assert store.read(lambda tx: tx.retention.trashed(OURS, clock.now - 1_000)) == 1

    # The log

    def test_the_log_is_read_from_its_end_in_pages(self, store: Store, clock: Clock) -> None:
        for n in range(5):
            store.write(partial(_logs, why=str(n)))
            clock.now += n % 2  # some at the same instant
        everything = store.read(lambda tx: tx.log.page(OURS, limit=9))
        assert [entry.why for entry in everything] == ["4", "3", "2", "1", "0"]
        assert (everything[0].actor, everything[0].deed, everything[0].count) == ("retention", "swept", 3)
        assert (everything[0].id, everything[0].digest) == ("", None)
        paged: list[Entry] = []
        place = END
        while page := store.read(partial(_page, before=place)):
            paged += page
            place = (page[-1].at, page[-1].number)
        assert paged == list(everything)
        assert len(store.read(lambda tx: tx.log.page(OURS, since=clock.now, limit=9))) == 1
        assert store.read(lambda tx: tx.log.page(THEIRS, limit=9)) == []

    def test_the_log_calls_a_session_by_its_name_until_it_is_deleted(
        self, store: Store, clock: Clock
    ) -> None:
        _make(store, clock, "old", "other")
        store.write(lambda tx: _logs(tx, why="before", session=_head(tx, "old")))
        store.write(lambda tx: _logs(tx, why="other", session=_head(tx, "other")))
        store.write(lambda tx: tx.profiles.rename(OURS, _head(tx, "old"), SessionId("new")))
        store.write(lambda tx: _logs(tx, why="after", session=_head(tx, "new")))
        found = store.read(lambda tx: tx.log.of(OURS, "new", limit=9))
        assert [(entry.why, entry.id) for entry in found] == [("after", "new"), ("before", "new")]
        assert store.read(lambda tx: tx.log.of(OURS, "old", limit=9)) == []
        store.write(lambda tx: tx.sessions.hide(OURS, _head(tx, "new")))
        gone = store.read(lambda tx: tx.log.of(OURS, "new", limit=9))
        assert [(entry.why, entry.id) for entry in gone] == [("after", ""), ("before", "")]
        assert len({entry.digest for entry in gone}) == 1
        assert store.read(lambda tx: tx.log.of(OURS, "new", limit=1)) == gone[:1]
        assert store.read(lambda tx: tx.log.of(THEIRS, "new", limit=9)) == []
        assert [e.id for e in store.read(lambda tx: tx.log.page(OURS, limit=9))] == ["", "other", ""]

    # Beside it

    def test_a_session_knows_the_template_it_was_made_from(self, store: Store) -> None:
        store.write(lambda tx: add(tx, "one", template="review"))
        store.write(lambda tx: add(tx, "two"))
        for name, template in (("one", "review"), ("two", "")):
            assert store.read(partial(_templates, name=name)) == (template, template)

    def test_a_store_knows_whether_it_wrote(self, store: Store) -> None:
        store.read(lambda tx: tx.sessions.get(OURS, "one"))
        assert not store.writes
        store.write(add)
        assert store.writes


def _make(store: Store, clock: Clock, *names: str) -> None:
    for name in names:
        clock.now += 1_000
        store.write(partial(_begin, name=name))


def _begin(tx: Transaction, name: str) -> None:
    append(tx, add(tx, name), "said")


def _add(tx: Transaction, name: str, facts: NewSession) -> None:
    tx.sessions.add(OURS, SessionId(name), facts, parent=None)


def _shelve(tx: Transaction, name: str, shelf: int) -> None:
    tx.profiles.shelve(_head(tx, name).key, shelf)


def _page(tx: Transaction, before: tuple[int, int]) -> Sequence[Entry]:
    return tx.log.page(OURS, before=before, limit=2)


def _templates(tx: Transaction, name: str) -> tuple[str, str]:
    session = tx.sessions.get(OURS, name)
    assert session is not None
    return session.template, tx.sessions.template(session.key)


def _alone(
    store: Store, asked: LeftAlone, *, tenant: TenantKey = OURS, after: Mark | None = None
) -> list[str]:
    found = store.read(lambda tx: tx.retention.alone(tenant, asked, after=after, limit=100))
    return [one.id for one in found]


def _head(tx: Transaction, name: str) -> Head:
    head = tx.sessions.head(OURS, name)
    assert head is not None
    return head


def _pin(tx: Transaction, name: str) -> None:
    head = _head(tx, name)
    row = tx.sessions.get(OURS, name)
    assert row is not None
    about = tx.sessions.about(head.key)
    tx.profiles.put(OURS, head, msgspec.structs.replace(row, pinned=True), about, about)


def _still(tx: Transaction, name: str) -> bool:
    return tx.retention.still(OURS, SessionKey(_head(tx, name).key), "active", 1 << 60)


def _put_mark(tx: Transaction, mark: Mark) -> None:
    tx.retention.put_mark(OURS, "idle", mark)


def _logs(tx: Transaction, *, why: str, session: Head | None = None) -> None:
    named = None if session is None else (session.key, session.id)
    tx.log.add(OURS, actor="retention", deed="swept", why=why, count=3, session=named)
