"""A fork shares the past of its session, and is a session of its own from then on."""

from __future__ import annotations

import pytest
from tests.calls import Calls
from tests.service.branching import FLOW, client, say, talk, texts, whole
from tests.service.test_tools import Fake, done, failed, through

from retoma.errors import Conflict, Invalid, Limit, NotFound, Refused
from retoma.model.changes import Changes
from retoma.model.principal import Principal
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.service.access import Limits
from retoma.stores.contract.store import Listing

__all__ = ["client"]


def test_a_fork_goes_its_own_way(client):
    talk(client, "one", "a", "b", "c")
    made = client.fork("one", "two")
    assert (made.id, made.of, made.seq) == ("two", "one", 4)
    say(client, "two", "d")
    say(client, "one", "x")
    assert (texts(client, "one"), texts(client, "two")) == (["a", "b", "c", "x"], ["a", "b", "c", "d"])
    row = client.get("two")
    assert (row.status, row.messages, row.fork_of, row.fork_seq, row.seq) == ("active", 4, "one", 4, 7)
    assert [event.seq for event in client.events("two")] == list(range(1, 8))
    assert [message.text for message in client.messages("two", last=2)] == ["c", "d"]
    assert [message.text for message in client.messages("two", since=2)] == ["b", "c", "d"]
    whole(client)


@pytest.mark.parametrize("at", range(1, 8))
def test_a_fork_may_begin_at_every_event(client, at):
    talk(client, "one", "a", "b")
    client.fork("one", "two")
    say(client, "two", "c", "d")
    made = client.fork("two", "three", at=at)
    say(client, "three", "z")
    assert texts(client, "three") == [*"abcd"[: max(0, at - 1 if at < 4 else 2 if at < 6 else at - 3)], "z"]
    # What only says that it is a fork is not shared: the past is the first session's then.
    assert (made.of, made.seq) == (("one", min(at, 3)) if at < 6 else ("two", at))
    whole(client)


def test_a_fork_of_a_fork_in_which_nothing_happened_makes_no_line_longer(client):
    talk(client, "n0", "a")
    for n in range(1, 20):
        client.fork(f"n{n - 1}", f"n{n}")
    line = client._store.read(lambda tx: tx.branches.inherited(tx.sessions.key(1, "n19")))
    assert [(first, last) for first, last, _ in line] == [(1, 2)]


def test_without_an_id_one_is_made_of_the_title(client):
    talk(client, "one", title="The long way")
    made = client.fork("one").id
    assert made.startswith("the-long-way-")
    assert client.get(made).title == "The long way"
    assert client.fork(made).id.startswith("the-long-way-")


@pytest.mark.parametrize("to", ["suspended", "completed", "failed"])
def test_a_fork_is_active_whatever_its_session_is(client, to):
    talk(client, "one", "a")
    client.update("one", Changes(pinned=True, archived=True))
    client.change("one", to, reason="why")
    client.fork("one", "two")
    row = client.get("two")
    assert (row.status, row.reason, row.pinned, row.archived) == ("active", "", False, False)
    say(client, "two", "b")
    assert client.get("one").status == to
    whole(client)


def test_what_was_said_of_it_is_as_it_was_at_that_event(client):
    talk(client, "one", title="First", tags=("a",), contexts=(("k", "1"),), metadata={"m": 1}, agent="x")
    client.note("one", "early")
    now = client.get("one").seq
    client.update("one", Changes(title="Second", tag=("b",), untag=("a",), metadata={"m": 2}, agent="y"))
    client.update("one", Changes(unlink=(("k", "1"),), description="long"))
    client.note("one", "late")
    client.fork("one", "then", at=now)
    client.fork("one", "now")
    for name, title, agent, tags, contexts, description, metadata, notes in (
        ("then", "First", "x", ("a",), (("k", "1"),), "", {"m": 1}, ["early"]),
        ("now", "Second", "y", ("b",), (), "long", {"m": 2}, ["early", "late"]),
    ):
        shown = client.show(name)
        assert (shown.session.title, shown.session.agent) == (title, agent)
        assert shown.about.tags == tags
        assert shown.about.contexts == contexts
        assert (shown.about.description, shown.about.metadata) == (description, metadata)
        assert [note.value()["text"] for note in client.notes(name)] == notes
    assert sorted(one.id for one in client.list([Listing(tags=("b",))]).items) == ["now", "one"]
    whole(client)


