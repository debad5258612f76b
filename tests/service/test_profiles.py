"""What is said of a session can be said anew, in every state, and the journal says the same as the rows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.calls import Calls

from retoma.errors import Busy, Conflict, Invalid, NotFound, Refused
from retoma.model.changes import Changes, applied
from retoma.model.codec import encode
from retoma.model.event import CREATED, UPDATED
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.retention import SETTLED_MS, TRASH_KEPT_MS
from retoma.model.session import ARCHIVED, SHOWN, TRASHED, About, NewSession
from retoma.model.shapes import Tree
from retoma.runtime.drive import Request
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources


def listed(client, **asked):
    return [session.id for session in client.list([Listing(**asked)]).items]


def test_texts_labels_and_metadata_change_in_every_state(client):
    client.create(NewSession(id="s", title="Old", tags=("a", "b"), metadata={"k": 1, "gone": 2}))
    for status in ("active", "suspended", "completed"):
        if status != "active":
            client.change("s", status)
        changes = Changes(
            title=f"New {status}",
            description="At length",
            tag=("c",),
            untag=("a",),
            link=(("task", "7"), ("task", "8")),
            metadata={"k": {"deep": [1]}},
            forget=("gone", "absent"),
        )
        whole = client.update("s", changes)
        assert whole.session.title == f"New {status}"
        assert whole.about == client.show("s").about
        assert whole.about == About(
            description="At length",
            tags=("b", "c"),
            contexts=(("task", "7"), ("task", "8")),
            metadata={"k": {"deep": [1]}},
        )
    assert listed(client, tags=("c",)) == listed(client, contexts=(("task", "8"),)) == ["s"]
    assert listed(client, tags=("a",)) == []


def test_what_changes_nothing_is_not_journalled(client):
    client.create(NewSession(id="s", title="T", tags=("a",)))
    client.update("s", Changes(title="T", tag=("a",), untag=("x",), forget=("y",), pinned=False))
    assert [event.type for event in client.events("s")] == [CREATED]


def test_only_what_differs_is_journalled(client):
    client.create(NewSession(id="s", title="T", tags=("a",)))
    client.update("s", Changes(title="T", agent="ana", tag=("a", "b")))
    *_, event = client.events("s")
    assert (event.type, event.value()) == (UPDATED, {"set": {"agent": "ana"}, "tag": ["b"]})


def test_a_final_session_takes_no_new_agent_and_no_model(client):
    client.create(NewSession(id="s"))
    client.update("s", Changes(agent="one", model="m", thinking="verbose", channel="c"))
    assert client.get("s").thinking == "high"
    client.change("s", "completed")
    with pytest.raises(Refused, match="agent can no longer be changed"):
        client.update("s", Changes(agent="two"))
    client.update("s", Changes(agent="one", title="But a title"))


def test_what_cannot_be_is_refused(client):
    client.create(NewSession(id="s"))
    for changes in (
        Changes(title="x" * 201),
        Changes(description="x" * 4_001),
        Changes(thinking="much"),
        Changes(tag=("",)),
        Changes(link=(("task", "a\nb"),)),
        Changes(tag=("a",), untag=("a",)),
        Changes(link=(("task", "1"),), unlink=(("task", "1"),)),
        Changes(metadata={"k": 1}, forget=("k",)),
    ):
        with pytest.raises(Invalid):
            client.update("s", changes)
    with pytest.raises(NotFound):
        client.update("t", Changes(title="x"))


def test_pinned_sessions_come_first_in_every_list(client, clock):
    for name in ("a", "b", "c"):
        clock.now += 2_000
        client.create(NewSession(id=name, tags=("t",), contexts=(("k", "r"),)))
    client.update("a", Changes(pinned=True))
    for asked in ({}, {"tags": ("t",)}, {"contexts": (("k", "r"),)}, {"sort": "created"}):
        assert listed(client, **asked) == ["a", "c", "b"], asked
    client.update("b", Changes(tag=("later",)))
    client.update("b", Changes(pinned=True))
    assert listed(client, tags=("later",)) == ["b"]
    client.update("a", Changes(pinned=False))
    assert listed(client, tags=("t",))[0] == "b"
    assert listed(client, sort="id") == ["a", "b", "c"]


def test_archived_sessions_are_listed_apart_and_kept_whole(client):
    client.create(NewSession(id="s"))
    client.append("s", "user", "before")
    client.update("s", Changes(archived=True))
    assert (listed(client), listed(client, shelf=ARCHIVED)) == ([], ["s"])
    client.append("s", "user", "still")
    assert client.get("s").archived
    client.update("s", Changes(archived=False))
    assert listed(client) == ["s"]


def test_trash_hides_for_seven_days_and_restore_brings_back(client, clock):
    for name in ("s", "kept"):
        client.create(NewSession(id=name))
        client.append(name, "user", "words")
    client.trash("s")
    assert (listed(client), listed(client, shelf=TRASHED)) == (["kept"], ["s"])
    assert [m.text for m in client.messages("s")] == ["words"]
    for refused in (
        lambda: client.append("s", "user", "more"),
        lambda: client.change("s", "completed"),
        lambda: client.update("s", Changes(title="x")),
        lambda: client.note("s", "x"),
        lambda: client.reset("s"),
        lambda: client.set_id("s", "t"),
    ):
        with pytest.raises(Refused, match=r"in the trash.*restore s"):
            refused()
    client.restore("s")
    assert client.append("s", "user", "more")
    with pytest.raises(Refused, match="not in the trash"):
        client.restore("s")
    client.trash("s")
    clock.now += TRASH_KEPT_MS - SETTLED_MS - 1
    client.tidy()
    clock.now += SETTLED_MS  # a clock that jumped is believed at the second look
    client.tidy()
    assert client.get("s") is not None
    clock.now += 2
    client.tidy()
    assert client.get("s") is None
    assert client.get("kept") is not None


def test_another_id_keeps_the_history(client):
    client.create(NewSession(id="old"))
    client.append("old", "user", "said")
    client.create(NewSession(id="taken"))
    with pytest.raises(Conflict, match="already"):
        client.set_id("old", "taken")
    with pytest.raises(Invalid):
        client.set_id("old", "a/b")
    assert client.set_id("old", "new", key="once") == "new"
    assert client.set_id("old", "new", key="once") == "new"
    assert [m.text for m in client.messages("new")] == ["said"]
    assert client.get("old") is None
    client.create(NewSession(id="old"))
    assert client.messages("old") == []


def test_a_session_that_is_driven_keeps_its_id_and_stays_out_of_the_trash(client, make_flow):
    flow = make_flow(start="---\ntype: question\n---\nWho?\n")
    with client.drive(Request(directory=flow, session="s")) as drive:
        for refused in (lambda: client.set_id("s", "t"), lambda: client.trash("s")):
            with pytest.raises(Busy):
                refused()
        drive.send("me")


def test_notes_are_kept_in_order_and_in_every_state(client):
    client.create(NewSession(id="s"))
    client.note("s", "first", key="k")
    client.note("s", "first", key="k")
    client.change("s", "failed", reason="why")
    client.note("s", "second")
    assert [note.value()["text"] for note in client.notes("s")] == ["first", "second"]


def test_a_key_makes_a_change_once(client):
    client.create(NewSession(id="s"))
    client.update("s", Changes(title="one"), key="k")
    client.update("s", Changes(title="two"))
    assert client.update("s", Changes(title="one"), key="k").session.title == "two"
    with pytest.raises(Conflict):
        client.update("s", Changes(title="three"), key="k")


def test_a_tree_has_parents_before_children(client):
    client.create(NewSession(id="root"))
    for name, parent in (("a", "root"), ("b", "root"), ("a1", "a")):
        client.create(NewSession(id=name, parent=parent))
    client.update("b", Changes(archived=True))
    assert sorted((depth, one.id) for depth, one in client.tree("root")) == [
        (0, "root"), (1, "a"), (1, "b"), (2, "a1"),
    ]  # fmt: skip
    client.delete("a")
    assert client.get("a1").parent is None
    assert [one.id for _, one in client.tree("root")] == ["root", "b"]


def test_a_tree_is_no_deeper_than_its_json_can_be_read(client):
    for n in range(150):
        client.create(NewSession(id=f"s{n}", parent=f"s{n - 1}" if n else None))
    found = client.tree("s0")
    assert [depth for depth, _ in found] == list(range(101))
    json.loads(encode(Tree.above(found, 0)))


def test_a_key_whose_session_is_deleted_says_so(client):
    client.create(NewSession(id="s"), key="k")
    assert client.create(NewSession(id="s"), key="k") == "s"
    client.set_id("s", "t")
    assert client.create(NewSession(id="s"), key="k") == "t"
    client.delete("t")
    with pytest.raises(NotFound, match="deleted"):
        client.create(NewSession(id="s"), key="k")


names = st.sampled_from(["a", "b", "ç", "漢"])
texts = st.none() | st.sampled_from(["", "x", "é"])
changes = st.builds(
    Changes,
    title=texts,
    description=texts,
    agent=texts,
    pinned=st.none() | st.booleans(),
    archived=st.none() | st.booleans(),
    tag=st.lists(names, max_size=2).map(tuple),
    link=st.lists(st.tuples(names, names), max_size=2).map(tuple),
    unlink=st.lists(st.tuples(names, names), max_size=2).map(tuple),
    metadata=st.dictionaries(names, st.integers() | st.none() | st.lists(names)),
    forget=st.lists(names, max_size=1).map(tuple),
).filter(lambda one: not set(one.link) & set(one.unlink) and not set(one.metadata) & set(one.forget))


@given(st.lists(changes, max_size=6))
def test_the_journal_says_what_the_rows_say(deeds):
    clock = Clock()
    store = SqliteStore(None, now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        client.create(NewSession(id="s"))
        session, about = client.show("s").session, client.show("s").about
        for deed in deeds:
            client.update("s", deed)
        for event in client.events("s"):
            if event.type == UPDATED:
                session, about = applied(session, about, event.value())
        whole = client.show("s")
        assert about == whole.about
        same = ("title", "agent", "pinned", "archived")
        assert [getattr(session, name) for name in same] == [getattr(whole.session, name) for name in same]
        shelf = ARCHIVED if session.archived else SHOWN
        for tag in about.tags:
            assert listed(client, tags=(tag,), shelf=shelf) == ["s"]
