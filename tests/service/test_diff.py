"""What two sessions have in common, and what each has alone."""

from __future__ import annotations

import tracemalloc

import pytest
from tests.crash.trials import client_at
from tests.service.branching import FLOW, client, say, talk

from retoma.errors import Invalid, NotFound
from retoma.model.codec import encode
from retoma.model.event import MESSAGE, new_event
from retoma.runtime.drive import Request
from retoma.service import access
from retoma.service.access import Operation
from retoma.service.branch.diff import Differs

__all__ = ["client"]


def only(diff):
    return [[message.text for message in diff.only(side)] for side in ("a", "b")]


def test_what_was_said_since_a_fork(client):
    talk(client, "one", "a", "b")
    client.fork("one", "two")
    say(client, "one", "x")
    say(client, "two", "y", "z")
    diff = client.diff("one", "two")
    assert (diff.common, only(diff)) == (("fork", 3, 3), [["x"], ["y", "z"]])
    back = client.diff("two", "one")
    assert (back.common, only(back)) == (("fork", 3, 3), [["y", "z"], ["x"]])
    assert (diff.a.session.id, diff.b.session.id, diff.state) == ("one", "two", [])


def test_of_two_forks_the_common_past_is_what_both_share(client):
    talk(client, "one", "a", "b", "c")
    client.fork("one", "two", at=3)
    client.fork("one", "three", at=2)
    say(client, "two", "y")
    client.delete("one")
    diff = client.diff("two", "three")
    assert (diff.common, only(diff)) == (("fork", 2, 2), [["b", "y"], []])


def test_what_both_said_after_they_parted_is_common_too(client):
    talk(client, "one", "a", "b")
    client.fork("one", "two")
    say(client, "one", "same", "x")
    say(client, "two", "same", "y")
    diff = client.diff("one", "two")
    assert (diff.common.by, only(diff)) == ("fork", [["x"], ["y"]])
    assert (diff.common.a, diff.common.b) == (4, 6)


def test_strangers_are_compared_by_what_was_said(client):
    talk(client, "one", "a", "b", "c")
    talk(client, "two", "a", "b", "d", "e")
    talk(client, "three", "z")
    diff = client.diff("one", "two")
    assert (diff.common, only(diff)) == (("content", 3, 3), [["c"], ["d", "e"]])
    other = client.diff("one", "three")
    assert (other.common.by, only(other)) == (None, [["a", "b", "c"], ["z"]])
    same = client.diff("one", "one")
    assert (only(same), same.state) == ([[], []], [])


def test_keys_of_the_state_that_differ(client, make_flow):
    flow = make_flow(**FLOW)
    for name, words in (("one", ["left", "far"]), ("two", ["left", "near"]), ("three", ["right"])):
        with client.drive(Request(directory=flow, session=name)) as drive:
            for word in words:
                drive.send(word)
    assert client.diff("one", "two").state == [Differs(key="other", where="both", a="far", b="near")]
    assert client.diff("one", "three").state == [
        Differs(key="other", where="a", a="far"),
        Differs(key="word", where="both", a="left", b="right"),
    ]
    assert client.diff("three", "one").state[0] == Differs(key="other", where="b", b="far")
    assert client.diff("one", "two", at=5).state == []


def test_both_as_they_were_at_an_event(client):
    talk(client, "one", "a", "b", "c", "d")
    client.fork("one", "two", at=3)
    say(client, "two", "x", "y", "z")
    diff = client.diff("one", "two", at=4)
    assert (only(diff), diff.a.session.seq, diff.b.session.seq) == ([["c"], []], 4, 4)
    assert only(client.diff("one", "two", at=6)) == [["c", "d"], ["x"]]
    assert client.diff("one", "two", at=2).common == ("fork", 2, 2)
    with pytest.raises(Invalid, match="Neither session has an event 99"):
        client.diff("one", "two", at=99)
    with pytest.raises(NotFound):
        client.diff("one", "nobody")


def test_epochs_are_all_compared(client):
    talk(client, "one", "a")
    client.fork("one", "two")
    client.reset("one")
    say(client, "one", "b")
    diff = client.diff("one", "two")
    assert [(message.text, message.epoch) for message in diff.only("a")] == [("b", 2)]


def test_long_sessions_are_compared_in_little_memory():
    peaks = []
    with client_at(None) as client:
        for count in (2_000, 6_000):
            names = [f"{name}-{count}" for name in ("one", "two")]
            for name in names:
                talk(client, name)
                _say(client, name, count)
            tracemalloc.start()
            diff = client.diff(*names)
            assert [sum(1 for _ in diff.only(side)) for side in ("a", "b")] == [0, 0]
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def _say(client, name, count):
    event = new_event(MESSAGE, encode({"role": "user", "content": "x" * 300}))

    def write(tx):
        head = access.head_of(tx, client._who, name)
        access.append(tx, client._who, head, [event] * count, Operation(b"o" * 16))

    client._store.write(write)
