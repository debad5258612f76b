"""The store's contract as tests. A store's own test file is a class with one fixture:

    class TestMine(StoreContract):
        @pytest.fixture
        def opened(self): ...   # yields a function that opens the same place again

Every test has two tenants in reach, and time is what the test says it is.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import pytest
from blake3 import blake3

from retoma.model.call import Pending
from retoma.model.chain import digest, genesis, link
from retoma.model.codec import Json, encode
from retoma.model.event import INLINE_BYTES, MESSAGE, Event, NewEvent
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.lease import FencingToken, Holder
from retoma.model.session import ARCHIVED, Head, NewSession, Session
from retoma.stores.contract.store import Listing, Place, Store, Transaction

OURS, THEIRS = TenantKey(1), TenantKey(2)
HOLDER = Holder("host", "boot", 1, 1, "test")
ALL = 10_000

Open = Callable[["Clock"], Store]


class Clock:
    """Time as the test says: `now` in ms UTC, and reproducible bytes for salts and ids."""

    def __init__(self, now: int = 1_790_000_000_000) -> None:
        self.now = now
        self._drawn = 0

    def __call__(self) -> int:
        return self.now

    def bytes(self, n: int) -> bytes:
        self._drawn += 1
        return blake3(self._drawn.to_bytes(8)).digest(n)


def add(tx: Transaction, name: str = "one", tenant: TenantKey = OURS, **facts: object) -> Head:
    """Make a session and return its head."""
    new = msgspec.structs.replace(NewSession(), **facts)
    return tx.sessions.add(tenant, SessionId(name), new, parent=None)


def said(text: str) -> NewEvent:
    return NewEvent(MESSAGE, encode({"role": "user", "content": text}))


def append(tx: Transaction, head: Head, *texts: str, operation: bytes = b"o" * 16) -> Head:
    events = [said(text) for text in texts]
    return tx.journal.append(OURS, head, events, actor="ana", operation=operation, request=b"r" * 16)


class StoreContract:
    """What holds for every store."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def store(self, opened: Open, clock: Clock) -> Iterator[Store]:
        store = opened(clock)
        yield store
        store.close()

    # Order and the chain

    def test_events_are_numbered_without_a_gap_and_read_in_that_order(self, store: Store) -> None:
        store.write(lambda tx: append(tx, append(tx, add(tx), "a", "b"), "c"))
        key = _key(store)
        up = store.read(lambda tx: tx.journal.read(key, limit=ALL))
        down = store.read(lambda tx: tx.journal.tail(key, limit=ALL))
        assert [event.seq for event in up] == [1, 2, 3]
        assert [event.value()["content"] for event in up] == ["a", "b", "c"]
        assert down == up[::-1]

    def test_each_event_is_chained_to_the_one_before(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), "a", "b" * (INLINE_BYTES + 1)))
        session = store.read(lambda tx: tx.sessions.get(OURS, "one"))
        assert session is not None
        last = genesis(session.uid)
        for event in store.read(lambda tx: tx.journal.read(session.key, limit=ALL)):
            assert event.salt is not None
            assert event.data is not None
            assert event.digest == digest(event.salt, event.data)
            last = link(
                last,
                event.seq,
                event.type,
                event.at,
                event.actor,
                event.cause,
                event.operation,
                event.request,
                event.digest,
            )
            assert event.hash == last
        assert session.hash == last
        assert session.messages == 2

    def test_equal_texts_have_different_digests(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), "same", "same"))
        first, second = store.read(lambda tx: tx.journal.read(_key_in(tx), limit=ALL))
        assert first.data == second.data
        assert first.digest != second.digest

    @pytest.mark.parametrize("size", [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 1_000_000])
    def test_data_of_any_size_comes_back_as_it_was(self, store: Store, size: int) -> None:
        text = blake3(b"any text will do").digest(size // 2 + 1).hex()[:size]
        store.write(lambda tx: append(tx, add(tx), text))
        (event,) = store.read(lambda tx: tx.journal.read(_key_in(tx), limit=ALL))
        assert event.value()["content"] == text

    def test_a_page_begins_where_the_one_before_ended(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), *map(str, range(10))))
        key = _key(store)
        seen = []
        after = 0
        while page := store.read(partial(_read, key=key, after=after, limit=3)):
            seen += [event.seq for event in page]
            after = page[-1].seq
        assert seen == list(range(1, 11))
        assert [e.seq for e in store.read(lambda tx: tx.journal.read(key, after=2, until=5, limit=ALL))] == [
            3,
            4,
        ]
        assert [e.seq for e in store.read(lambda tx: tx.journal.tail(key, before=4, after=1, limit=ALL))] == [
            3,
            2,
        ]

    # Atomicity and durability

    def test_what_raises_leaves_nothing(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), "kept"))

        def fails(tx: Transaction) -> None:
            append(tx, _head(tx), "lost")
            tx.state.put(_key_in(tx), {"k": 1}, seq=2)
            add(tx, "two")
            raise ValueError("on purpose")

        with pytest.raises(ValueError, match="on purpose"):
            store.write(fails)
        assert store.read(lambda tx: _head(tx).seq) == 1
        assert store.read(lambda tx: tx.state.get(_key_in(tx))) == {}
        assert store.read(lambda tx: tx.sessions.get(OURS, "two")) is None
        store.write(lambda tx: append(tx, _head(tx), "after"))
        assert store.read(lambda tx: _head(tx).seq) == 2

    def test_a_write_inside_a_write_is_refused(self, store: Store) -> None:
        with pytest.raises(RuntimeError, match="another write"):
            store.write(lambda tx: store.write(add))

    def test_writers_follow_one_another(self, store: Store) -> None:
        store.write(add)

        def writer() -> None:
            for _ in range(25):
                store.write(lambda tx: append(tx, _head(tx), "x"))

        threads = [threading.Thread(target=writer) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        events = store.read(lambda tx: tx.journal.read(_key_in(tx), limit=ALL))
        assert [event.seq for event in events] == list(range(1, 101))

    def test_a_reader_sees_one_moment(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), "a"))
        if store.facts().place == ":memory:":
            return  # one connection: a reader and a writer follow one another

        def reads(tx: Transaction) -> tuple[int, int]:
            before = _head(tx).seq
            store.write(lambda other: append(other, _head(other), "b"))
            return before, _head(tx).seq

        assert store.read(reads) == (1, 1)
        assert store.read(lambda tx: _head(tx).seq) == 2

    # Absence and tenants

    def test_what_is_not_there_is_none(self, store: Store) -> None:
        assert store.read(lambda tx: tx.sessions.key(OURS, "nobody")) is None
        assert store.read(lambda tx: tx.sessions.head(OURS, "nobody")) is None
        assert store.read(lambda tx: tx.sessions.get(OURS, "nobody")) is None
        assert store.read(lambda tx: tx.sessions.list(OURS, Listing(), after=None, limit=ALL)) == []
        assert store.read(lambda tx: tx.flows.version(OURS, b"v")) is None

    def test_what_is_anothers_looks_absent(self, store: Store) -> None:
        store.write(lambda tx: add(tx, "mine"))
        store.write(lambda tx: add(tx, "mine", THEIRS))
        store.write(lambda tx: add(tx, "theirs", THEIRS))
        store.write(lambda tx: tx.sessions.add_operation(THEIRS, b"op", b"req", b"res"))
        store.write(lambda tx: tx.flows.put_version(THEIRS, b"v", "f", {"start.md": b"x"}))
        assert store.read(lambda tx: tx.sessions.get(OURS, "theirs")) is None
        assert store.read(lambda tx: tx.sessions.names(OURS, "", limit=ALL)) == ["mine"]
        assert _listed(store, Listing()) == ["mine"]
        assert store.read(lambda tx: tx.sessions.count(OURS, Listing(), most=ALL)) == 1
        assert store.read(lambda tx: tx.sessions.operation(OURS, b"op")) is None
        assert store.read(lambda tx: tx.flows.version(OURS, b"v")) is None
        assert store.read(lambda tx: tx.sessions.key(OURS, "mine")) != store.read(
            lambda tx: tx.sessions.key(THEIRS, "mine")
        )

    # Lists

    def test_lists_page_through_every_session_once_newest_first(self, store: Store, clock: Clock) -> None:
        for n in range(25):
            clock.now += 10
            store.write(partial(add, name=f"s{n}", tags=("even",) if n % 2 == 0 else ()))
        assert _listed(store, Listing(), page=4) == [f"s{n}" for n in reversed(range(25))]
        assert _listed(store, Listing(tags=("even",)), page=4) == [f"s{n}" for n in reversed(range(0, 25, 2))]

    def test_lists_filter(self, store: Store, clock: Clock) -> None:
        start = clock.now
        store.write(lambda tx: add(tx, "a", tags=("x", "y"), agent="main", contexts=(("task", "7"),)))
        clock.now += 100
        store.write(
            lambda tx: add(tx, "b", tags=("x",), ttl_ms=5_000, contexts=(("task", "7"), ("task", "8")))
        )
        store.write(lambda tx: tx.sessions.set_status(_key_in(tx, "b"), "suspended", "why"))
        for listing, expected in (
            (Listing(tags=("x",)), ["b", "a"]),
            (Listing(tags=("x", "y")), ["a"]),
            (Listing(contexts=(("task", "7"), ("task", "8"))), ["b"]),
            (Listing(tags=("x",), contexts=(("task", "7"),)), ["b", "a"]),
            (Listing(status="suspended"), ["b"]),
            (Listing(agent="main"), ["a"]),
            (Listing(ephemeral=True), ["b"]),
            (Listing(since=start + 50), ["b"]),
            (Listing(before=start + 50), ["a"]),
            (Listing(shelf=ARCHIVED), []),
            (Listing(flow="none"), []),
        ):
            assert _listed(store, listing) == expected, listing
            assert store.read(partial(_count, listing=listing)) == len(expected)

    def test_what_is_said_of_several_is_what_is_said_of_each(self, store: Store) -> None:
        def make(tx: Transaction) -> None:
            for n in range(70):
                add(tx, f"s{n}", tags=("x", "y")[: n % 3])
            full = add(tx, "full", description="d", metadata={"n": 1}, contexts=(("a", "1"), ("b", "2")))
            tx.leases.put(full, HOLDER, ttl_ms=100)

        def several(tx: Transaction) -> None:
            for count in (1, 9, 71):
                keys = [_key_in(tx, name) for name in ("full", *(f"s{n}" for n in range(70)))][:count]
                assert tx.sessions.abouts(keys) == {key: tx.sessions.about(key) for key in keys}
                assert tx.leases.of(keys) == {keys[0]: tx.leases.get(keys[0])}
            assert (tx.sessions.abouts([]), tx.leases.of([])) == ({}, {})

        store.write(make)
        store.read(several)

    def test_lists_follow_writes_once_a_second(self, store: Store, clock: Clock) -> None:
        store.write(lambda tx: add(tx, "a", tags=("t",)))
        clock.now += 10
        store.write(lambda tx: add(tx, "b", tags=("t",)))
        clock.now += 500
        store.write(lambda tx: append(tx, _head(tx, "a"), "soon"))
        assert _listed(store, Listing()) == ["b", "a"]
        clock.now += 600
        store.write(lambda tx: append(tx, _head(tx, "a"), "later"))
        assert _listed(store, Listing()) == ["a", "b"]
        assert _listed(store, Listing(tags=("t",))) == ["a", "b"]

    # State, flows, epochs

    def test_state_is_one_row_a_key(self, store: Store) -> None:
        values: dict[str, Json] = {"n": 1, "f": 1.5, "t": "ç", "none": None, "deep": {"a": [1, {"b": False}]}}
        store.write(lambda tx: tx.state.put(add(tx).key, values, seq=1))
        store.write(lambda tx: tx.state.put(_key_in(tx), {"n": 2}, seq=2))
        store.write(lambda tx: tx.state.delete(_key_in(tx), ["f", "absent"]))
        expected = {"n": 2, "t": "ç", "none": None, "deep": {"a": [1, {"b": False}]}}
        assert store.read(lambda tx: tx.state.get(_key_in(tx))) == expected
        assert store.read(lambda tx: tx.state.value(_key_in(tx), "n")) == 2
        some = store.read(lambda tx: tx.state.some(_key_in(tx), ["absent", "none", "t"]))
        assert some == {"none": None, "t": "ç"}

    def test_pending_calls_are_one_row_each(self, store: Store) -> None:
        a, b, c, again = (Pending(id, id[1], {"n": n}) for n, id in enumerate(("ax", "by", "äx", "by")))
        key = store.write(add).key
        for call in (c, b, a, again):
            store.write(partial(lambda tx, call: tx.pending.put(key, call), call=call))
        assert store.read(lambda tx: tx.pending.get(key)) == [a, again, c]
        store.write(lambda tx: tx.pending.drop(key, "x"))
        assert store.read(lambda tx: tx.pending.get(key)) == [again]
        store.write(lambda tx: tx.sessions.new_epoch(_head(tx)))
        assert store.read(lambda tx: tx.pending.get(key)) == []

    def test_a_flow_stands_where_it_was_put(self, store: Store) -> None:
        def begins(tx: Transaction) -> None:
            head = add(tx)
            tx.flows.begin(OURS, head.key, flow="tour", path="/tour", version=b"v1")
            tx.flows.visit(head.key, ["a", "b"], visits=0, node="b", status="waiting_for_input")
            tx.flows.visit(head.key, ["a"], visits=2, node="a", status="finished")

        store.write(begins)
        session = store.read(lambda tx: tx.sessions.get(OURS, "one"))
        assert session is not None
        assert (session.flow, session.flow_path, session.flow_version) == ("tour", "/tour", b"v1")
        assert (session.flow_node, session.flow_status, session.flow_visits) == ("a", "finished", 3)
        assert store.read(lambda tx: tx.state.history(session.key)) == ["a", "b", "a"]

    def test_a_rollback_leaves_the_nodes_behind_a_place(self, store: Store) -> None:
        def begins(tx: Transaction) -> None:
            head = add(tx)
            tx.flows.begin(OURS, head.key, flow="trip", path="/trip", version=b"v1")
            tx.flows.visit(head.key, ["a", "b", "c"], visits=0, node="c", status="waiting_for_tool")

        def unwinds(tx: Transaction, visits: int, status: str) -> None:
            tx.flows.unwind(_key_in(tx), visits=visits, status=status)

        store.write(begins)
        for kept, node, status in ((2, "b", "rolling_back"), (0, None, "finished")):
            store.write(partial(unwinds, visits=kept, status=status))
            session = store.read(lambda tx: tx.sessions.get(OURS, "one"))
            assert session is not None
            assert (session.flow_node, session.flow_status, session.flow_visits) == (node, status, kept)
            assert store.read(lambda tx: tx.state.history(_key_in(tx))) == ["a", "b", "c"][:kept]

    def test_versions_are_kept_once_and_whole(self, store: Store) -> None:
        files = {"start.md": b"x" * 50_000, "sub/é.md": b"\xff\x00"}
        for _ in range(2):
            store.write(lambda tx: tx.flows.put_version(OURS, b"v", "tour", files))
        assert store.read(lambda tx: tx.flows.version(OURS, b"v")) == ("tour", files)

    def test_a_new_epoch_starts_empty(self, store: Store) -> None:
        def lives(tx: Transaction) -> None:
            head = append(tx, add(tx), "a")
            tx.state.put(head.key, {"k": 1}, seq=1)
            tx.flows.begin(OURS, head.key, flow="tour", path="/tour", version=b"v")
            tx.flows.visit(head.key, ["a"], visits=0, node="a", status="finished")
            tx.sessions.set_status(head.key, "failed", "why")

        store.write(lives)
        first = store.write(lambda tx: tx.sessions.new_epoch(_head(tx)))
        session = store.read(lambda tx: tx.sessions.get(OURS, "one"))
        assert session is not None
        assert (session.epoch, session.status, session.reason, session.messages) == (2, "active", "", 0)
        assert (session.flow, session.flow_node, session.flow_visits) == (None, None, 0)
        assert store.read(lambda tx: (tx.state.get(session.key), tx.state.history(session.key))) == ({}, [])
        assert store.read(lambda tx: len(tx.journal.read(session.key, limit=ALL))) == 1
        assert store.write(lambda tx: tx.sessions.new_epoch(_head(tx))) != first

    # Leases and operations

    def test_tokens_only_grow(self, store: Store, clock: Clock) -> None:
        store.write(add)
        first = store.write(lambda tx: tx.leases.put(_head(tx), HOLDER, ttl_ms=100))
        store.write(lambda tx: tx.leases.release(_key_in(tx), first.token))
        second = store.write(lambda tx: tx.leases.put(_head(tx), HOLDER, ttl_ms=100))
        assert second.token > first.token
        assert second.expires_at == clock.now + 100
        assert store.read(lambda tx: tx.leases.get(_key_in(tx))) == second
        assert store.read(lambda tx: tx.leases.check(_key_in(tx))) == (second.token, second.expires_at)

    def test_only_its_token_renews_and_releases_a_lease(self, store: Store, clock: Clock) -> None:
        store.write(add)
        lease = store.write(lambda tx: tx.leases.put(_head(tx), HOLDER, ttl_ms=100))
        other = FencingToken(lease.token + 1)
        clock.now += 50
        assert not store.write(lambda tx: tx.leases.renew(_key_in(tx), other, ttl_ms=100))
        store.write(lambda tx: tx.leases.release(_key_in(tx), other))
        assert store.write(lambda tx: tx.leases.renew(_key_in(tx), lease.token, ttl_ms=100))
        assert store.read(lambda tx: tx.leases.check(_key_in(tx))) == (lease.token, clock.now + 100)

    def test_an_operation_is_found_in_its_session_alone(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), "a", "b", operation=b"1" * 16))
        store.write(lambda tx: append(tx, add(tx, "two"), "c", operation=b"2" * 16))

        def find(name: str, op: bytes) -> tuple[list[int], bytes | None] | None:
            return store.read(lambda tx: tx.journal.operation(_key_in(tx, name), op * 16))

        assert find("one", b"1") == ([1, 2], b"r" * 16)
        assert find("two", b"1") is None
        store.write(lambda tx: tx.sessions.add_operation(OURS, b"op", b"request", b"result"))
        assert store.read(lambda tx: tx.sessions.operation(OURS, b"op")) == (b"request", b"result")

    # Deletion

    def test_a_deleted_session_is_gone_at_once_and_its_rows_soon(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx, tags=("t",), contexts=(("task", "7"),)), *["x"] * 30))
        store.write(lambda tx: append(tx, _head(tx), "y" * (INLINE_BYTES + 1)))
        store.write(lambda tx: add(tx, "other", tags=("t",)))
        store.write(lambda tx: tx.pending.put(_key_in(tx), Pending("a", "tool", {})))
        key = _key(store)
        store.write(lambda tx: tx.sessions.hide(OURS, _head(tx)))
        assert store.read(lambda tx: tx.sessions.get(OURS, "one")) is None
        assert _listed(store, Listing()) == ["other"]
        assert _listed(store, Listing(tags=("t",))) == ["other"]
        assert store.read(lambda tx: tx.sessions.doomed(OURS)) == key
        chunks = itertools.takewhile(
            bool, iter(lambda: store.write(lambda tx: tx.erasing.drop_events(key, limit=10)), None)
        )
        assert len(list(chunks)) == 4
        store.write(lambda tx: tx.sessions.drop(key))
        assert store.read(lambda tx: tx.sessions.doomed(OURS)) is None
        assert store.read(lambda tx: tx.journal.read(key, limit=ALL)) == []
        assert store.read(lambda tx: tx.pending.get(key)) == []

    def test_content_that_two_events_share_outlives_one_of_them(self, store: Store) -> None:
        large = "z" * (INLINE_BYTES + 1)
        for name in ("one", "two"):
            store.write(partial(_add_with, name=name, text=large))
        store.write(lambda tx: tx.erasing.drop_events(_key_in(tx, "one"), limit=10))
        (event,) = store.read(lambda tx: tx.journal.read(_key_in(tx, "two"), limit=ALL))
        assert event.value()["content"] == large

    def test_a_freed_name_can_be_used_again(self, store: Store) -> None:
        store.write(add)
        store.write(lambda tx: tx.sessions.hide(OURS, _head(tx)))
        store.write(lambda tx: append(tx, add(tx), "new"))
        assert store.read(lambda tx: _head(tx).seq) == 1


