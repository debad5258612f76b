"""The contract of the search index; a store's test class has it beside `StoreContract`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
import pytest

from retoma.model.ids import SessionKey
from retoma.model.session import ARCHIVED, Head, Session
from retoma.stores.conformance.store import ALL, OURS, THEIRS, Clock, add, append
from retoma.stores.contract.search import Doc, Standing, Wanted
from retoma.stores.contract.store import Listing, Store, Transaction

_KEY = SessionKey(7)


class SearchContract:
    """What holds for every store."""

    def test_an_index_begins_once_and_moves(self, store: Store) -> None:
        assert store.read(lambda tx: tx.search.standing(OURS)) is None
        assert store.write(lambda tx: tx.indexing.hold(OURS)) is None
        for tokens in (3, 4):
            store.write(partial(_begin, tokens=tokens))
        assert store.read(lambda tx: tx.search.standing(OURS)) == Standing(3, 0, 0, 0)
        store.write(lambda tx: tx.indexing.move(OURS, Standing(3, 20, 1_000, 5)))
        assert store.read(lambda tx: tx.search.standing(OURS)) == Standing(3, 20, 1_000, 5)
        assert store.write(lambda tx: tx.indexing.hold(OURS)) == Standing(3, 20, 1_000, 5)
        assert store.read(lambda tx: tx.search.standing(THEIRS)) is None
        assert store.read(lambda tx: tx.search.indexes()) == [OURS]

    def test_sessions_are_behind_until_they_are_indexed(self, store: Store, clock: Clock) -> None:
        heads = {}
        for name in ("one", "two", "three"):
            heads[name] = store.write(partial(_said, name=name))
            clock.now += 2_000
        store.write(lambda tx: add(tx, "theirs", THEIRS))
        store.write(lambda tx: tx.profiles.shelve(heads["two"].key, ARCHIVED))
        first = clock.now - 6_000

        def behind(since: int = 0, limit: int = ALL, *, newest: bool = False) -> list[SessionKey]:
            found = store.read(lambda tx: tx.search.behind(OURS, since=since, limit=limit, newest=newest))
            return [one.key for one in found]

        one, two, three = (head.key for head in heads.values())
        assert behind() == [one, two, three]
        assert behind(newest=True) == [three, two, one]
        assert behind(limit=1) == [one]
        assert behind(limit=1, newest=True) == [three]
        assert behind(since=first + 1) == [two, three]
        found = store.read(lambda tx: tx.search.behind(OURS, since=0, limit=ALL))[0]
        assert (found.listed_at, found.head_seq, found.after) == (first, 2, 0)
        store.write(lambda tx: tx.indexing.indexed(OURS, one, 1))
        assert behind() == [one, two, three]
        store.write(lambda tx: tx.indexing.indexed(OURS, one, 2))
        assert behind() == [two, three]
        assert store.read(lambda tx: tx.search.unindexed(OURS)) == 4
        store.write(lambda tx: tx.indexing.make_due(OURS, three))
        due = store.read(lambda tx: tx.search.due(OURS, limit=ALL))
        assert [found.key for found in due] == [three]
        store.write(lambda tx: tx.indexing.indexed(OURS, three, 2))
        assert store.read(lambda tx: tx.search.due(OURS, limit=ALL)) == []

    def test_sessions_are_looked_at_in_the_order_of_their_numbers(self, store: Store) -> None:
        keys = [store.write(partial(_said, name=f"s{n}")).key for n in range(4)]
        store.write(lambda tx: add(tx, "theirs", THEIRS))
        store.write(lambda tx: tx.indexing.indexed(OURS, keys[1], 2))
        found, last = store.read(lambda tx: tx.search.looked_at(OURS, after=0, limit=3))
        assert [one.key for one in found] == [keys[0], keys[2]]
        assert last == keys[2]
        found, last = store.read(lambda tx: tx.search.looked_at(OURS, after=last or 0, limit=3))
        assert ([one.key for one in found], last) == ([keys[3]], None)

    def test_documents_are_found_by_number_and_forgotten_by_event(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b", "c"))
        docs = [Doc(10 + seq, head.key, seq, 100 + seq) for seq in range(4)]
        store.write(lambda tx: tx.indexing.add(OURS, [(doc, "a") for doc in docs]))
        numbers = [*range(14), *range(200, 300)]
        assert sorted(store.read(lambda tx: tx.search.docs(OURS, numbers))) == docs
        assert store.read(lambda tx: tx.search.docs(THEIRS, numbers)) == []
        assert store.read(lambda tx: tx.search.docs_from(OURS, 11, limit=2)) == docs[1:3]
        assert store.read(lambda tx: tx.search.docs_from(OURS, 0, limit=1)) == docs[:1]
        assert store.read(lambda tx: tx.search.docs_from(THEIRS, 0, limit=1)) == []
        assert store.read(lambda tx: tx.search.has_title(head.key))
        store.write(lambda tx: tx.erasing.erase(head.key, [2]))
        assert [doc.seq for doc in store.read(lambda tx: tx.search.docs(OURS, numbers))] == [0, 1, 3]
        store.write(lambda tx: tx.sessions.drop(head.key))
        assert store.read(lambda tx: tx.search.docs(OURS, numbers)) == []

    def test_a_changed_title_is_no_document_any_more(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx, title="a"), "a"))
        session = store.read(lambda tx: tx.sessions.among(OURS, Listing(), [head.key]))[0]
        about = store.read(lambda tx: tx.sessions.about(head.key))
        store.write(lambda tx: tx.indexing.add(OURS, [(Doc(0, head.key, 0, 1), "a")]))
        store.write(lambda tx: tx.profiles.put(OURS, head, session, about, about))
        assert store.read(lambda tx: tx.search.has_title(head.key))
        store.write(lambda tx: tx.profiles.put(OURS, head, _titled(tx, head.key), about, about))
        assert not store.read(lambda tx: tx.search.has_title(head.key))

    def test_documents_are_found_by_their_terms_newest_first(self, store: Store) -> None:
        texts = ("a b c", "b a", "ab c", "c b \ue000 a", "漢字 é\u0301 हि _x \ue000r", "a_b")
        store.write(partial(_make, texts=texts))
        store.write(lambda tx: tx.indexing.add(THEIRS, [(Doc(1, SessionKey(9), 1, 1), "a b c")]))

        def found(
            terms: tuple[str, ...] = (),
            low: int = 0,
            high: int = 1 << 62,
            limit: int = ALL,
            rows: tuple[tuple[str, str], ...] = (),
            beginnings: tuple[str, ...] = (),
            any_of: tuple[str, ...] = (),
            none_of: tuple[str, ...] = (),
        ) -> list[int]:
            asked = Wanted(terms, rows, beginnings, any_of, none_of)
            return store.read(lambda tx: tx.search.asked(OURS, asked, low=low, high=high, limit=limit))

        assert found(terms=("a",)) == [3, 1, 0]
        assert found(terms=("a", "c")) == [3, 0]
        assert found(terms=("a",), limit=2) == [3, 1]
        assert found(terms=("a",), low=1, high=3) == [1]
        assert found(rows=(("a", "b"),)) == [0]
        assert found(rows=(("b", "a"),)) == [1]
        assert found(beginnings=("a",), none_of=("c",)) == [5, 1]
        assert found(terms=("c",), any_of=("ab", "a")) == [3, 2, 0]
        assert found(terms=("c",), none_of=("ab", "a")) == []
        for term in ("漢字", "é\u0301", "हि", "_x", "\ue000r"):
            assert found(terms=(term,)) == [4], term
        assert found(terms=("e",)) == found(terms=("x",)) == found(terms=("r",)) == []

    def test_a_document_says_its_terms_and_the_index_has_them(self, store: Store) -> None:
        store.write(partial(_make, texts=("a b", "b a", "x")))
        assert store.read(lambda tx: tx.search.says(OURS, 0, "a b"))
        assert not store.read(lambda tx: tx.search.says(OURS, 1, "a b"))
        assert not store.read(lambda tx: tx.search.says(THEIRS, 0, "a b"))
        assert store.read(lambda tx: tx.search.wrong()) == ""
        store.write(lambda tx: tx.indexing.move(OURS, Standing(1, 2, 0, 0)))
        assert "unknown numbers" in store.read(lambda tx: tx.search.wrong())
        store.write(lambda tx: tx.indexing.move(OURS, Standing(1, 3, 0, 0)))
        store.write(lambda tx: tx.indexing.add(THEIRS, [(Doc(0, SessionKey(9), 1, 1), "a")]))
        assert "unknown numbers" in store.read(lambda tx: tx.search.wrong())

    def test_a_document_may_have_very_many_terms(self, store: Store) -> None:
        store.write(partial(_make, texts=(" ".join(f"word{n}" for n in range(120_000)), "a")))
        found = store.read(
            lambda tx: tx.search.asked(OURS, Wanted(terms=("word77777",)), low=0, high=9, limit=9)
        )
        assert found == [0]

    @pytest.mark.parametrize("count", [2, 300])
    def test_what_is_forgotten_is_cleaned_out_of_the_index(self, store: Store, count: int) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a"))
        store.write(partial(_make, texts=[f"one two{n}" for n in range(count)], key=head.key))
        assert not store.write(lambda tx: tx.indexing.clean(docs=1))
        assert not store.read(lambda tx: tx.search.dirty())
        store.write(lambda tx: tx.erasing.erase(head.key, range(2, count + 1)))
        assert store.read(lambda tx: [doc.seq for doc in tx.search.docs_from(OURS, 0, limit=ALL)]) == [1]
        while store.write(lambda tx: tx.indexing.clean(docs=3)):
            pass
        assert not store.read(lambda tx: tx.search.dirty())
        assert store.read(lambda tx: tx.search.wrong()) == ""
        for wanted, numbers in ((Wanted(terms=("one",)), [0]), (Wanted(beginnings=("two",)), [0])):
            found = partial(_asked, wanted=wanted)
            assert store.read(found) == numbers

    def test_an_index_is_deleted_and_begins_again(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b"))
        for _ in range(2):
            store.write(partial(_make, texts=["one two"] * 6, key=head.key))
            store.write(lambda tx: tx.indexing.indexed(OURS, head.key, 2))
            store.write(lambda tx: tx.indexing.outdate())
            assert store.read(lambda tx: tx.search.standing(OURS)) is None
            assert store.read(lambda tx: tx.search.docs_from(OURS, 0, limit=ALL)) == []
            assert store.read(partial(_asked, wanted=Wanted(terms=("one",)))) == []
            assert store.read(lambda tx: tx.search.unindexed(OURS)) == 2
            assert store.read(lambda tx: tx.search.wrong()) == ""

    def test_what_the_index_says_of_sessions_can_be_held_against_their_journals(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b", "c"))
        store.write(lambda tx: tx.indexing.add(OURS, [(Doc(seq, head.key, seq, 1), "a") for seq in range(3)]))
        store.write(lambda tx: tx.indexing.indexed(OURS, head.key, 2))
        (found,) = store.read(lambda tx: tx.search.indexed(after=0, limit=ALL))
        assert (found.id, found.tenant, found.seq, found.head_seq) == ("one", OURS, 2, 3)
        assert (found.docs, found.beyond, found.wanted) == (2, 0, 2)
        assert store.read(lambda tx: tx.search.indexed(after=head.key, limit=ALL)) == []

    def test_events_are_picked_from_several_journals(self, store: Store) -> None:
        one = store.write(lambda tx: append(tx, add(tx), *(str(n) for n in range(70))))
        two = store.write(lambda tx: append(tx, add(tx, "two"), "x"))
        places = [*((one.key, seq) for seq in range(1, 71)), (two.key, 1), (two.key, 2), (_KEY, 1)]
        found = store.read(lambda tx: tx.journal.pick(places))
        assert {place: event.value()["content"] for place, event in found.items()} == {
            **{(one.key, seq): str(seq - 1) for seq in range(1, 71)},
            (two.key, 1): "x",
        }
        assert store.read(lambda tx: tx.journal.pick([])) == {}


def _begin(tx: Transaction, *, tokens: int) -> None:
    tx.indexing.begin(OURS, tokens)


def _said(tx: Transaction, *, name: str) -> Head:
    return append(tx, add(tx, name), "a", "b")


def _make(tx: Transaction, *, texts: Sequence[str], key: SessionKey = _KEY) -> None:
    """Make an index of documents with these terms: the events 1, 2 … of a session."""
    tx.indexing.begin(OURS, 1)
    docs = [(Doc(n, key, n + 1, 1), text) for n, text in enumerate(texts)]
    tx.indexing.add(OURS, docs)
    tx.indexing.move(OURS, Standing(1, len(docs), 0, 0))


def _asked(tx: Transaction, *, wanted: Wanted) -> list[int]:
    return tx.search.asked(OURS, wanted, low=0, high=ALL, limit=ALL)


def _titled(tx: Transaction, key: SessionKey) -> Session:
    (session,) = tx.sessions.among(OURS, Listing(), [key])
    return msgspec.structs.replace(session, title="another")
