"""Undo: the session ends before what was said last, and the line that was is kept."""

from __future__ import annotations

import itertools

import pytest
from tests.service.branching import FLOW, client, say, talk, texts, whole

from retoma.errors import Busy, Conflict, Refused
from retoma.model.changes import Changes
from retoma.model.lease import LEASE_TTL_MS, Holder
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.service import leases, timeline
from retoma.service.access import Operation
from retoma.service.branch import undo
from retoma.stores.contract.store import Listing

__all__ = ["client"]


def test_undo_goes_back_to_before_the_last_user_message(client):
    talk(client, "one", "a", "b", "c", "d")
    done = client.undo("one")
    assert (done.id, done.seq, done.kept) == ("one", 3, "one~1")
    assert (texts(client, "one"), texts(client, "one~1")) == (["a", "b"], ["a", "b", "c", "d"])
    say(client, "one", "x", "y")
    assert texts(client, "one") == ["a", "b", "x", "y"]
    assert client.get("one").messages == 4
    whole(client)


def test_undone_again_it_goes_further_back_until_nothing_is_left(client):
    talk(client, "one", "a", "b", "c", "d", "e")
    left = []
    for n in (1, 2, 3):
        assert client.undo("one").kept == f"one~{n}"
        left.append(texts(client, "one"))
    assert left == [["a", "b", "c", "d"], ["a", "b"], []]
    with pytest.raises(Refused, match="There is nothing to undo") as nothing:
        client.undo("one")
    assert nothing.value.code == "nothing_said"
    line = client._store.read(lambda tx: tx.branches.inherited(tx.sessions.key(1, "one")))
    assert len(line) == 1
    client.delete("one~2")
    say(client, "one", "z")
    assert client.undo("one").kept == "one~4"
    whole(client)


def test_a_session_that_is_talked_to_and_undone_for_long_keeps_a_short_line(client):
    talk(client, "one", "a", "b")
    for n in range(10):
        say(client, "one", f"try {n}", "no")
        client.undo("one")
    assert texts(client, "one") == ["a", "b"]
    line = client._store.read(lambda tx: tx.branches.inherited(tx.sessions.key(1, "one")))
    assert len(line) == 1
    whole(client)


def test_a_flow_stands_where_it_asked(client, make_flow):
    flow = make_flow(**FLOW)
    with client.drive(Request(directory=flow, session="one")) as drive:
        drive.send("left")
        drive.send("right")
        assert drive.over
    client.undo("one")
    snapshot = client.position("one")
    assert (snapshot.session.status, snapshot.position.node) == ("active", "said")
    assert (snapshot.position.context, snapshot.history) == ({"word": "left"}, ["start", "said"])
    client.undo("one")
    with client.drive(Request(directory=flow, session="one")) as drive:
        assert drive.resumed
        assert drive.shown[0].content == "What is the word?"
        drive.send("other")
        drive.send("way")
    assert texts(client, "one")[-1] == "Bye, other and way."
    whole(client)


def test_what_is_said_of_it_and_who_belongs_to_it_stays(client):
    client.create(NewSession(id="top"))
    talk(client, "one", "a", "b", parent="top", title="First", tags=("x",), metadata={"k": 1, "gone": 2})
    client.create(NewSession(id="child", parent="one"))
    client.append("one", "user", "c")
    client.note("one", "noted")
    client.update(
        "one", Changes(title="Second", tag=("y",), untag=("x",), metadata={"k": 3}, forget=("gone",))
    )
    client.update("one", Changes(pinned=True, description="long", link=(("task", "7"),)))
    before = client.show("one")
    client.undo("one")
    after = client.show("one")
    assert after.about == before.about
    assert (after.session.title, after.session.pinned, after.session.parent) == ("Second", True, "top")
    assert client.get("child").parent == "one"
    kept = client.get("one~1")
    assert (kept.archived, kept.pinned, kept.title, kept.parent) == (True, False, "Second", None)
    assert [one.id for one in client.list([Listing(tags=("y",))]).items] == ["one"]
    assert [one.id for one in client.list([Listing(parent=client.get("top").key)]).items] == ["one"]
    assert client.resolve("@last") == "one"
    whole(client)