class DurableContract(StoreContract):
    """What holds for a store that outlives its process."""

    def test_what_was_acknowledged_is_there_when_it_is_opened_again(self, opened: Open, clock: Clock) -> None:
        store = opened(clock)
        store.write(lambda tx: tx.state.put(append(tx, add(tx), "a").key, {"k": 1}, seq=1))
        token = store.write(lambda tx: tx.leases.put(_head(tx), HOLDER, ttl_ms=100)).token
        store.close()
        again = opened(clock)
        assert again.read(lambda tx: _head(tx).seq) == 1
        assert again.read(lambda tx: tx.state.get(_key_in(tx))) == {"k": 1}
        assert again.write(lambda tx: tx.leases.put(_head(tx), HOLDER, ttl_ms=100)).token == token + 1
        again.close()

    def test_two_that_have_it_open_see_each_others_writes(self, opened: Open, clock: Clock) -> None:
        first, second = opened(clock), opened(clock)
        first.write(lambda tx: append(tx, add(tx), "a"))
        second.write(lambda tx: append(tx, _head(tx), "b"))
        first.write(lambda tx: append(tx, _head(tx), "c"))
        contents = second.read(
            lambda tx: [e.value()["content"] for e in tx.journal.read(_key_in(tx), limit=ALL)]
        )
        assert contents == ["a", "b", "c"]
        first.close()
        second.close()


def _head(tx: Transaction, name: str = "one") -> Head:
    head = tx.sessions.head(OURS, name)
    assert head is not None
    return head


def _key_in(tx: Transaction, name: str = "one") -> SessionKey:
    return _head(tx, name).key


def _key(store: Store) -> SessionKey:
    return store.read(_key_in)


def _listed(store: Store, listing: Listing, *, page: int = ALL) -> list[str]:
    names: list[str] = []
    after: Place | None = None
    while rows := store.read(partial(_page, listing=listing, after=after, limit=page)):
        names += [session.id for session, _ in rows]
        after = rows[-1][1]
    return names


def _page(tx: Transaction, listing: Listing, after: Place | None, limit: int) -> list[tuple[Session, Place]]:
    return tx.sessions.list(OURS, listing, after=after, limit=limit)


def _count(tx: Transaction, listing: Listing) -> int:
    return tx.sessions.count(OURS, listing, most=ALL)


def _read(tx: Transaction, key: SessionKey, after: int, limit: int) -> list[Event]:
    return tx.journal.read(key, after=after, limit=limit)


def _add_with(tx: Transaction, name: str, text: str) -> Head:
    return append(tx, add(tx, name), text)
