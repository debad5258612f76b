"""The contract of sessions on their way out and in; a store's test class has it beside `StoreContract`."""

from __future__ import annotations

from functools import partial

import msgspec

from retoma.model.chain import genesis
from retoma.model.event import INLINE_BYTES, Event
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.session import Head
from retoma.model.transfer import SessionRecord, session_record
from retoma.stores.conformance.store import ALL, OURS, THEIRS, Clock, add, append
from retoma.stores.contract.store import Listing, Store, Transaction


class TransferContract:
    """What comes in is nobody's until it is published, and what goes out is what is there."""

    def test_what_comes_in_is_hidden_until_it_is_published(self, store: Store, clock: Clock) -> None:
        store.write(lambda tx: append(tx, add(tx, tags=("t",), contexts=(("task", "7"),)), "a", "b"))
        store.write(lambda tx: tx.state.put(_head(tx).key, {"": 1, "k": [2]}, seq=2))
        store.write(lambda tx: tx.flows.visit(_head(tx).key, ["x", "y"], visits=0, node="y", status="active"))
        source = _whole(store, OURS)
        key = store.write(lambda tx: _come_in(tx, source))
        for tenant in (OURS, THEIRS):
            assert store.read(partial(_seen, tenant=tenant)) == (["one"] if tenant == OURS else [])
        assert store.read(lambda tx: tx.transfers.token(OURS, key)) is None
        assert store.read(lambda tx: tx.transfers.token(THEIRS, key)) == 1
        record = msgspec.structs.replace(source.record, tags=("t",))
        store.write(lambda tx: tx.transfers.publish(THEIRS, key, "one", record, parent=None))
        assert _whole(store, THEIRS).events == source.events
        assert _whole(store, THEIRS).rows == source.rows
        assert store.read(partial(_seen, tenant=THEIRS)) == ["one"]
        found = store.read(
            lambda tx: tx.transfers.of_uid(THEIRS, bytes.fromhex(record.uid), record.created_at)
        )
        assert [(known.id, known.shelf, known.seq) for known in found] == [("one", 0, 2)]

    def test_what_comes_in_can_be_given_up(self, store: Store, clock: Clock) -> None:
        store.write(lambda tx: append(tx, add(tx), "a", "z" * (INLINE_BYTES + 1)))
        source = _whole(store, OURS)
        key = store.write(lambda tx: _come_in(tx, source))
        assert store.read(lambda tx: tx.transfers.stale(THEIRS, before=clock.now)) is None
        assert store.read(lambda tx: tx.transfers.stale(THEIRS, before=clock.now + 1)) == key
        assert store.read(lambda tx: tx.transfers.stale(OURS, before=clock.now + 1)) is None
        store.write(lambda tx: tx.transfers.doom(OURS, key))
        assert store.read(lambda tx: tx.sessions.doomed(THEIRS)) is None
        store.write(lambda tx: tx.transfers.doom(THEIRS, key))
        assert store.read(lambda tx: tx.sessions.doomed(THEIRS)) == key
        store.write(lambda tx: tx.transfers.doom(OURS, _head(tx).key))
        assert store.read(lambda tx: tx.sessions.doomed(OURS)) is None, "only what is hidden is doomed"

    def test_what_comes_in_goes_behind_what_is_there(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), "a"))
        first = _whole(store, OURS)
        store.write(lambda tx: append(tx, _head(tx), "b", "c"))
        longer = _whole(store, OURS)
        into = store.write(lambda tx: _come_in(tx, first))
        store.write(lambda tx: tx.transfers.publish(THEIRS, into, "one", first.record, parent=None))
        tail = msgspec.structs.replace(longer, events=longer.events[1:])
        key = store.write(lambda tx: _come_in(tx, tail, base=(1, longer.events[0].hash)))
        assert _whole(store, THEIRS).events == first.events
        store.write(lambda tx: tx.transfers.extend(THEIRS, into, "one", key, longer.record))
        assert _whole(store, THEIRS).events == longer.events
        assert store.read(lambda tx: tx.sessions.head(THEIRS, "one")) is not None
        store.write(lambda tx: tx.transfers.doom(THEIRS, key))
        assert store.read(lambda tx: tx.sessions.doomed(THEIRS)) is None

    def test_a_session_is_told_again(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx, tags=("t",)), "a"))
        store.write(lambda tx: tx.state.put(_head(tx).key, {"k": 1}, seq=1))
        store.write(lambda tx: tx.flows.visit(_head(tx).key, ["x"], visits=0, node="x", status="active"))
        before = _whole(store, OURS)
        record = msgspec.structs.replace(before.record, title="new", description="d", tags=("u",))
        store.write(lambda tx: tx.transfers.retell(OURS, _head(tx).key, "one", record))
        after = _whole(store, OURS)
        assert (after.record, after.events) == (record, before.events)
        assert after.rows == ([], []), "state and history are the caller's to write"


class _Whole(msgspec.Struct, frozen=True):
    """A session as it is handed from one store to another."""

    record: SessionRecord
    events: list[Event]
    rows: tuple[list[tuple[str, bytes, int]], list[str]]


def _head(tx: Transaction) -> Head:
    head = tx.sessions.head(OURS, "one")
    assert head is not None
    return head


def _whole(store: Store, tenant: TenantKey, name: str = "one") -> _Whole:
    def read(tx: Transaction) -> _Whole:
        session = tx.sessions.get(tenant, name)
        assert session is not None
        key = session.key
        base, epochs = tx.transfers.base(tenant, key, session.uid), tx.transfers.epochs(key)
        state = tx.transfers.state(key, after=None, limit=1)
        state += tx.transfers.state(key, after=state[-1][0], limit=ALL) if state else []
        return _Whole(
            session_record(session, tx.sessions.about(key), base, epochs),
            tx.journal.read(key, limit=ALL, most_bytes=1 << 30),
            (state, tx.transfers.visits(key, after=0, limit=ALL)),
        )

    return store.read(read)


def _come_in(tx: Transaction, source: _Whole, *, base: tuple[int, bytes] | None = None) -> SessionKey:
    uid = bytes.fromhex(source.record.uid)
    start = base or (0, genesis(uid))
    key = tx.transfers.begin(THEIRS, uid, source.record.created_at, base=start, becomes="x")
    assert tx.transfers.take(THEIRS, key) == 1
    tx.transfers.add_events(key, source.events)
    tx.transfers.add_state(key, source.rows[0])
    tx.transfers.add_visits(key, source.rows[1], first=1)
    return key


def _seen(tx: Transaction, tenant: TenantKey) -> list[str]:
    """Return the sessions that any look at the tenant finds."""
    found = {session.id for session, _ in tx.sessions.list(tenant, Listing(), after=None, limit=ALL)}
    found |= {
        session.id for session, _ in tx.sessions.list(tenant, Listing(tags=("t",)), after=None, limit=ALL)
    }
    found |= set(tx.sessions.names(tenant, "", limit=ALL))
    last = tx.sessions.last_written(tenant, "ana")
    return sorted(found | ({last} if last else set()))
