"""The contract of what branches share in the search index; a store's test class has it beside `SearchContract`."""

from __future__ import annotations

from retoma.stores.conformance.branches import forked, head_of
from retoma.stores.conformance.store import ALL, OURS, THEIRS, add, append
from retoma.stores.contract.search import Behind, Doc, Reading
from retoma.stores.contract.store import Store


class SearchBranchesContract:
    """What holds for every store."""

    def test_what_a_fork_shares_is_behind_where_its_rows_are(self, store: Store) -> None:
        one = store.write(lambda tx: append(tx, add(tx), "a", "b", "c"))
        two = store.write(lambda tx: forked(tx, "one", "two", 2, "d"))
        three = store.write(lambda tx: forked(tx, "two", "three", 3, "e"))
        behind = store.read(lambda tx: tx.search.behind(OURS, since=0, limit=ALL))
        assert {found.key: (found.after, found.head_seq) for found in behind} == {
            one.key: (0, 3),
            two.key: (2, 3),
            three.key: (3, 4),
        }
        assert store.read(lambda tx: tx.search.unindexed(OURS)) == 5
        assert store.read(lambda tx: tx.search.readers([one.key, two.key, three.key])) == {
            one.key: [Reading(two.key, 1, 2), Reading(three.key, 1, 2)],
            two.key: [Reading(three.key, 3, 3)],
        }

    def test_rows_of_a_session_that_is_gone_are_behind_as_long_as_they_are_read(self, store: Store) -> None:
        one = store.write(lambda tx: append(tx, add(tx), "a", "b", "c"))
        two = store.write(lambda tx: forked(tx, "one", "two", 2, "d"))
        store.write(lambda tx: tx.indexing.indexed(OURS, one.key, 1))
        store.write(
            lambda tx: tx.indexing.add(OURS, [(Doc(7, one.key, 0, 1), "a"), (Doc(8, one.key, 1, 1), "a")])
        )
        assert store.read(lambda tx: tx.search.due(OURS, limit=ALL)) == []
        store.write(lambda tx: tx.sessions.drop(one.key))
        assert store.read(lambda tx: tx.search.docs(OURS, [7, 8])) == [Doc(8, one.key, 1, 1)]
        assert store.read(lambda tx: tx.search.due(OURS, limit=ALL)) == [Behind(one.key, 0, 2, 0, 1)]
        assert store.read(lambda tx: tx.search.due(THEIRS, limit=ALL)) == []
        (known,) = store.read(lambda tx: tx.search.indexed(after=0, limit=ALL))
        assert (known.key, known.id, known.docs, known.wanted, bool(known.kept)) == (one.key, "", 1, 1, True)
        store.write(lambda tx: tx.indexing.indexed(OURS, one.key, 2))
        assert store.read(lambda tx: tx.search.due(OURS, limit=ALL)) == []
        store.write(lambda tx: tx.indexing.outdate())
        assert store.read(lambda tx: tx.search.due(OURS, limit=ALL)) == [Behind(one.key, 0, 2, 0, 0)]
        assert store.read(lambda tx: tx.search.due(THEIRS, limit=ALL)) == []
        store.write(lambda tx: tx.indexing.indexed(OURS, one.key, 2))
        store.write(lambda tx: tx.sessions.drop(two.key))
        while store.write(lambda tx: tx.erasing.drop_events(one.key, limit=ALL)):
            pass
        store.write(lambda tx: tx.erasing.done(OURS, one.key))
        assert store.read(lambda tx: tx.search.indexed(after=0, limit=ALL)) == []
        assert store.read(lambda tx: tx.search.docs(OURS, [7, 8])) == []

    def test_a_journal_that_is_cut_is_in_the_index_no_more(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b"))
        docs = [Doc(seq, head.key, seq, 1) for seq in range(3)]
        store.write(lambda tx: tx.indexing.add(OURS, [(doc, "a") for doc in docs]))
        store.write(lambda tx: tx.erasing.cut(OURS, head_of(tx, "one")))
        assert store.read(lambda tx: tx.search.docs(OURS, [0, 1, 2])) == docs[:1]

    def test_what_is_purged_between_rows_that_are_read_leaves_those(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), *"abcdef"))
        store.write(lambda tx: forked(tx, "one", "two", 2, "x"))
        docs = [Doc(seq, head.key, seq, 1) for seq in range(1, 7)]
        store.write(lambda tx: tx.indexing.add(OURS, [(doc, "a") for doc in docs]))
        store.write(lambda tx: tx.erasing.drop_events(head.key, until=4, limit=ALL))
        left = store.read(lambda tx: tx.search.docs(OURS, range(1, 7)))
        assert sorted(doc.seq for doc in left) == [1, 2, 5, 6]