def test_a_fork_does_not_expire_and_has_no_parent(client):
    talk(client, "top")
    talk(client, "one", "a", parent="top", ttl_ms=60_000)
    client.fork("one", "two")
    assert (client.get("two").expires_at, client.get("two").parent) == (None, None)


def test_a_flow_goes_on_at_the_node_of_the_fork(client, make_flow):
    flow = make_flow(**FLOW)
    with client.drive(Request(directory=flow, session="one")) as drive:
        drive.send("left")
        drive.send("right")
    assert client.get("one").status == "completed"
    inputs = [event.seq for event in client.events("one") if event.type == "flow.input"]
    for name, at, node, history in (
        ("first", inputs[0] - 1, "start", ["start"]),
        ("amid", inputs[0], "said", ["start", "said"]),  # an input without its step is no place to stand
        ("second", inputs[1] - 1, "said", ["start", "said"]),
    ):
        client.fork("one", name, at=at)
        at_node = client.position(name)
        assert (at_node.position.node, at_node.history, at_node.position.visits) == (
            node,
            history,
            len(history),
        )
        with client.drive(Request(directory=flow, session=name)) as drive:
            assert drive.resumed
            while not drive.over:
                drive.send("straight")
        assert client.get(name).status == "completed"
    assert texts(client, "second")[-1] == "Bye, left and straight.\n".strip()
    whole(client)


def test_a_session_that_is_driven_is_forked_all_the_same(client, make_flow):
    with client.drive(Request(directory=make_flow(**FLOW), session="one")) as drive:
        client.fork("one", "two")
        drive.send("left")
        assert client.show("two").lease is None
    with client.drive(Request(directory=make_flow(**FLOW), session="two")) as drive:
        drive.send("right")
    assert client.position("one").position.context == {"word": "left"}
    assert client.position("two").position.context == {"word": "right"}
    whole(client)


def test_a_fork_in_an_earlier_epoch_is_in_that_epoch(client, make_flow):
    flow, other = make_flow("flow", **FLOW), make_flow("other", start="---\nwait: true\n---\nAnother.\n")
    with client.drive(Request(directory=flow, session="one")) as drive:
        drive.send("left")
    seq = client.get("one").seq
    client.drive(Request(directory=other, session="one", fresh=True)).close()
    client.fork("one", "old", at=seq)
    row = client.get("old")
    assert (row.epoch, row.flow, row.flow_node) == (1, "flow", "said")
    assert texts(client, "old")[-1] == "You said left. And now?"
    with client.drive(Request(directory=flow, session="old")) as drive:
        drive.send("right")
        assert drive.over
    with pytest.raises(Refused, match="another flow: flow"):
        client.fork("one", "not", at=seq)
        client.drive(Request(directory=other, session="not")).close()
    whole(client)


def test_a_forks_epoch_has_a_uid_of_its_own(client):
    talk(client, "one", "a")
    client.reset("one")
    client.fork("one", "two")
    epochs = client._store.read(
        lambda tx: [tx.transfers.epochs(tx.sessions.key(1, name)) for name in ("one", "two")]
    )
    (first, running), (shared, own) = epochs
    assert (shared.uid, own.reused) == (first.uid, True)
    assert own.uid != running.uid


