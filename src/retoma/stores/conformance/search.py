"""The contract of the search index; a store's test class has it beside `StoreContract`."""

from __future__ import annotations

from functools import partial

import msgspec

from retoma.model import postings
from retoma.model.ids import SessionKey
from retoma.model.session import ARCHIVED, SHOWN, Head, Session
from retoma.stores.conformance.store import ALL, OURS, THEIRS, Clock, add, append
from retoma.stores.contract.search import GOING, LIVE, MAKING, Doc, Part, Standing
from retoma.stores.contract.store import Listing, Store, Transaction

_KEY = SessionKey(7)


class SearchContract:
    """What holds for every store."""

    def test_an_index_begins_once_and_moves_by_turns(self, store: Store) -> None:
        assert store.read(lambda tx: tx.search.standing(OURS)) is None
        for tokens in (3, 4):
            store.write(partial(_begin, tokens=tokens))
        assert store.read(lambda tx: tx.search.standing(OURS)) == Standing(3, 0, 0, 0, 0, 0)
        assert store.write(lambda tx: tx.indexing.take_turn(OURS, 0))
        assert not store.write(lambda tx: tx.indexing.take_turn(OURS, 0))
        assert not store.write(lambda tx: tx.indexing.take_turn(THEIRS, 0))
        store.write(lambda tx: tx.indexing.move(OURS, Standing(3, 1, 20, 2, 1_000, 5)))
        assert store.read(lambda tx: tx.search.standing(OURS)) == Standing(3, 1, 20, 2, 1_000, 5)
        assert store.read(lambda tx: tx.search.standing(THEIRS)) is None
        assert store.read(lambda tx: tx.search.indexes()) == [OURS]

    def test_what_is_forgotten_passes_the_turn(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b"))
        store.write(lambda tx: tx.indexing.begin(OURS, 1))
        store.write(lambda tx: tx.erasing.erase(head.key, [1]))
        assert not store.write(lambda tx: tx.indexing.take_turn(OURS, 0))
        assert store.write(lambda tx: tx.indexing.take_turn(OURS, 1))
        store.write(lambda tx: tx.erasing.drop_events(head.key, limit=ALL))
        assert not store.write(lambda tx: tx.indexing.take_turn(OURS, 2))

    def test_sessions_are_behind_until_they_are_indexed(self, store: Store, clock: Clock) -> None:
        heads = {}
        for name in ("one", "two", "three"):
            heads[name] = store.write(partial(_said, name=name))
            clock.now += 2_000
        store.write(lambda tx: add(tx, "theirs", THEIRS))
        store.write(lambda tx: tx.profiles.shelve(heads["two"].key, ARCHIVED))
        first = clock.now - 6_000

        def behind(
            *, shelf: int = SHOWN, since: int = 0, limit: int = ALL, newest: bool = False, anew: bool = False
        ) -> list[SessionKey]:
            found = store.read(
                lambda tx: tx.search.behind(
                    OURS, shelf=shelf, since=since, limit=limit, newest=newest, anew=anew
                )
            )
            return [one.key for one in found]

        one, two, three = (head.key for head in heads.values())
        assert behind() == [one, three]
        assert behind(newest=True) == [three, one]
        assert behind(limit=1) == [one]
        assert behind(since=first + 1) == [three]
        assert behind(shelf=ARCHIVED) == [two]
        (found, _) = store.read(lambda tx: tx.search.behind(OURS, shelf=SHOWN, since=0, limit=ALL))
        assert (found.listed_at, found.head_seq, found.after) == (first, 2, 0)
        store.write(lambda tx: tx.indexing.indexed(OURS, one, 1))
        assert behind() == [one, three]
        store.write(lambda tx: tx.indexing.indexed(OURS, one, 2))
        assert behind() == [three]
        assert behind(anew=True) == [one, three]
        assert store.read(lambda tx: tx.search.unindexed(OURS, anew=False)) == 4
        assert store.read(lambda tx: tx.search.unindexed(OURS, anew=True)) == 6
        store.write(lambda tx: tx.indexing.make_due(OURS, three))
        due = store.read(lambda tx: tx.search.due(OURS, shelf=SHOWN, limit=ALL))
        assert [found.key for found in due] == [three]
        store.write(lambda tx: tx.indexing.indexed(OURS, three, 2))
        assert store.read(lambda tx: tx.search.due(OURS, shelf=SHOWN, limit=ALL)) == []

    def test_sessions_are_looked_at_in_the_order_of_their_numbers(self, store: Store) -> None:
        keys = [store.write(partial(_said, name=f"s{n}")).key for n in range(4)]
        store.write(lambda tx: add(tx, "theirs", THEIRS))
        store.write(lambda tx: tx.indexing.indexed(OURS, keys[1], 2))
        found, last = store.read(lambda tx: tx.search.looked_at(OURS, after=0, limit=3))
        assert [(one.key, behind) for one, behind in found] == [
            (keys[0], True),
            (keys[1], False),
            (keys[2], True),
        ]
        assert last == keys[2]
        found, last = store.read(lambda tx: tx.search.looked_at(OURS, after=last or 0, limit=3))
        assert ([one.key for one, _ in found], last) == ([keys[3]], None)

    def test_documents_are_found_by_number_and_forgotten_by_event(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b", "c"))
        docs = [Doc(10 + seq, head.key, seq, 100 + seq) for seq in range(4)]
        store.write(lambda tx: tx.indexing.add_docs(OURS, docs))
        numbers = [*range(14), *range(200, 300)]
        assert sorted(store.read(lambda tx: tx.search.docs(OURS, numbers))) == docs
        assert store.read(lambda tx: tx.search.docs(THEIRS, numbers)) == []
        assert store.read(lambda tx: tx.search.docs_between(OURS, 11, 13, limit=ALL)) == docs[1:3]
        assert store.read(lambda tx: tx.search.docs_between(OURS, 0, 99, limit=1)) == docs[:1]
        assert store.read(lambda tx: tx.search.has_title(head.key))
        store.write(lambda tx: tx.erasing.erase(head.key, [2]))
        assert [doc.seq for doc in store.read(lambda tx: tx.search.docs(OURS, numbers))] == [0, 1, 3]
        store.write(lambda tx: tx.sessions.drop(head.key))
        assert store.read(lambda tx: tx.search.docs(OURS, numbers)) == []

    def test_a_changed_title_is_no_document_any_more(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx, title="a"), "a"))
        session = store.read(lambda tx: tx.sessions.among(OURS, Listing(), [head.key]))[0]
        about = store.read(lambda tx: tx.sessions.about(head.key))
        store.write(lambda tx: tx.indexing.add_docs(OURS, [Doc(0, head.key, 0, 1)]))
        store.write(lambda tx: tx.profiles.put(OURS, head, session, about, about))
        assert store.read(lambda tx: tx.search.has_title(head.key))
        store.write(lambda tx: tx.profiles.put(OURS, head, _titled(tx, head.key), about, about))
        assert not store.read(lambda tx: tx.search.has_title(head.key))

    def test_a_page_is_sought_by_key_in_every_part_of_a_stretch(self, store: Store) -> None:
        store.write(partial(_make, first=0, number=0, words=("b", "d")))
        store.write(partial(_make, first=2, number=1, words=("c",)))
        store.write(partial(_make, first=3, number=2, words=("b",), state=MAKING))
        pages = store.read(lambda tx: tx.search.pages_at(OURS, b"c", low=0, high=9))
        assert {part: postings.with_term(data, "c") for part, data in pages.items()} == {
            0: (),
            1: postings.with_term(pages[1], "c"),
        }
        assert [*postings.with_term(pages[1], "c")] == [2]
        assert [*store.read(lambda tx: tx.search.pages_at(OURS, b"c", low=1, high=9))] == [1]
        assert [*store.read(lambda tx: tx.search.pages_at(OURS, b"c", low=0, high=2))] == [0]
        assert store.read(lambda tx: tx.search.pages_at(OURS, b"a", low=0, high=9)) == {}
        assert store.read(lambda tx: tx.search.pages_at(THEIRS, b"c", low=0, high=9)) == {}
        between = store.read(lambda tx: tx.search.pages_between(OURS, b"b", b"d", low=0, high=9))
        assert [part for part, _ in between] == [1]
        parts = store.read(lambda tx: tx.search.parts(OURS))
        assert [(part.number, part.first_doc, part.end, part.state) for part in parts] == [
            (0, 0, 2, LIVE),
            (1, 2, 3, LIVE),
            (2, 3, 4, MAKING),
        ]

    def test_what_is_forgotten_is_cleaned_out_of_its_part(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b"))
        store.write(lambda tx: tx.indexing.begin(OURS, 1))
        store.write(partial(_make, first=0, number=0, words=("one", "two"), key=head.key))
        store.write(partial(_make, first=0, number=1, words=("one", "two"), state=MAKING))
        assert not store.write(lambda tx: tx.indexing.clean(OURS, pages=1))
        store.write(lambda tx: tx.erasing.erase(head.key, [1]))
        states = store.read(lambda tx: [(part.state, part.dirty) for part in tx.search.parts(OURS)])
        assert states == [(LIVE, True), (GOING, True)]
        while store.write(lambda tx: tx.indexing.clean(OURS, pages=1)):
            pass
        assert [part.number for part in store.read(lambda tx: tx.search.parts(OURS))] == [0]
        data = b"".join(page.data for page in store.read(lambda tx: _pages(tx, 0)))
        assert (b"one" in data, b"two" in data) == (False, True)
        assert store.read(lambda tx: _pages(tx, 1)) == []
        store.write(lambda tx: tx.erasing.drop_events(head.key, limit=ALL))
        while store.write(lambda tx: tx.indexing.clean(OURS, pages=1)):
            pass
        assert store.read(lambda tx: tx.search.parts(OURS)) == []

    def test_an_outdated_index_is_emptied_and_begins_anew(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b"))
        store.write(lambda tx: tx.indexing.begin(OURS, 1))
        for number in range(3):
            store.write(partial(_make, first=2 * number, number=number, words=("one", "two"), key=head.key))
        store.write(lambda tx: tx.indexing.indexed(OURS, head.key, 2))
        store.write(lambda tx: tx.indexing.outdate(OURS))
        rounds = 0
        while store.write(lambda tx: tx.indexing.empty(OURS, rows=8)):
            rounds += 1
        assert rounds
        store.write(lambda tx: tx.indexing.renew(OURS, 2))
        standing = store.read(lambda tx: tx.search.standing(OURS))
        assert standing is not None
        assert standing._replace(turn=0) == Standing(2, 0, 0, 0, 0, 0)
        assert store.read(lambda tx: tx.search.parts(OURS)) == []
        assert store.read(lambda tx: tx.search.docs_between(OURS, 0, 99, limit=ALL)) == []
        assert store.read(lambda tx: tx.search.unindexed(OURS, anew=False)) == 2

    def test_what_the_index_says_of_sessions_can_be_held_against_their_journals(self, store: Store) -> None:
        head = store.write(lambda tx: append(tx, add(tx), "a", "b", "c"))
        store.write(lambda tx: tx.indexing.add_docs(OURS, [Doc(seq, head.key, seq, 1) for seq in range(3)]))
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


def _make(
    tx: Transaction,
    *,
    first: int,
    number: int,
    words: tuple[str, ...],
    state: int = LIVE,
    key: SessionKey = _KEY,
) -> None:
    """Make a part with a page for each word; its documents are the events 1, 2 … of a session."""
    tx.indexing.add_part(OURS, Part(number, first, len(words), state, None))
    docs = [Doc(first + n, key, n + 1, 1) for n in range(len(words))]
    for doc, word in zip(docs, words, strict=True):
        tx.indexing.add_pages(OURS, number, postings.pages({doc.number: ((word,), ())}))
    if state == LIVE:
        tx.indexing.add_docs(OURS, docs)


def _pages(tx: Transaction, part: int) -> list[postings.Page]:
    return tx.search.pages_from(OURS, part, b"", limit=ALL)


def _titled(tx: Transaction, key: SessionKey) -> Session:
    (session,) = tx.sessions.among(OURS, Listing(), [key])
    return msgspec.structs.replace(session, title="another")
