"""Search, on both faces and both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retoma import Invalid, NotFound
from retoma.types import Found, Hit


def test_what_was_said_is_found_with_where_and_when(client, session, clock):
    session.append("user", "A sessão cai: 全文検索", sender="ana")
    session.note("Ask about the sessão")
    page = client.search("sessao")
    assert isinstance(page, Found)
    assert (page.total, page.next, page.more, page.indexed_to) == (2, None, False, None)
    (hit,) = client.search("SESSAO 文検", role="user")
    assert hit == Hit(
        session="demo",
        title="A demonstration",
        seq=2,
        epoch=1,
        at=datetime.fromtimestamp(clock.now / 1_000, UTC),
        role="user",
        sender="ana",
        snippet="A sessão cai: 全文検索",
        marks=((2, 8), (15, 17)),
        score=hit.score,
    )
    (title,) = client.search("demonstration")
    assert (title.seq, title.role, title.session) == (None, "title", "demo")
    assert list(client.search("nowhere")) == []


def test_filters(client, clock):
    one = client.create("one", agent="ana", tags=["x", "y"], contexts={"task": "7"})
    client.create("two", tags=["x"]).append("assistant", "the word")
    one.append("user", "the word")
    client.session("two").pause()
    client.create("put").append("user", "the word")
    client.session("put").archive()
    clock.now += 7_200_000
    one.append("user", "the word again")

    def found(**how: object) -> list[tuple[str, int]]:
        return sorted((hit.session, hit.seq) for hit in client.search("word", **how))

    assert found() == [("one", 2), ("one", 3), ("two", 2)]
    assert found(session="two") == [("two", 2)]
    assert found(role="assistant") == [("two", 2)]
    assert found(status="paused") == [("two", 2)]
    assert found(agent="ana", since=timedelta(hours=1)) == [("one", 3)]
    assert found(tags=["x", "y"], before="1h") == [("one", 2)]
    assert found(contexts={"task": "7"}, before=datetime.fromtimestamp(clock.now / 1_000, UTC)) == [
        ("one", 2)
    ]
    assert found(archived=True) == [("put", 2)]
    assert found(session="put") == [("put", 2)]


def test_pages(client, session):
    session.append_many([("user", f"the word {n}") for n in range(7)])
    page, seqs = client.search("word", limit=3), []
    assert page.total == 7
    while True:
        seqs += [hit.seq for hit in page]
        if not page.more:
            break
        session.append("user", "the word, later")
        page = client.search("word", limit=3, cursor=page.next)
    assert set(seqs) >= set(range(2, 9))
    assert len(seqs) == len(set(seqs))


def test_more_than_is_read_beside_the_index_is_said(client, session, monkeypatch):
    monkeypatch.setattr("retoma.service.search.unindexed.MOST", 5)
    session.append_many([("user", f"the word {n}") for n in range(9)])
    page = client.search("word")
    assert page.indexed_to is not None
    assert page.indexed_to.tzinfo is UTC
    assert [hit.seq for hit in page] == [10, 9, 8, 7, 6]
    assert page.total is None


def test_what_cannot_be_searched_for(client, session):
    session.append("user", "one word", key="k")
    session.append("user", "one word")
    cursor = client.search("word", limit=1).next
    for how, code in (
        ({"text": "-"}, "empty_query"),
        ({"text": "word", "role": "god"}, "bad_role"),
        ({"text": "word", "limit": 0}, "bad_limit"),
        ({"text": "word", "limit": 201}, "bad_limit"),
        ({"text": "word", "cursor": "x"}, "bad_cursor"),
        ({"text": "other", "cursor": cursor}, "bad_cursor"),
        ({"text": "word", "status": "asleep"}, "bad_status"),
        ({"text": "word", "since": "soon"}, None),
        ({"text": 7}, None),
    ):
        with pytest.raises(Invalid) as refused:
            client.search(**how)
        assert code in (None, refused.value.code), how
    with pytest.raises(NotFound):
        client.search("word", session="nobody")
