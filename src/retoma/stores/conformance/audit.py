"""The contract of what looks after a store: rows as they are, quarantine, what is due, the database's own check."""

from __future__ import annotations

from retoma.model.event import INLINE_BYTES
from retoma.model.ids import SessionId
from retoma.stores.conformance.store import ALL, OURS, THEIRS, Clock, add, append
from retoma.stores.contract.store import Store


class AuditContract:
    """What holds for every store."""

    def test_the_audit_sees_every_tenant_and_hidden_sessions(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), "a", "b"))
        store.write(lambda tx: tx.sessions.hide(THEIRS, add(tx, "two", THEIRS)))
        found = store.read(lambda tx: tx.audit.sessions(after=0, limit=ALL))
        assert [(name, shelf, events) for _, name, shelf, events in found] == [("one", 0, 2), ("", 4, 0)]
        after = found[0][0]
        assert store.read(lambda tx: tx.audit.sessions(after=after, limit=ALL)) == found[1:]

    def test_the_audit_reads_events_as_they_are_kept(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "x" * (2 * INLINE_BYTES)))
        first, second = store.read(lambda tx: tx.audit.events(head.key, after=0, limit=ALL))
        assert (first[0], first[-1]) == (1, None)
        assert second[8] is None
        content = store.read(lambda tx: tx.audit.content(second[-1]))
        assert content is not None
        assert content[1] > 2 * INLINE_BYTES
        assert store.read(lambda tx: tx.audit.unreferenced(after=b"", limit=ALL)) == []
        assert store.read(lambda tx: tx.audit.strays(limit=ALL)) == []
        row = store.read(lambda tx: tx.audit.session(head.key))
        assert row is not None
        assert (row["id"], row["head_seq"], row["head_hash"]) == ("one", 2, head.hash)

    def test_what_is_in_quarantine_is_found_by_nobody_and_kept(self, store: Store, clock: Clock) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a"))
        store.write(lambda tx: tx.audit.quarantine(head.key, "one", "why"))
        assert store.read(lambda tx: tx.sessions.get(OURS, "one")) is None
        assert store.read(lambda tx: tx.audit.quarantined(limit=ALL)) == [(head.key, "one", clock.now, "why")]
        assert len(store.read(lambda tx: tx.audit.events(head.key, after=0, limit=ALL))) == 1
        store.write(lambda tx: tx.audit.quarantine(head.key, "one", "again"))
        assert [one.why for one in store.read(lambda tx: tx.audit.quarantined(limit=ALL))] == ["why"]

    def test_what_is_in_quarantine_comes_back_where_it_was(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a"))
        before = store.read(lambda tx: tx.audit.session(head.key))
        store.write(lambda tx: tx.audit.quarantine(head.key, "one", "why"))
        store.write(lambda tx: tx.audit.release(OURS, head.key, SessionId("one")))
        assert store.read(lambda tx: tx.audit.session(head.key)) == before
        assert store.read(lambda tx: tx.sessions.key(OURS, "one")) == head.key
        assert store.read(lambda tx: tx.audit.quarantined(limit=ALL)) == []

    def test_what_is_in_quarantine_can_be_deleted_and_leaves_the_new_bearer_of_its_name(
        self, store: Store
    ) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a"))
        store.write(lambda tx: tx.audit.quarantine(head.key, "one", "why"))
        other = store.write(lambda tx: append(tx, add(tx), "b"))
        store.write(lambda tx: tx.audit.discard(OURS, head.key))
        assert store.read(lambda tx: tx.sessions.doomed(OURS)) == head.key
        assert store.read(lambda tx: tx.sessions.key(OURS, "one")) == other.key
        assert store.read(lambda tx: tx.audit.quarantined(limit=ALL)) == []

    def test_a_sound_store_has_nothing_due_and_nothing_wrong(self, store: Store) -> None:
        store.write(lambda tx: append(tx, add(tx), "a"))
        assert store.read(lambda tx: tx.audit.due(trashed_before=0, imports_before=0)) == (0, 0, 0, 0, 0, 0)
        assert store.engine_check() == []
        witness = store.witness()
        assert not witness.lost
        assert witness.seen in (None, witness.counter)
