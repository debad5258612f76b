"""A branch at any event says what the journal up to that event says: rows, and the event that each row names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import retoma
from retoma.errors import Conflict


@pytest.fixture(params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest) -> Iterator[retoma.Client]:
    """Return a public client on either database."""
    url = ":memory:" if request.param == "sqlite" else request.getfixturevalue("database")
    with retoma.open(url, user="ana") as client:
        yield client


def batched(client: retoma.Client, *, key: str | None = None) -> retoma.Session:
    """Return a session whose events 2 to 6 are one batch."""
    session = client.create("one")
    with session.batch(key=key) as batch:
        batch.append("user", "first")
        batch.state["k"] = 1
        batch.append("user", "second")
        batch.state["l"] = 2
        batch.append("assistant", "third")
    return session


def whole(client: retoma.Client) -> None:
    assert [one.detail for one in client.check().damage] == []


@pytest.mark.parametrize("at", [2, 3, 4, 5, 6])
def test_a_fork_inside_a_batch_has_the_rows_of_its_event(client: retoma.Client, at: int) -> None:
    fork = batched(client).fork("two", at=at)
    assert (
        dict(fork.state) == {"k": 1} | {"l": 2}
        if at > 4
        else dict(fork.state) == ({"k": 1} if at > 2 else {})
    )
    fork.fork("three").fork("four", at=at)
    whole(client)


def test_an_undo_inside_a_batch_has_the_rows_of_its_event(client: retoma.Client) -> None:
    session = batched(client)
    session.undo()
    assert dict(session.state) == {"k": 1}
    session.fork("two")
    session.undo()
    assert dict(session.state) == {}
    whole(client)


def test_a_branch_inside_a_batch_after_a_redaction_has_the_rows_of_its_event(client: retoma.Client) -> None:
    session = batched(client)
    session.redact(first=3)
    for at in (2, 3, 4, 5, 6):
        session.fork(f"at-{at}", at=at).fork(f"again-{at}")
    session.undo()
    whole(client)


def test_a_key_that_a_shared_event_of_a_batch_set_goes_in_every_branch_by_its_name(
    client: retoma.Client,
) -> None:
    session = batched(client)
    session.fork("two", at=4).redact(pattern="^k$")
    whole(client)
    assert [dict(client.session(name).state) for name in ("one", "two")] == [{"l": 2}, {}]
    session.fork("three", at=4)
    client.session("two").redact(pattern="^l$")
    assert dict(session.state) == {"l": 2}
    whole(client)


def test_a_fork_inside_a_batch_of_an_earlier_epoch_has_the_rows_of_its_event(client: retoma.Client) -> None:
    session = batched(client)
    session.reset()
    with session.batch() as batch:
        batch.state["k"] = 3
        batch.append("user", "fourth")
        batch.append("user", "fifth")
    for at in range(2, session.head + 1):
        session.fork(f"at-{at}", at=at)
    session.undo()
    whole(client)


@pytest.mark.parametrize("verb", ["fork", "undo", "set_id"])
def test_what_is_done_under_the_key_of_the_batch_before_it_is_a_write_of_its_own(
    client: retoma.Client, verb: str
) -> None:
    session = batched(client, key="same")
    if verb == "fork":
        session.fork("two", key="same")
    elif verb == "undo":
        session.undo(key="same")
    else:
        with pytest.raises(Conflict):  # it was given for another request
            session.set_id("two", key="same")
    whole(client)
