"""A lease that waits: woken by the release, in the order of the askers, no longer than was said. Usage adds up."""

from __future__ import annotations

import threading
from datetime import timedelta
from time import monotonic

import pytest

import retoma
from retoma.types import ToolCall, ToolResult

LONG, SHORT = "1m", timedelta(milliseconds=200)


def test_a_waiting_lease_is_taken_when_the_holder_lets_go(another, session):
    other = another("eva").session("demo")
    got = threading.Event()

    def drive() -> None:
        with session.lease():
            got.set()
            session.append("user", "first")

    if not isinstance(session, retoma.Session):
        drive()  # one loop cannot be run by two threads: that the awaited one waits, test_web asks
    else:
        worker = threading.Thread(target=drive)
        worker.start()
        assert got.wait(30)
    with other.lease(wait=LONG):
        other.append("assistant", "second")
    assert [message.text for message in other.messages()] == ["first", "second"]


def test_those_of_one_process_get_it_in_the_order_in_which_they_asked(tmp_path):
    with retoma.open(tmp_path) as client:
        client.create("s")
        order: list[int] = []
        workers = []

        def drive(number: int) -> None:
            own = client.session("s")
            with own.lease(wait=LONG):
                order.append(number)
                own.append("user", str(number))

        with client.session("s").lease():
            for number in range(8):
                workers.append(threading.Thread(target=drive, args=(number,)))
                workers[-1].start()
                while len(client._opened.waiting) <= number:
                    threading.Event().wait(0.001)
        for worker in workers:
            worker.join(60)
        assert order == list(range(8))
        assert [message.text for message in client.session("s").messages()] == [str(n) for n in order]
        assert client._opened.waiting == []


def test_waiting_ends_with_busy_that_says_how_to_wait(another, session):
    other = another("eva").session("demo")
    with session.lease():
        began = monotonic()
        with (
            pytest.raises(retoma.Busy, match="this process, through another handle") as busy,
            other.lease(wait=SHORT),
        ):
            raise AssertionError("nobody else drives")
        assert 0.1 < monotonic() - began < 30
        assert busy.value.code == "busy"
        assert 'wait="30s"' in busy.value.hint
        with pytest.raises(retoma.Busy), other.lease():
            raise AssertionError("nobody else drives")
        with pytest.raises(retoma.Busy, match='wait="30s"'):
            other.append("user", "x")
    with other.lease(wait=SHORT):
        other.append("user", "x")


def test_tokens_and_metadata_are_kept_with_a_message_and_add_up(client, session):
    first = session.append("user", "a", tokens_in=3, metadata={"ip": "::1"}, key="k")
    assert session.append("user", "a", tokens_in=3, metadata={"ip": "::1"}, key="k") == first
    with pytest.raises(retoma.Conflict):
        session.append("user", "a", tokens_in=4, metadata={"ip": "::1"}, key="k")
    session.append_many([{"role": "assistant", "content": "b", "tokens_in": 10, "tokens_out": 5}])
    with session.batch() as batch:
        batch.append("assistant", "c", tokens_out=2, metadata={"n": [1]})
        batch.append("user", "d")
    assert (session.usage.tokens_in, session.usage.tokens_out) == (13, 7)
    again = client.session("demo")
    assert again.usage == session.usage
    a, b, c, d = again.messages()
    assert (a.usage.tokens_in, a.usage.tokens_out, a.metadata) == (3, None, {"ip": "::1"})
    assert (b.usage.tokens_out, b.metadata) == (5, None)
    assert (c.metadata, d.usage) == ({"n": [1]}, None)
    assert client.check().whole
    for wrong in ({"tokens_in": -1}, {"tokens_out": 1.5}, {"tokens_in": True}, {"metadata": {"a": {1}}}):
        with pytest.raises(retoma.Invalid):
            session.append("user", "x", **wrong)


def test_messages_of_tools_alone_are_read_on_request_and_events_backwards(session):
    session.append("user", "How many?")
    session.append("assistant", ToolCall("1", "count", {"month": 3}))
    session.append("tool", ToolResult("1", 412))
    session.append("assistant", "412.")
    assert [message.role for message in session.messages()] == ["user", "assistant"]
    every = session.messages(tools=True)
    assert [message.seq for message in every] == [2, 3, 4, 5]
    assert every[2].parts[0].result == 412
    assert session.messages(tools=True, last=2) == every[-2:]
    assert session.messages(tools=True, last=2, before=5) == every[1:3]
    assert [event.seq for event in session.events(last=2)] == [4, 5]
    assert [event.seq for event in session.events(last=2, before=4)] == [2, 3]
    assert [event.seq for event in session.events(before=3)] == [1, 2]
    assert [event.seq for event in session.events(last=1, types="session.created")] == [1]
    assert [event.seq for event in session.events(2, last=9)] == [3, 4, 5]
    assert list(session.events(last=0)) == []