@pytest.mark.parametrize("held", [True, False])
def test_a_fork_makes_the_call_that_its_session_waits_for_as_its_own(client, make_flow, held):
    directory = make_flow(
        start="---\ndo: {name: ring, args: {n: 1}}\nsave_to: bell\nto: end\n---\nRinging.\n",
        end="Rang {{ .bell }}.\n",
    )
    (directory / "tools.yaml").write_text("tools:\n- {name: ring, command: ring}\n")
    killed = Fake(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        through(client, directory, killed, session="one")
    before = client.position("one").position.call
    client.fork("one", "two", at=None if held else client.get("one").seq - 1)
    call = client.position("two").position.call
    assert (call.name, call.args, call.approved, call.attempt) == (before.name, before.args, "", 0)
    assert call.key != before.key
    whole(client)
    for name, key in (("two", call.key), ("one", before.key)):
        tools = Fake(done("ok"))
        assert through(client, directory, tools, session=name).over
        assert [made[-1] for made in tools.calls] == [key]
    assert texts(client, "two")[-1] == "Rang ok."
    whole(client)


def test_what_the_shared_past_did_is_undone_with_one_key(client, make_flow):
    directory = make_flow(
        start="---\ndo: {name: book}\nundo: {name: unbook}\nto: pay\n---\n",
        pay="---\ndo: {name: pay}\non_error: rollback\n---\n",
    )
    (directory / "tools.yaml").write_text(
        "tools:\n- {name: book, command: b}\n- {name: unbook, command: u}\n- {name: pay, command: p}\n"
    )
    with pytest.raises(KeyboardInterrupt):
        through(client, directory, Fake(done(), failed(), KeyboardInterrupt()), session="one")
    client.fork("one", "two")
    keys = []
    for name in ("one", "two"):
        tools = Fake(done())
        through(client, directory, tools, session=name)
        keys += [made[-1] for made in tools.calls]
        assert client.get(name).status == "failed"
    assert keys[0] == keys[1]
    whole(client)


# What is refused


def test_an_event_that_is_not_there_is_no_place_to_fork(client):
    talk(client, "one", "a")
    for at in (3, 99):
        with pytest.raises(Invalid, match="its last one is 2"):
            client.fork("one", "two", at=at)
    client.reset("one", erase=True)
    with pytest.raises(Invalid, match="Events 1 to 2 were erased"):
        client.fork("one", "two", at=2)


def test_a_fork_wants_a_free_id_and_room(client):
    talk(client, "one", "a")
    with pytest.raises(Conflict) as taken:
        client.fork("one", "one")
    assert taken.value.code == "id_taken"
    with pytest.raises(Invalid):
        client.fork("one", "a/b")
    with pytest.raises(NotFound):
        client.fork("nobody", "two")
    client.trash("one")
    with pytest.raises(Refused, match="in the trash"):
        client.fork("one", "two")
    client.restore("one")
    client._limits = Limits(sessions=1)
    with pytest.raises(Limit):
        client.fork("one", "two")


def test_the_same_key_forks_once(client):
    talk(client, "one", "a")
    made = client.fork("one", key="k")
    say(client, "one", "b")
    assert client.fork("one", key="k") == made
    with pytest.raises(Conflict) as other:
        client.fork("one", "two", key="k")
    assert other.value.code == "key_reused"
    client.delete(made.id)
    with pytest.raises(NotFound, match="was deleted"):
        client.fork("one", key="k")


def test_a_key_of_the_shared_past_is_free_in_a_fork(client):
    talk(client, "one")
    client.append("one", "user", "once", key="k")
    client.fork("one", "two")
    seq = client.append("two", "user", "again", key="k")
    assert client.append("two", "user", "again", key="k") == seq
    with pytest.raises(Conflict):
        client.append("two", "user", "other", key="k")
    assert (texts(client, "one"), texts(client, "two")) == (["once"], ["once", "again"])


# Who belongs to whom


def test_a_tree_has_children_and_forks_each_once(client):
    talk(client, "top", "a")
    talk(client, "child", parent="top")
    client.fork("top", "fork")
    say(client, "fork", "b")
    client.fork("fork", "deeper")
    talk(client, "of-fork", parent="fork")
    found = [(depth, one.id) for depth, one in client.tree("top")]
    assert found == [(0, "top"), (1, "child"), (1, "fork"), (2, "of-fork"), (2, "deeper")]
    assert [one.id for one in client.list([Listing(parent=client.get("top").key)]).items] == ["child"]
    client.update("fork", Changes(archived=True))
    assert len(client.tree("top")) == 5
    client.trash("fork")
    assert [one.id for _, one in client.tree("top")] == ["top", "child"]


def test_tenants_do_not_see_each_others_forks(client):
    talk(client, "one", "a")
    other = Calls(client._store, Principal(2, "eve"), sources=client._sources)
    with pytest.raises(NotFound):
        other.fork("one", "two")
    other.create(NewSession(id="one"))
    other.fork("one", "two")
    assert client.get("two") is None
    assert client.forks("one") == []
    assert other.get("two").fork_of == "one"
