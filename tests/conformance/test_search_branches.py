"""What branches share is in the index once, is found in a session that is meant, and goes with the last that has it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from tests.calls import Calls
from tests.conformance.test_search import DEEDS, both, client, clock, do, found, held, index, say

from retoma.model.changes import Changes
from retoma.model.pattern import Pattern
from retoma.model.principal import LOCAL_TENANT
from retoma.model.session import ARCHIVED
from retoma.model.tokens import VERSION
from retoma.service.forget.erasing import Selection
from retoma.service.search.indexing import step
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing

__all__ = ["client", "clock"]


def whole(client: Calls) -> None:
    assert [one.detail for one in client.check().damage] == []


def test_what_branches_share_is_indexed_and_found_once(client: Calls) -> None:
    say(client, "one", "the word", "the word again")
    client.fork("one", "two", at=2)
    client.fork("one", "three")
    say(client, "two", "the word alone")
    assert sorted(both(client, "word")) == [("one", 2), ("one", 3), ("two", 5)]
    assert held(client, "word") == 3
    assert sorted(both(client, "word", session="two")) == [("two", 2), ("two", 5)]
    assert sorted(both(client, "word", session="three")) == [("three", 2), ("three", 3)]
    whole(client)


def test_it_is_found_in_the_branch_that_is_meant(client: Calls) -> None:
    say(client, "one", "the word")
    client.fork("one", "two")
    client.fork("one", "three")
    client.update("three", Changes(agent="ana"))
    of_ana = (Listing(agent="ana"),)
    assert both(client, "word", listings=of_ana) == [("three", 2)]
    client.update("one", Changes(archived=True))
    assert both(client, "word") == [("two", 2)]
    assert both(client, "word", listings=(Listing(shelf=ARCHIVED),)) == [("one", 2)]
    client.trash("two")
    assert both(client, "word") == [("three", 2)]


@pytest.mark.parametrize("first", [True, False])
def test_what_came_before_an_undo_is_found_and_what_was_undone_in_the_line_that_is_kept(
    client: Calls, first: bool
) -> None:
    say(client, "s", "the first word", "the second word")
    if first:
        index(client)
    client.undo("s")
    say(client, "s", "another word")
    assert sorted(hit[0] for hit in both(client, "word")) == ["s", "s"]
    assert sorted(both(client, "word", listings=(Listing(shelf=ARCHIVED),))) == [("s~1", 2), ("s~1", 3)]
    assert both(client, "first", session="s") == [("s", 2)]
    assert both(client, "second", session="s") == []
    whole(client)


@pytest.mark.parametrize("indexed", ["before", "after", "in part"])
def test_a_deleted_session_is_never_found_and_what_forks_share_is_theirs(
    client: Calls, indexed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retoma.service.search.indexing.DOCS", 2)
    say(client, "gone", "the word", "the word again", "a word alone")
    client.fork("gone", "two", at=3)
    client.fork("gone", "three", at=2)
    if indexed == "before":
        index(client)
    elif indexed == "in part":
        step(client._store, client._who, everything=True)
    client.delete("gone")
    whole(client)
    assert sorted(both(client, "word")) == [("two", 2), ("two", 3)]
    assert held(client, "word") == 2
    assert held(client, "alone") == 0
    assert both(client, "word", session="three") == [("three", 2)]
    client._store.write(lambda tx: tx.indexing.outdate())
    assert sorted(both(client, "word")) == [("two", 2), ("two", 3)]
    client.delete("two")
    whole(client)
    assert both(client, "word") == [("three", 2)]
    assert held(client, "again") == 0
    client.delete("three")
    whole(client)
    assert both(client, "word") == []
    assert client._store.read(lambda tx: tx.search.indexed(after=0, limit=9)) == []
    assert client._store.read(lambda tx: tx.search.docs_from(LOCAL_TENANT, 0, limit=9)) == []


def test_a_deleted_session_that_was_not_indexed_is_before_the_index_begins(client: Calls) -> None:
    say(client, "gone", "the word")
    client.fork("gone", "two")
    client.delete("gone")
    assert found(client, "word") == [("two", 2)]
    index(client)
    assert found(client, "word") == [("two", 2)]
    whole(client)


def test_a_fork_that_is_reset_for_good_leaves_what_others_have(client: Calls) -> None:
    say(client, "one", "the word")
    client.fork("one", "two")
    say(client, "two", "the word of two")
    client.fork("two", "three")
    index(client)
    client.delete("one")
    client.reset("two", erase=True)
    whole(client)
    assert both(client, "two", role="user") == []
    assert both(client, "word", role="user") == [("three", 2)]


@pytest.mark.parametrize("of", ["one", "two"])
def test_what_is_redacted_in_one_branch_leaves_the_index_of_all(client: Calls, of: str) -> None:
    say(client, "one", "the secret", "the word")
    client.fork("one", "two")
    say(client, "two", "a secret of two")
    index(client)
    client.redact(of, Selection(wanted=Pattern("secret")))
    assert held(client, "secret") == 0
    assert both(client, "secret") == []
    whole(client)


def test_a_step_that_read_what_is_erased_of_a_deleted_session_writes_nothing(
    client: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(client, "gone", "the secret")
    client.fork("gone", "two")
    client.delete("gone")
    client._store.write(lambda tx: tx.indexing.begin(LOCAL_TENANT, VERSION))
    write = client._store.write

    def meanwhile(use_case: Callable[..., object]) -> object:
        monkeypatch.undo()
        client.redact("two", Selection(wanted=Pattern("secret")))
        return write(use_case)

    monkeypatch.setattr(client._store, "write", meanwhile)
    step(client._store, client._who, everything=True)
    assert held(client, "secret") == 0
    index(client)
    assert held(client, "secret") == 0


def test_whatever_is_done_the_index_finds_what_the_journals_have(client: Calls, clock: Clock) -> None:
    chance = random.Random(5)
    for _ in range(12):
        for _ in range(25):
            clock.now += 700
            words = chance.choices(
                ["alpha", "beta", "délta", "snake_case", "全文検索"], k=chance.randrange(6)
            )
            do(client, chance.choice(DEEDS), chance.choice("abc"), " ".join(words))
        queries = ("alpha", '"alpha beta"', "delta", "検索", "beta -alpha", "sna*")
        as_it_is = [found(client, query) for query in queries]
        index(client)
        assert [found(client, query) for query in queries] == as_it_is
        whole(client)
