"""An idempotency key: the same request has its first answer, whatever became of the session in between."""

from __future__ import annotations

import pytest
from tests.calls import Calls
from tests.service.branching import texts

from retoma.errors import Conflict
from retoma.model.changes import Changes
from retoma.model.pattern import Pattern
from retoma.model.session import NewSession
from retoma.service.forget.erasing import Selection


@pytest.fixture(autouse=True)
def begun(client: Calls) -> None:
    client.create(NewSession(id="a"))
    client.append("a", "user", "one", key="one")


def refused(call) -> None:
    with pytest.raises(Conflict) as error:
        call()
    assert error.value.code == "key_reused"


def test_a_key_is_the_sessions_under_every_id_that_it_had(client):
    seqs = client.note("a", "n", key="note"), client.append("a", "user", "two", key="two")
    client.update("a", Changes(title="T"), key="title")
    client.fork("a", "other", key="fork")
    for name in ("b", "c"):
        client.set_id("a" if name == "b" else "b", name, key=f"to {name}")
        before = client.show(name).session.seq
        assert client.append(name, "user", "one", key="one") == 2
        assert (client.note(name, "n", key="note"), client.append(name, "user", "two", key="two")) == seqs
        client.update(name, Changes(title="T"), key="title")
        assert client.fork(name, "other", key="fork").id == "other"
        assert client.show(name).session.seq == before
        refused(lambda name=name: client.append(name, "user", "another", key="one"))
        refused(lambda name=name: client.fork(name, "another", key="fork"))
    assert client.set_id("c", "b", key="to b") in {"b", "c"}
    assert client.get("c") is not None


def test_a_new_id_is_given_once(client):
    client.set_id("a", "b", key="k")
    client.set_id("b", "c")
    assert client.set_id("c", "b", key="other") == "b"
    client.set_id("b", "c")
    assert client.set_id("c", "b", key="k") == "c"


def test_an_undo_keeps_the_keys_and_a_fork_has_its_own(client):
    client.append("a", "user", "two", key="two")
    client.set_id("a", "b")
    client.undo("b", key="undo")
    assert client.append("b", "user", "one", key="one") == 2
    client.fork("b", "c")
    again = client.append("c", "user", "one", key="one")
    assert again > 2
    client.undo("c")
    client.undo("c")  # to before it was a fork: it is still another session
    assert client.append("c", "user", "one", key="one") > 2
    client.create(NewSession(id="d"))
    client.append("d", "user", "zero")
    client.append("d", "user", "one", key="one")
    client.append("d", "user", "two")
    client.fork("d", "e")
    client.undo("e")
    assert client.append("e", "user", "one", key="one") > 4
    assert client.check().whole


def test_what_was_done_under_a_key_is_not_done_again_after_it_was_taken_back(client):
    client.trash("a", key="trash")
    client.restore("a", key="restore")
    client.trash("a", key="trash")
    assert client.get("a").trashed_at is None
    client.trash("a")
    client.restore("a", key="restore")
    assert client.append("a", "user", "one", key="one") == 2
    assert client.get("a").trashed_at is not None
    client.restore("a")
    assert client.reset("a", key="epoch") == 2
    assert client.reset("a") == 3
    assert client.reset("a", key="epoch") == 2
    assert client.get("a").epoch == 3


def test_a_reset_that_erases_what_a_fork_shares_is_done_under_its_key_once(client):
    client.fork("a", "b")
    assert client.reset("a", erase=True, key="k") == 2
    assert client.reset("a", erase=True, key="k") == 2
    assert (client.get("a").epoch, texts(client, "b")) == (2, [])
    assert client.check().whole


def test_a_redaction_under_a_key_takes_nothing_that_came_since(client):
    def redact(text):
        return client.redact("a", Selection(wanted=Pattern(text)), pattern=text, key="k")

    first = redact("one")
    assert first.events == (2,)
    client.append("a", "user", "one again")
    assert redact("one").events == (2,)
    assert texts(client, "a") == ["one again"]
    refused(lambda: redact("again"))


def test_an_undo_is_answered_as_the_first_time(client):
    for text in ("two", "three", "four"):
        client.append("a", "user", text)
    first = client.undo("a", key="k")
    client.append("a", "user", "five")
    client.undo("a")
    assert client.undo("a", key="k") == first
    client.set_id("a", "b")
    assert (client.undo("b", key="k").kept, texts(client, "b")) == (first.kept, ["one", "two", "three"])
