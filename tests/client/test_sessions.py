"""Sessions as a program has them: made, found, taken up, labelled, ended, put away, carried."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import retoma
from retoma.stores.conformance.store import Clock

SAMPLES = Path(__file__).parents[1] / "samples"


def instant(clock: Clock) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=clock.now)


def test_a_session_is_what_was_said_when_it_was_made(client, clock):
    client.create("parent")
    made = client.create(
        "user-123-conversation",
        title="Generics",
        description="What <T> is for",
        agent="main",
        model="openai:gpt-5",
        thinking="normal",
        channel="slack:C042",
        parent="parent",
        tags=["docs", "a"],
        contexts={"repository": ["acme/site", "acme/api"], "task": "7"},
        metadata={"priority": 2, "nested": {"list": [1, None, True]}},
        ttl="5h",
    )
    for one in (made, client.get("user-123-conversation"), client.session("user-123-conversation")):
        assert (one.id, one.title, one.description, one.agent) == (
            "user-123-conversation", "Generics", "What <T> is for", "main",
        )  # fmt: skip
        assert (one.model, one.thinking, one.channel, one.parent) == (
            "openai:gpt-5", "medium", "slack:C042", "parent",
        )  # fmt: skip
        assert one.tags == ["a", "docs"]
        assert one.contexts == [("repository", "acme/api"), ("repository", "acme/site"), ("task", "7")]
        assert one.metadata == {"priority": 2, "nested": {"list": [1, None, True]}}
        assert (one.status, one.reason, one.epoch, one.head, one.message_count) == ("active", "", 1, 1, 0)
        assert one.created_at == one.updated_at == instant(clock)
        assert one.expires_at == instant(clock) + timedelta(hours=5)
        assert (one.driver, one.flow, one.trashed_at) == (None, None, None)
        assert not (one.pinned or one.archived or one.usage.tokens_in)
    copied = client.create("copy", contexts=made.contexts, tags=made.tags, ttl=timedelta(minutes=1))
    assert (copied.contexts, copied.tags) == (made.contexts, made.tags)


def test_create_wants_a_free_id_and_get_one_that_is_there(client, session):
    with pytest.raises(retoma.Conflict, match="'demo' already") as taken:
        client.create("demo")
    assert (taken.value.code, taken.value.session) == ("id_taken", "demo")
    assert client.get("nobody") is None
    for ask in (client.session, client.resume):
        with pytest.raises(retoma.NotFound, match="Did you mean 'demo'") as missing:
            ask("dmo")
        assert missing.value.nearest == ["demo"]
    with pytest.raises(retoma.Invalid, match="it has a slash"):
        client.create("a/b")
    with pytest.raises(retoma.NotFound):
        client.create("child", parent="nobody")
    assert client.create(title="Broken pager!").id.startswith("broken-pager-")


def test_one_text_is_not_taken_for_several(client, session):
    for call in (lambda: client.create(tags="docs"), lambda: client.list(tags="docs")):
        with pytest.raises(retoma.Invalid, match=r"Write \['docs'\]"):
            call()
    assert client.create("c", contexts={"task": "7"}).contexts == [("task", "7")]


@pytest.mark.parametrize("wrong", [5, None, ["x"], "a\0b", "\ud800"])
def test_what_is_no_text_is_not_stored_as_one(client, session, wrong):
    for call in (
        lambda: client.create(wrong or 5),
        lambda: client.create(title=wrong),
        lambda: client.create(metadata={"k": wrong} if wrong == "\ud800" else wrong or 5),
        lambda: client.list(agent=wrong or 5),
        lambda: client.list(sort=wrong),
        lambda: client.get(wrong),
        lambda: session.rename(wrong),
        lambda: session.tag("good", wrong),
        lambda: session.link({"task": ["7", wrong]}),
        lambda: session.pause(wrong),
        lambda: session.note(wrong),
        lambda: session.append("user", "x", sender=wrong),
        lambda: session.append("user", "x", key=wrong or 5),
        lambda: session.set_thinking(wrong),
    ):
        with pytest.raises(retoma.Invalid):
            call()
    assert (session.head, len(client.list())) == (1, 1)


def test_resume_takes_up_a_suspended_session_and_refuses_one_that_is_over(client, session):
    assert client.resume("demo").status == "active"
    session.pause("for the night")
    assert client.get("demo").status == "suspended"
    resumed = client.resume("demo")
    assert (resumed.status, resumed.reason) == ("active", "")
    session.trash()
    with pytest.raises(retoma.Refused, match="in the trash"):
        client.resume("demo")
    session.restore()
    session.end()
    with pytest.raises(retoma.Refused, match="is completed and cannot become active"):
        client.resume("demo")
    assert client.get("demo").status == "completed"


def test_get_or_create_makes_it_once_and_leaves_it_as_it_is(client):
    first = client.get_or_create("chat", title="First", tags=["a"])
    first.pause()
    again = client.get_or_create("chat", title="Second", tags=["b"])
    assert (again.title, again.tags, again.status) == ("First", ["a"], "suspended")
    assert [event.type for event in again.events()] == ["session.created", "session.status"]


def test_the_same_key_makes_a_session_once(client):
    first = client.create(title="T", key="k")
    assert client.create(title="T", key="k").id == first.id
    with pytest.raises(retoma.Conflict) as used:
        client.create(title="other", key="k")
    assert used.value.code == "key_reused"


def test_attributes_are_as_of_the_last_write_or_refresh(client, another, session):
    other = another("eva").session("demo")
    other.append("user", "unseen")
    other.rename("Another title")
    assert (session.title, session.head, session.message_count) == ("A demonstration", 1, 0)
    session.append("user", "mine")
    assert (session.head, session.message_count) == (4, 2)
    session.refresh()
    assert session.title == "Another title"
    other.refresh()
    session.tag("a")
    assert (session.tags, other.tags) == (["a"], [])
    assert session.updated_at == session.created_at
    client.delete("demo")
    with pytest.raises(retoma.NotFound):
        session.refresh()
    assert session.title == "Another title"


def test_the_time_of_the_last_write_is_known(session, clock):
    clock.now += 90_000
    session.append("user", "later")
    assert session.updated_at - session.created_at == timedelta(seconds=90)
    (message,) = session.messages()
    assert message.at == session.updated_at == instant(clock)


def test_a_life_and_what_is_refused_in_it(session):
    session.pause("waits")
    assert (session.status, session.reason) == ("suspended", "waits")
    with pytest.raises(retoma.Refused) as refused:
        session.append("user", "x")
    assert refused.value.status == "suspended"
    with pytest.raises(retoma.Refused):
        session.pause()
    session.resume()
    with pytest.raises(retoma.Conflict, match="3 events, not 1"):
        session.end(expect=1)
    with pytest.raises(retoma.Invalid, match="reason is empty"):
        session.fail(" ")
    session.fail("the export is empty", expect=session.head)
    assert (session.status, session.reason) == ("failed", "the export is empty")
    for write in (lambda: session.append("user", "x"), lambda: session.state.update({"k": 1}), session.end):
        with pytest.raises(retoma.Refused):
            write()
    session.note("Look again next week.")
    session.tag("old")
    assert session.reset() == 2
    assert (session.status, session.reason, session.epoch, session.tags) == ("active", "", 2, ["old"])


def test_a_reset_that_erases_leaves_nothing_of_before(session):
    session.append("user", "a secret")
    session.state["k"] = 1
    assert session.reset(erase=True) == 2
    assert session.messages(epochs=True) == []
    assert [event.type for event in session.events()] == ["session.reset"]
    assert session.state.copy() == {}


def test_what_is_said_of_a_session_is_said_anew(client, session):
    session.rename("T")
    session.describe("D")
    session.tag("a", "b")
    session.untag("a", "never")
    session.link({"task": ["7", "8"]})
    session.unlink([("task", "8")])
    session.set_metadata({"n": 1, "m": 2})
    session.set_metadata({"n": 3}, forget=["m"])
    session.set_agent("reviewer")
    session.set_model("local:small")
    session.set_thinking("high")
    session.set_channel("slack:C042")
    session.pin()
    session.archive()
    session.note("N")
    session.set_id("renamed")
    for one in (session, client.get("renamed")):
        assert (one.title, one.description, one.tags, one.contexts) == ("T", "D", ["b"], [("task", "7")])
        assert (one.metadata, one.agent, one.model) == ({"n": 3}, "reviewer", "local:small")
        assert (one.thinking, one.channel, one.pinned, one.archived) == ("high", "slack:C042", True, True)
        assert [(note.text, note.actor) for note in one.notes()] == [("N", "ana")]
    session.unpin()
    session.unarchive()
    assert not (session.pinned or session.archived)
    assert client.get("demo") is None
    with pytest.raises(retoma.Invalid, match="a datetime"):
        session.set_metadata({"at": datetime(2026, 1, 1, tzinfo=UTC)})


def test_lists_have_handles_that_are_whole(client, clock):
    for n in range(5):
        clock.now += 2_000
        client.create(f"s{n}", tags=["even"] if n % 2 == 0 else [], contexts={"n": str(n)}, metadata={"n": n})
    client.get("s4").pause()
    client.create("child", parent="s1")
    page = client.list(tags=["even"], total=True)
    assert [one.id for one in page] == ["s4", "s2", "s0"]
    assert [one.metadata["n"] for one in page.items] == [4, 2, 0]
    assert [one.contexts for one in page.items] == [[("n", "4")], [("n", "2")], [("n", "0")]]
    assert (len(page), page.more, page.next, page.total) == (3, False, None, 3)
    page.items[0].resume()
    assert [one.id for one in client.list(status="paused")] == []
    assert [one.id for one in client.list(parent="s1")] == ["child"]
    assert [one.id for one in client.list(contexts={"n": "3"})] == ["s3"]
    assert [one.id for one in client.list(since=timedelta(seconds=3))] == ["child", "s4", "s3"]
    assert [one.id for one in client.list(before=instant(clock) - timedelta(seconds=5), since="1h")] == [
        "s1",
        "s0",
    ]
    with pytest.raises(retoma.NotFound):
        client.list(parent="nobody")
    with pytest.raises(retoma.Invalid, match="1 to 1,000"):
        client.list(limit=0)
    with pytest.raises(retoma.Invalid, match="no time zone"):
        client.list(since=datetime(2026, 1, 1))  # noqa: DTZ001


def test_pages_go_on_where_the_one_before_ended(client):
    for n in range(7):
        client.create(f"s{n}")
    found, cursor = [], None
    while True:
        page = client.list(sort="id", limit=3, cursor=cursor)
        found += [one.id for one in page]
        cursor = page.next
        if not page.more:
            break
    assert found == [f"s{n}" for n in range(7)]
    with pytest.raises(retoma.Invalid, match="Invalid cursor"):
        client.list(cursor="nonsense")


def test_what_is_put_away_is_found_there_and_what_is_deleted_nowhere(client, session):
    session.archive()
    assert [len(client.list()), len(client.list(archived=True))] == [0, 1]
    session.unarchive()
    session.trash()
    assert [len(client.list()), len(client.list(deleted=True))] == [0, 1]
    assert session.trashed_at is not None
    with pytest.raises(retoma.Refused, match="in the trash"):
        session.append("user", "x")
    session.restore()
    client.delete("demo", key="rm")
    client.delete("demo", key="rm")
    with pytest.raises(retoma.NotFound):
        client.delete("demo")
    with pytest.raises(retoma.NotFound):
        session.append("user", "x")


def test_a_session_is_carried_to_another_id_and_proved(client, session, tmp_path):
    session.append("user", "Which rows fail?")
    session.state["month"] = 3
    file = tmp_path / "demo.jsonl"
    file.write_bytes(b"".join(client.export("demo", "jsonl")))
    assert client.import_(file).outcome == "unchanged"
    client.delete("demo")
    done = client.import_(io.BytesIO(file.read_bytes()), name="copy")
    assert (done.id, done.outcome, done.events) == ("copy", "imported", 3)
    copy = client.session("copy")
    assert [message.text for message in copy.messages()] == ["Which rows fail?"]
    assert copy.state.copy() == {"month": 3}
    assert client.check().whole
    with pytest.raises(FileNotFoundError):
        client.import_(tmp_path / "nothing")


def test_what_is_redacted_is_gone(client, session):
    session.append_many([("user", "My card is 4111 1111"), ("user", "Something else")])
    session.state["card"] = "4111 1111"
    assert session.redact(pattern="4111", dry_run=True).events == (2, 4)
    assert len(session.messages()) == 2
    assert session.redact(pattern="4111").keys == ("card",)
    assert [message.text for message in session.messages()] == ["Something else"]
    assert session.state.copy() == {"card": "[redacted]"}
    assert session.redact(first=3).events == (3,)
    assert [event.data for event in session.events(types="message")] == [None, None]
    assert client.check().whole
    with pytest.raises(retoma.Invalid, match="Give what to redact"):
        session.redact()


def test_a_call_without_an_id_means_the_current_session(client, another, session):
    assert client.current is None
    with pytest.raises(retoma.Invalid, match="no current session"):
        client.session()
    with session.use():
        assert client.session().id == client.resume().id == client.current.id == "demo"
        assert b"".join(client.export(format="md")).startswith(b"# A demonstration")
        with client.create("inner").use():
            assert client.session().id == "inner"
        assert client.session().id == "demo"
        other = another()
        assert other.current is None
        with pytest.raises(retoma.Invalid, match="to another client"):
            other.session()
    assert retoma.current.get() is None


def test_a_disconnected_handle_takes_no_calls_and_everything_stays(client, session):
    session.append("user", "kept")
    session.disconnect()
    session.disconnect()
    for call in (
        lambda: session.append("user", "x"),
        session.messages,
        session.state.copy,
        lambda: list(session.events()),
    ):
        with pytest.raises(retoma.Unavailable, match="was disconnected") as said:
            call()
        assert said.value.code == "disconnected"
    assert session.title == "A demonstration"
    with client.resume("demo") as resumed:
        assert [message.text for message in resumed.messages()] == ["kept"]
    with pytest.raises(retoma.Unavailable):
        resumed.refresh()


def test_a_closed_client_says_so(client, session):
    events = session.events()
    next(events)
    client.close()
    client.close()
    for call in (
        lambda: client.get("demo"),
        lambda: client.create("x"),
        lambda: session.append("user", "x"),
        session.state.copy,
        lambda: next(events),
    ):
        with pytest.raises(retoma.Unavailable, match="was closed") as closed:
            call()
        assert closed.value.code == "closed"
    assert session.id == "demo"


def test_another_tools_file_comes_in_once_with_what_was_met(client, tmp_path):
    file = SAMPLES / "trellis/sessions/pedido-001.json"
    arrived = client.import_from(file)
    assert (arrived.format, [one.imported.outcome for one in arrived.sessions]) == ("trellis", ["imported"])
    assert client.session("pedido-001").state["mesa"] == "4 & 5"
    assert client.import_from(str(file)).sessions[0].imported.added == 0
    with pytest.raises(retoma.Invalid):
        client.import_from(io.BytesIO(b"not an export format"))
