"""The contract of branches: what a fork reads, what stays for it, and what is freed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import msgspec

from retoma.model.branch import Segment, shared
from retoma.model.chain import genesis
from retoma.model.codec import encode
from retoma.model.event import INLINE_BYTES, NOTE, Event, NewEvent
from retoma.model.ids import SessionId, SessionKey
from retoma.model.lease import FencingToken
from retoma.model.session import Head, NewSession, Session
from retoma.stores.conformance.store import ALL, HOLDER, OURS, add, append
from retoma.stores.contract.store import Store, Transaction

FAR = 1 << 31


def forked(tx: Transaction, of: str, name: str, at: int, *texts: str) -> Head:
    """Fork the session `of` at an event, and say something in the fork."""
    row = session(tx, of)
    (event,) = tx.journal.read(row.key, after=at - 1, limit=1)
    like = msgspec.structs.replace(row, uid=tx.random(16))
    head = tx.branches.add(
        OURS,
        SessionId(name),
        row,
        like,
        tx.sessions.about(row.key),
        at=at,
        linked=event.hash,
        epoch_uid=b"e" * 16,
    )
    return append(tx, head, *texts)


def session(tx: Transaction, name: str) -> Session:
    found = tx.sessions.get(OURS, name)
    assert found is not None
    return found


def head_of(tx: Transaction, name: str) -> Head:
    head = tx.sessions.head(OURS, name)
    assert head is not None
    return head


def said(events: Sequence[Event]) -> str:
    return "".join(str(event.value().get("content", "?")) for event in events)


def upwards(tx: Transaction, name: str, **bounds: int) -> str:
    return said(tx.journal.read(session(tx, name).key, **{"limit": ALL, **bounds}))


def downwards(tx: Transaction, name: str, **bounds: int) -> str:
    return said(tx.journal.tail(session(tx, name).key, **{"limit": ALL, **bounds}))


def family(tx: Transaction) -> None:
    """Make `one` = abcdef, `two` = abcd + gh at 4, `three` = abcdg + ij at 5, and `four` = ab + k at 2 of `three`."""
    append(tx, add(tx, "one"), *"abcdef")
    forked(tx, "one", "two", 4, *"gh")
    forked(tx, "two", "three", 5, *"ij")
    forked(tx, "three", "four", 2, "k")


class BranchContract:
    """What holds for every store."""

    def test_a_fork_reads_what_it_shares_and_then_its_own(self, store: Store) -> None:
        store.write(family)
        for name, whole in (("one", "abcdef"), ("two", "abcdgh"), ("three", "abcdgij"), ("four", "abk")):
            assert store.read(partial(upwards, name=name)) == whole
            assert store.read(partial(downwards, name=name)) == whole[::-1]
            assert store.read(partial(session, name=name)).seq == len(whole)

    def test_every_stretch_of_a_fork_is_read_as_one_journal_is(self, store: Store) -> None:
        store.write(family)
        whole = "abcdgij"
        for after, until, limit in itertools.product(range(8), range(1, 10), (1, 2, 3, 9)):
            wanted = whole[after : until - 1] if after < until - 1 else ""

            def both(tx: Transaction, a: int = after, u: int = until, n: int = limit) -> tuple[str, str]:
                return upwards(tx, "three", after=a, until=u, limit=n), downwards(
                    tx, "three", after=a, before=u, limit=n
                )

            assert store.read(both) == (wanted[:limit], wanted[::-1][:limit])

    def test_a_fork_names_where_the_rows_are_whatever_it_was_made_of(self, store: Store) -> None:
        store.write(family)

        def look(tx: Transaction) -> None:
            one, two, three = (session(tx, name).key for name in ("one", "two", "three"))
            assert tx.branches.inherited(three) == [Segment(1, 4, one), Segment(5, 5, two)]
            assert tx.branches.inherited(session(tx, "four").key) == [Segment(1, 2, one)]
            assert (session(tx, "four").fork_of, session(tx, "four").fork_seq) == ("one", 2)
            assert [one.id for one in tx.branches.forks(OURS, one, limit=9)] == ["two", "four"]
            found = [(one.id, one.first, one.last) for one in tx.branches.readers(one)]
            assert found == [("two", 1, 4), ("three", 1, 4), ("four", 1, 2)]
            assert [one.id for one in tx.branches.readers(one, since=3)] == ["two", "three"]
            assert tx.branches.points(one) == [2, 4]
            assert (tx.branches.shared_until(one), tx.branches.shared_until(three)) == (4, 0)
            lines = [tx.branches.line(key) for key in (two, three)]
            assert shared(*[line for line in lines if line is not None]) == 5
            assert tx.branches.line(SessionKey(FAR - 1)) is None

        store.read(look)

    def test_the_chain_of_a_fork_begins_with_the_first_of_its_line(self, store: Store) -> None:
        store.write(family)

        def look(tx: Transaction) -> None:
            first = genesis(session(tx, "one").uid)
            for name in ("one", "two", "three", "four"):
                row = session(tx, name)
                assert tx.branches.start(OURS, row.key, row.uid) == (0, first)
                assert tx.journal.read(row.key, limit=ALL)[-1].hash == row.hash

        store.read(look)

    def test_an_operation_is_found_in_the_past_that_is_shared(self, store: Store) -> None:
        store.write(
            lambda tx: append(tx, append(tx, add(tx), "a", operation=b"1" * 16), "b", operation=b"2" * 16)
        )
        store.write(lambda tx: forked(tx, "one", "two", 1, "c"))

        def find(name: str, operation: bytes) -> object:
            return store.read(lambda tx: tx.journal.operation(session(tx, name).key, operation * 16))

        assert find("two", b"1") == find("one", b"1") == ([1], b"r" * 16)
        assert find("two", b"2") is None

    def test_a_fork_has_labels_notes_state_and_history_of_its_own(self, store: Store) -> None:
        def make(tx: Transaction) -> None:
            head = add(tx, tags=("t",), contexts=(("k", "r"),), metadata={"m": 1}, description="said")
            for n in range(2):
                head = tx.journal.append(
                    OURS,
                    head,
                    [NewEvent(NOTE, encode({"text": "n"}))],
                    actor="ana",
                    operation=b"o",
                    request=None,
                )
                tx.profiles.add_note(head.key, n + 1)
            tx.state.put(head.key, {"a": 1, "b": [2]}, seq=2)
            tx.flows.visit(head.key, ["x", "y"], visits=0, node="y", status="active")

        store.write(make)
        store.write(lambda tx: forked(tx, "one", "two", 1))
        store.write(lambda tx: tx.branches.copy_state(session(tx, "one").key, session(tx, "two").key))

        def look(tx: Transaction, name: str) -> tuple[object, ...]:
            key = session(tx, name).key
            return tx.sessions.about(key), tx.state.get(key), tx.state.history(key), tx.profiles.notes(key)

        of, mine = store.read(lambda tx: (look(tx, "one"), look(tx, "two")))
        assert (mine[:3], mine[3]) == (of[:3], [1])
        store.write(lambda tx: tx.state.put(session(tx, "two").key, {"a": 2}, seq=1))
        assert store.read(lambda tx: tx.state.get(session(tx, "one").key)) == {"a": 1, "b": [2]}

    # What stays, and what goes

    def test_what_a_fork_reads_outlives_the_session_that_wrote_it(self, store: Store) -> None:
        store.write(family)
        key = store.read(lambda tx: session(tx, "one").key)
        _deleted(store, "one")
        assert store.read(lambda tx: upwards(tx, "three")) == "abcdgij"
        assert store.read(lambda tx: said(tx.journal.read(key, limit=ALL))) == "abcd"
        assert store.read(lambda tx: session(tx, "two").fork_of) is None
        _deleted(store, "two")
        _deleted(store, "three")
        assert store.read(lambda tx: said(tx.journal.read(key, limit=ALL))) == "ab"
        assert store.read(lambda tx: upwards(tx, "four")) == "abk"
        _deleted(store, "four")
        assert store.read(lambda tx: tx.journal.read(key, limit=ALL)) == []
        assert store.read(lambda tx: tx.audit.strays(limit=ALL)) == []
        assert store.read(lambda tx: tx.audit.due(trashed_before=0, imports_before=0)) == (0, 0, 0, 0, 0, 0)

    def test_content_of_a_shared_event_stays_with_it(self, store: Store) -> None:
        large = "z" * (INLINE_BYTES + 1)
        store.write(lambda tx: append(tx, add(tx), large, "b"))
        store.write(lambda tx: forked(tx, "one", "two", 1))
        _deleted(store, "one")
        assert store.read(lambda tx: upwards(tx, "two")) == large
        _deleted(store, "two")
        assert store.read(lambda tx: tx.audit.unreferenced(after=b"", limit=ALL)) == []

    def test_a_journal_that_is_cut_leaves_its_forks_what_they_read(self, store: Store) -> None:
        store.write(family)

        def cut(tx: Transaction) -> None:
            head = head_of(tx, "one")
            tx.sessions.new_epoch(head)
            tx.erasing.cut(OURS, head)
            append(tx, msgspec.structs.replace(head, base=head.seq), "x")

        store.write(cut)
        _purged(store)
        key = store.read(lambda tx: session(tx, "one").key)
        assert store.read(lambda tx: upwards(tx, "two")) == "abcdgh"
        assert store.read(lambda tx: [event.seq for event in tx.journal.read(key, limit=ALL)]) == [
            1,
            2,
            3,
            4,
            7,
        ]
        store.write(lambda tx: forked(tx, "one", "late", 7))
        assert store.read(lambda tx: tx.branches.inherited(session(tx, "late").key)) == [Segment(7, 7, key)]
        for name in ("two", "three", "four"):
            _deleted(store, name)
        assert store.read(lambda tx: upwards(tx, "one", after=6)) == "x"
        assert store.read(lambda tx: [event.seq for event in tx.journal.read(key, limit=ALL)]) == [7]

    def test_a_fork_that_is_cut_reads_nothing_of_others_any_more(self, store: Store) -> None:
        store.write(family)
        store.write(lambda tx: tx.erasing.cut(OURS, head_of(tx, "two")))
        _purged(store)
        assert store.read(lambda tx: tx.branches.inherited(session(tx, "two").key)) == []
        assert store.read(lambda tx: upwards(tx, "three")) == "abcdgij"

    # Snapshots and succession

    def test_the_nearest_snapshot_of_a_line_is_found(self, store: Store) -> None:
        store.write(family)

        def put(tx: Transaction) -> None:
            one, two = session(tx, "one").key, session(tx, "two").key
            for key, seq in ((one, 2), (one, 4), (one, 6), (two, 5), (two, 6)):
                tx.branches.put_snapshot(key, seq, b"%d at %d" % (key, seq))

        store.write(put)

        def nearest(tx: Transaction, name: str, at: int) -> int:
            kept = tx.branches.snapshot(session(tx, name).key, at=at)
            if kept is None:
                return 0
            (event,) = tx.journal.read(kept.source, after=kept.seq - 1, limit=1)
            assert (kept.hash, kept.state) == (event.hash, b"%d at %d" % (kept.source, kept.seq))
            return kept.seq

        found = store.read(lambda tx: [nearest(tx, "three", at) for at in range(1, 8)])
        assert found == [0, 2, 2, 4, 5, 5, 5]
        assert store.read(lambda tx: nearest(tx, "four", 3)) == 2
        store.write(lambda tx: tx.branches.drop_snapshots(session(tx, "one").key))
        assert store.read(lambda tx: [nearest(tx, name, 9) for name in ("one", "two", "three")]) == [0, 0, 0]

    def test_a_line_takes_the_place_of_another(self, store: Store) -> None:
        def make(tx: Transaction) -> FencingToken:
            top = add(tx, "top")
            old = append(tx, tx.sessions.add(OURS, SessionId("one"), NEW, parent=top.key), *"ab")
            tx.sessions.add(OURS, SessionId("child"), NEW, parent=old.key)
            tx.sessions.add_operation(OURS, b"op", b"request", old.key.to_bytes(8))
            return tx.leases.put(old, HOLDER, ttl_ms=1_000).token

        token = store.write(make)
        store.write(lambda tx: forked(tx, "one", "two", 1))

        def succeed(tx: Transaction) -> None:
            tx.branches.succeed(OURS, head_of(tx, "one"), head_of(tx, "two").key)

        store.write(succeed)

        def look(tx: Transaction) -> None:
            old, new = session(tx, "one"), session(tx, "two")
            assert (old.parent, new.parent, session(tx, "child").parent) == (None, "top", "two")
            held = tx.leases.check(new.key)
            assert tx.leases.check(old.key) is None
            assert held is not None
            assert (held[0], head_of(tx, "two").fence) == (token, token)
            assert tx.sessions.operation(OURS, b"op") == (b"request", new.key.to_bytes(8))

        store.read(look)


NEW = NewSession()


def _deleted(store: Store, name: str) -> None:
    store.write(lambda tx: tx.sessions.hide(OURS, head_of(tx, name)))
    _purged(store)


def _purged(store: Store) -> None:
    while store.write(_purge):
        pass


def _purge(tx: Transaction) -> bool:
    doomed = tx.sessions.doomed(OURS)
    if doomed is not None:
        if not tx.erasing.drop_events(doomed, limit=2):
            tx.sessions.drop(doomed)
        return True
    due = tx.erasing.due(OURS)
    if due is not None and not tx.erasing.drop_events(due[0], until=due[1], limit=2):
        tx.erasing.done(OURS, due[0])
    return due is not None