def test_the_key_that_made_a_session_leads_to_what_it_is_now(client):
    new = NewSession(title="Made once")
    made = client.create(new, key="make")
    say(client, made, "a")
    client.undo(made)
    say(client, made, "b")
    client.undo(made)
    assert client.create(new, key="make") == made
    assert client.fork(made, "two", key="fork").id == "two"
    say(client, "two", "c")
    client.undo("two")
    assert client.fork(made, "two", key="fork").id == "two"


def test_the_same_key_undoes_once(client):
    talk(client, "one", "a", "b", "c")
    done = client.undo("one", key="k")
    assert client.undo("one", key="k") == done
    assert texts(client, "one") == ["a", "b"]
    talk(client, "two", "a")
    with pytest.raises(Conflict):
        client.undo("two", key="k")
    # What was appended under a key and is still there is not appended again; what was undone is.
    kept, gone = (client.append("one", "user", text, key=text) for text in ("d", "e"))
    client.undo("one")
    assert client.append("one", "user", "d", key="d") == kept
    assert client.append("one", "user", "e", key="e") >= gone
    assert texts(client, "one") == ["a", "b", "d", "e"]


# Who drives


HOLDER = Holder("elsewhere", "boot", 1, 1, "test")


def holding(client, session):
    return client._store.write(lambda tx: leases.acquire(tx, client._who, session, HOLDER)).token


def test_what_another_drives_is_not_undone(client):
    talk(client, "one", "a")
    holding(client, "one")
    with pytest.raises(Busy):
        client.undo("one")
    assert texts(client, "one") == ["a"]


def test_a_driver_that_undoes_goes_on_driving(client, clock):
    talk(client, "one", "a", "b", "c")
    token = holding(client, "one")
    operations = itertools.count()

    def write(use_case, **given):
        operation = Operation(next(operations).to_bytes(16))
        return client._store.write(
            lambda tx: use_case(tx, client._who, "one", operation=operation, token=token, **given)
        )

    assert write(undo.undo).kept == "one~1"
    write(timeline.append, role="user", said="d")
    assert texts(client, "one") == ["a", "b", "d"]
    assert client._store.write(lambda tx: leases.renew(tx, client._who, "one", token))
    with pytest.raises(Busy):
        client.append("one", "user", "beside")
    client.append("one~1", "user", "nobody drives it")
    clock.now += LEASE_TTL_MS
    assert holding(client, "one") > token
    with pytest.raises(Busy, match="was taken over"):
        write(timeline.append, role="user", said="late")
    whole(client)


def test_who_slept_through_an_undo_is_fenced_off(client, clock):
    talk(client, "one", "a")
    token = holding(client, "one")
    clock.now += LEASE_TTL_MS + 1
    client.undo("one")
    with pytest.raises(Busy, match="no longer driven by this process"):
        client._store.write(
            lambda tx: timeline.append(
                tx, client._who, "one", "user", "late", operation=Operation(b"o" * 16), token=token
            )
        )
    assert holding(client, "one") > token


# What is refused


def test_what_was_said_in_an_earlier_epoch_stays(client):
    talk(client, "one", "a")
    client.reset("one")
    client.append("one", "assistant", "alone")
    with pytest.raises(Refused, match="since epoch 2 started"):
        client.undo("one")
    client.append("one", "user", "b")
    client.undo("one")
    assert texts(client, "one") == ["alone"]
    assert client.get("one").epoch == 2
    whole(client)


def test_a_paused_session_is_taken_up_before_it_is_undone(client):
    talk(client, "one", "a")
    client.change("one", "suspended")
    with pytest.raises(Refused, match="suspended"):
        client.undo("one")
    client.change("one", "completed")
    client.undo("one")
    assert (client.get("one").status, client.get("one~1").status) == ("active", "completed")
    whole(client)


def test_a_long_id_has_room_for_its_lines(client):
    name = "x" * 128
    talk(client, name, "a", "b", "c")
    kept = [client.undo(name).kept for _ in range(2)]
    assert kept == ["x" * 118 + "~1", "x" * 118 + "~2"]
    assert client.get(name).id == name


def test_who_follows_a_session_sees_how_it_goes_on(client):
    talk(client, "one", "a", "b", "c", "d")
    seen = []

    def wait():
        if "undone" not in seen:
            seen.append("undone")
            client.undo("one")
            say(client, "one", "x")
        else:
            client.change("one", "completed")

    for event in client.follow("one", wait=wait):
        seen.append((event.data or {}).get("content", event.type))
    assert seen == ["session.created", *"abcd", "undone", "session.forked", "x", "session.status"]
