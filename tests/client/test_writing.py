"""What is written is there once, whole or not at all, and by who holds the session."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

import retoma
from retoma import types as parts
from retoma.model.lease import LEASE_TTL_MS
from retoma.runtime import follow as following
from retoma.service import entries


def texts(session, **which):
    return [message.text for message in session.messages(**which)]


# Messages


def test_messages_are_read_as_they_were_written(session):
    call = parts.ToolCall(id="1", name="count", arguments={"month": 3})
    session.append("user", "Which rows?", sender="ana")
    session.append("assistant", [parts.Reasoning("By date."), parts.Text("I count."), call])
    session.append("tool", parts.ToolResult(id="1", result=412))
    session.append("assistant", [{"type": "text", "text": "412."}])
    first, second, third = session.messages()
    assert (first.role, first.text, first.sender, first.parts) == ("user", "Which rows?", "ana", ())
    assert (second.text, second.tools) == ("I count.", ("count",))
    assert second.parts == (parts.Reasoning("By date."), parts.Text("I count."), call)
    assert third.text == "412."
    assert session.message_count == 4


@pytest.mark.parametrize(
    ("role", "content", "said"),
    [
        ("nobody", "x", "not a role"),
        ("user", [], "at least one part"),
        ("user", [{"type": "sound"}], "not valid message content"),
        ("user", "x" * (1 << 20), "the limit is 1,048,576"),
    ],
)
def test_what_is_no_message_is_refused(session, role, content, said):
    with pytest.raises(retoma.Invalid, match=said):
        session.append(role, content)
    assert session.messages() == []


def test_messages_are_read_in_pages_and_epochs(session):
    seqs = session.append_many([("user", str(n)) for n in range(10)])
    assert texts(session, last=3) == ["7", "8", "9"]
    assert texts(session, last=2, before=seqs[7]) == ["5", "6"]
    assert texts(session, before=seqs[2]) == ["0", "1"]
    assert texts(session, since=seqs[7]) == ["8", "9"]
    session.reset()
    session.append("user", "new")
    assert texts(session) == ["new"]
    assert texts(session, epochs=True, last=2) == ["9", "new"]
    assert [message.epoch for message in session.messages(epochs=True)][-2:] == [1, 2]


def test_a_key_writes_once_and_expect_only_on_what_was_read(client, session):
    seq = session.append("user", "a", key="k")
    session.append("user", "between")
    assert session.append("user", "a", key="k") == seq
    assert client.session("demo").append("user", "a", key="k", expect=1) == seq
    with pytest.raises(retoma.Conflict) as used:
        session.append("user", "b", key="k")
    assert used.value.code == "key_reused"
    with pytest.raises(retoma.Conflict) as moved:
        session.append("user", "b", expect=1)
    assert (moved.value.code, moved.value.head, moved.value.expected) == ("head_moved", 3, 1)
    assert session.append("user", "b", expect=session.head) == 4
    assert texts(session) == ["a", "between", "b"]


def test_many_are_written_together_or_not_at_all(session):
    assert session.append_many([("user", "a"), {"role": "assistant", "content": "b", "sender": "r"}]) == [
        2,
        3,
    ]
    assert len({event.operation for event in session.events(types="message")}) == 1
    assert (
        session.append_many([("user", "c")], key="k") == session.append_many([("user", "c")], key="k") == [4]
    )
    assert session.append_many([]) == []
    for wrong in ([("user", "d"), ("nobody", "e")], [("user", "d"), "user"], [("user", "d"), {"text": "e"}]):
        with pytest.raises(retoma.Invalid):
            session.append_many(wrong)
    with pytest.raises(retoma.Conflict):
        session.append_many([("user", "d")], expect=1)
    assert [(message.text, message.sender) for message in session.messages()] == [
        ("a", ""),
        ("b", "r"),
        ("c", ""),
    ]


def test_a_transaction_has_an_end(session, monkeypatch):
    monkeypatch.setattr(entries, "MOST", 10)
    with pytest.raises(retoma.Limit, match="at most 10 entries; there are 11"):
        session.append_many([("user", "x")] * 11)
    assert session.messages() == []


# The state


def test_the_state_is_a_mapping_that_the_store_keeps(client, session):
    state = session.state
    state["done"] = 3
    state["deep"] = {"list": [1, 2.5, None, True, "ç"], "empty": {}}
    state.update({"a": 1}, b=2)
    assert state.copy() == {
        "done": 3,
        "deep": {"list": [1, 2.5, None, True, "ç"], "empty": {}},
        "a": 1,
        "b": 2,
    }
    assert dict(client.session("demo").state) == state.copy()
    assert (state["done"], state.get("done"), state.get("nothing"), state.get("nothing", 0)) == (
        3,
        3,
        None,
        0,
    )
    assert ("a" in state, "z" in state, len(state), sorted(state)) == (
        True,
        False,
        4,
        ["a", "b", "deep", "done"],
    )
    del state["a"]
    assert (state.pop("b"), state.pop("b", "gone")) == (2, "gone")
    for missing in (lambda: state["a"], lambda: state.pop("a"), lambda: state.__delitem__("a")):
        with pytest.raises(KeyError, match="a"):
            missing()
    state["null"] = None
    assert "null" in state
    state.clear()
    assert state.copy() == {}
    assert client.check().whole


def test_each_change_of_the_state_is_one_event_that_says_it(session):
    session.state["a"] = 1
    session.state.update({"b": 2, "c": 3})
    session.state.put({"a": 4}, delete=["b", "never"])
    session.state.update({})
    session.state.pop("never", None)
    changes = [event.data for event in session.events(types="state")]
    assert changes == [{"set": {"a": 1}}, {"set": {"b": 2, "c": 3}}, {"set": {"a": 4}, "delete": ["b"]}]
    assert session.head == 4


def test_what_was_changed_inside_a_value_is_not_noticed(session):
    session.state["list"] = [1]
    session.state["list"].append(2)
    assert session.state["list"] == [1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", float("nan")),
        ("k", float("inf")),
        ("k", {"at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("k", (1, 2)),
        ("k", {1: 2}),
        ("k", b"bytes"),
        ("k", 1 << 70),
        ("k", "\ud800"),
        ("sys", 1),
        ("", 1),
        ("k" * 201, 1),
        ("a\0b", 1),
        ("\ud800", 1),
    ],
)
def test_what_json_would_not_give_back_is_refused(session, name, value):
    with pytest.raises(retoma.Invalid):
        session.state[name] = value
    with pytest.raises(retoma.Invalid), session.batch() as batch:
        batch.state[name] = value
    assert session.head == 1


def test_a_change_of_the_state_can_rest_on_what_was_read(session):
    session.state["n"] = 1
    session.state.put({"n": 2}, expect=session.head, key="once")
    session.state.put({"n": 2}, expect=1, key="once")
    with pytest.raises(retoma.Conflict):
        session.state.put({"n": 3}, expect=1)
    assert session.state["n"] == 2
    session.pause()
    with pytest.raises(retoma.Refused, match="accepts no changes of its state"):
        session.state["n"] = 4


def test_a_new_epoch_has_a_state_of_its_own(client, session):
    session.state["n"] = 1
    session.reset()
    assert session.state.copy() == {}
    session.state["m"] = 2
    assert client.check().whole


# Batches


def test_a_batch_is_one_transaction(client, session):
    with session.batch() as batch:
        batch.append("user", "a")
        batch.state["n"] = 1
        batch.append_many([("assistant", "b"), {"role": "user", "content": "c"}])
        batch.state.update({"n": 2}, m=3)
        del batch.state["m"]
        del batch.state["never"]
        assert session.messages() == []
    assert batch.seqs == [2, 4, 5]
    assert (session.head, session.message_count) == (7, 3)
    assert (texts(session), session.state.copy()) == (["a", "b", "c"], {"n": 2})
    assert len({event.operation for event in session.events(since=1)}) == 1
    assert client.check().whole


def test_a_batch_that_raises_leaves_nothing(session):
    class Mine(Exception):
        pass

    with pytest.raises(Mine), session.batch() as batch:
        batch.append("user", "a")
        raise Mine
    with pytest.raises(retoma.Invalid), session.batch() as batch:
        batch.append("user", "a")
        batch.append("nobody", "b")
    with pytest.raises(retoma.Conflict), session.batch(expect=0) as batch:
        batch.append("user", "a")
    assert (session.messages(), batch.seqs) == ([], [])
    with pytest.raises(retoma.Invalid, match="inside its `with`"):
        batch.append("user", "too late")


def test_a_batch_with_a_key_is_written_once(session):
    for _ in range(2):
        with session.batch(key="k") as batch:
            batch.append("user", "a")
            batch.state["n"] = 1
            batch.append("user", "b")
        assert batch.seqs == [2, 4]
    with pytest.raises(retoma.Conflict), session.batch(key="k") as batch:
        batch.append("user", "other")
    assert session.head == 4


# One driver


def test_who_holds_a_session_writes_alone(another, session):
    other = another("eva").session("demo")
    with session.lease() as lease:
        assert (lease.token, lease.lost, lease.ttl.total_seconds()) == (1, False, 15)
        session.append("user", "mine")
        with session.batch() as batch:
            batch.append("user", "too")
            batch.state["n"] = 1
        for write in (
            lambda: other.append("user", "x"),
            lambda: other.state.update({"n": 2}),
            lambda: other.lease().__enter__(),
        ):
            with pytest.raises(retoma.Busy, match="is driven by process") as busy:
                write()
            assert busy.value.holder.user == "ana"
            assert busy.value.expires - busy.value.since == LEASE_TTL_MS
        other.note("Notes do not disturb it.")
        other.refresh()
        assert (other.driver.user, other.driver.token) == ("ana", 1)
        with pytest.raises(retoma.Conflict, match="already holds the lease of 'demo'"):
            session.lease().__enter__()
    assert lease.token is None
    other.append("user", "now")
    assert texts(session) == ["mine", "too", "now"]
    with other.lease("1m") as lease:
        assert lease.token == 2


def test_who_lost_it_is_told_by_whom_and_writes_nothing(another, session, clock):
    other = another("eva").session("demo")
    with session.lease() as lost:
        clock.now += LEASE_TTL_MS + 1
        session.append("user", "nobody took it")
        with other.lease():
            for write in (lambda: session.append("user", "x"), session.state.clear, session.reset):
                with pytest.raises(retoma.Busy, match="was taken over by process") as fenced:
                    write()
                assert (fenced.value.code, fenced.value.holder.user) == ("fenced", "eva")
            other.append("user", "theirs")
        assert lost.token == 1
        with pytest.raises(retoma.Busy, match="no longer driven by this process"):
            session.append("user", "x")
    session.append("user", "after")
    assert texts(session) == ["nobody took it", "theirs", "after"]


def test_a_lease_ends_with_its_handle_and_its_client(another, client, session):
    other = another("eva")
    session.lease().__enter__()
    session.disconnect()
    other.session("demo").append("user", "a")
    client.session("demo").lease().__enter__()
    client.close()
    other.session("demo").append("user", "b")


def test_a_lease_has_a_sensible_term(session):
    for ttl in ("10ms", "2h", "soon"):
        with pytest.raises(retoma.Invalid):
            session.lease(ttl)
    session.pause()
    session.trash()
    with pytest.raises(retoma.Refused, match="in the trash"), session.lease():
        pass


def test_a_reset_takes_a_session_from_its_driver_and_not_from_itself(another, session):
    other = another("eva").session("demo")
    with session.lease():
        session.reset()
        session.append("user", "still mine")
        other.reset()
        with pytest.raises(retoma.Busy):
            session.append("user", "x")


# The journal


def test_events_are_read_in_pages_and_by_type(session, monkeypatch):
    session.append_many([("user", str(n)) for n in range(1_500)])
    session.pause()
    assert [event.seq for event in session.events()] == list(range(1, 1_503))
    assert [event.seq for event in session.events(1_400, types=["session.status", "note"])] == [1_502]
    first = next(session.events())
    assert (first.type, first.actor, first.cause, first.data["id"]) == (
        "session.created",
        "ana",
        None,
        "demo",
    )
    assert len(bytes.fromhex(first.hash)) == 32


def test_followers_see_what_others_write_until_the_end(session, plain, monkeypatch):
    waits = threading.Event()

    class Told(following.Following):
        def wait(self) -> None:
            super().wait()
            waits.set()

    def writes() -> None:
        waits.wait(10)
        plain.append("demo", "user", "while it waits")
        plain.append("demo", "user", "and more")
        plain.change("demo", "completed")

    monkeypatch.setattr(following, "Following", Told)
    session.append("user", "before")
    writer = threading.Thread(target=writes)
    writer.start()
    found = [(event.actor, event.type) for event in session.follow()]
    writer.join()
    assert found == [("eva", "message"), ("eva", "message"), ("eva", "session.status")]
    assert [event.seq for event in session.follow(since=3, types="session.status")] == [5]


def test_what_is_nested_deeper_than_readers_go_is_refused(session):
    deep = inner = {}
    for _ in range(300):
        inner["in"] = inner = {}
    call = parts.ToolCall("c1", "look", {"text": "}" * 300, "deep": deep})
    with pytest.raises(retoma.Invalid) as raised:
        session.append("assistant", [call])
    assert raised.value.code == "too_deep"
    brackets = parts.ToolCall("c1", "look", {"text": "[{" * 300})
    assert session.append("assistant", [brackets]) == 2
