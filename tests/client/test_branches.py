"""Forks, undone sessions and their past, through handles."""

from __future__ import annotations

import pytest

import retoma


def texts(session):
    return [message.text for message in session.messages()]


def said(session, *words):
    for word in words:
        session.append("user", word)


def test_a_fork_is_a_session_of_its_own(client, session):
    said(session, "a", "b")
    other = session.fork("other", at=2)
    said(other, "c")
    generated = session.fork(key="once")
    assert session.fork(key="once").id == generated.id
    assert (texts(session), texts(other), texts(generated)) == (["a", "b"], ["a", "c"], ["a", "b"])
    with pytest.raises(retoma.Conflict):
        session.fork("other")
    with pytest.raises(retoma.Invalid, match="has no event 9"):
        session.fork(at=9)
    client.delete(session.id, with_forks=True)
    assert client.get("other") is None


def test_two_sessions_side_by_side(client, session):
    said(session, "a", "b")
    session.state["road"] = "long"
    other = client.fork(session.id, "other", at=3)
    said(other, "c")
    found = client.diff(session.id, "other")
    assert (found.by, found.to_a, found.to_b) == ("fork", 3, 3)
    assert [[message.text for message in one] for one in (found.only_a, found.only_b)] == [[], ["c"]]
    assert [(one.key, one.where, one.a) for one in found.state] == [("road", "a", "long")]
    assert client.diff(session.id, "other", at=2).only_a == ()
    with pytest.raises(retoma.NotFound):
        client.diff(session.id, "nobody")


def test_a_holder_undoes_and_goes_on_holding(session, another):
    again = another("eva")
    said(session, "a", "b")
    with session.lease():
        kept = session.undo()
        said(session, "c")
        assert (texts(session), session.message_count) == (["a", "c"], 2)
        with pytest.raises(retoma.Busy):
            again.session(session.id).undo()
    assert texts(again.session(kept)) == ["a", "b"]
    said(again.session(session.id), "d")
    with pytest.raises(retoma.Refused, match="nothing to undo"):
        for _ in range(4):
            session.undo()


def test_another_handle_finds_the_line_that_is_there_now(session, another):
    again = another("eva")
    said(session, "a", "b", "c")
    other = again.session(session.id)
    session.undo()
    session.undo()
    other.refresh()
    assert other.head == session.head
    assert other.append("user", "d") == other.head
    assert texts(session) == ["a", "d"]
    third = again.session(session.id)
    session.undo()
    third.append("user", "e")
    assert (third.message_count, texts(session)) == (2, ["a", "e"])


def test_the_state_as_it_was(session):
    session.append("user", "a")
    seqs = []
    for n in range(3):
        session.state.put({"n": n})
        seqs.append(session.head)
    assert [session.state.at(seq) for seq in (2, *seqs)] == [{}, {"n": 0}, {"n": 1}, {"n": 2}]
    with pytest.raises(retoma.Invalid):
        session.state.at(99)
