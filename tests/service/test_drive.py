"""A flow under a lease: resumed at the same point, fenced, never asked twice."""

from __future__ import annotations

import msgspec
import pytest
from tests.calls import Calls

from retoma.errors import Busy, Conflict, Invalid, Limit, Refused
from retoma.model.changes import Changes
from retoma.model.fold import fold
from retoma.model.lease import LEASE_TTL_MS, Holder
from retoma.model.limits import Limits
from retoma.model.session import NewSession
from retoma.runtime import lease as leasing
from retoma.runtime.drive import Drive, Request
from retoma.runtime.process import this_holder
from retoma.service import sessions
from retoma.stores.conformance.store import Clock

START = "---\ntype: question\nsave_to: name\nto: second\n---\nWho?\n"
SECOND = "---\ntype: question\nsave_to: colour\nto: end\n---\nHello {{ .name }}, which colour?\n"
END = "Bye {{ .name }}, {{ .colour }}.\n"


@pytest.fixture
def flow(make_flow):
    return make_flow(start=START, second=SECOND, end=END)


def elsewhere(client, request, pid=1) -> Drive:
    """Drive as a process of another machine, whose life cannot be known here."""
    return Drive(
        client._store,
        client._who,
        Holder("other", "boot", pid, 1, "retoma run"),
        client._sources.now,
        client._sources.random,
        request,
    )


def test_a_resume_shows_the_same_node_with_its_context(client, flow):
    request = Request(directory=flow, session="s")
    with client.drive(request) as first:
        assert [visit.content for visit in first.shown] == ["Who?"]
        first.send("Ana")
        shown, prompt = first.shown, first.prompt
    with client.drive(request) as again:
        assert again.resumed
        assert (again.shown[0].content, again.prompt) == (shown[0].content, prompt)
        assert again.history == ["start", "second"]
        assert again.position.context == {"name": "Ana"}
        assert again.position.ans == "Ana"
        again.send("green")
        assert again.over
    session = client.get("s")
    assert (session.status, session.flow_status, session.flow_node) == ("completed", "finished", "end")


def test_a_finished_session_says_so_and_fresh_begins_an_epoch(client, flow):
    request = Request(directory=flow, session="s")
    with client.drive(request) as drive:
        drive.send("Ana")
        drive.send("green")
    with client.drive(request) as over:
        assert over.over
        assert (over.final, over.position.node) == ("completed", "end")
        assert [visit.content for visit in over.shown] == ["Bye Ana, green."]
    with client.drive(msgspec.structs.replace(request, fresh=True)) as fresh:
        assert fresh.history == ["start"]
        assert fresh.position.context == {}
    session = client.get("s")
    assert (session.epoch, session.status) == (2, "active")
    said = [message.text for message in client.messages("s", epochs=True)]
    assert said[:5] == ["Who?", "Ana", "Hello Ana, which colour?", "green", "Bye Ana, green."]
    assert [message.text for message in client.messages("s")] == ["Who?"]


NEEDS = "---\nrequired_context: [user]\nwait: true\n---\nHello {{ .user }}\n"


def test_a_flow_that_cannot_begin_changes_no_session(client, flow, make_flow):
    needs = make_flow(name="needs", start=NEEDS)
    request = Request(directory=flow, session="s")
    with client.drive(request) as drive:
        drive.send("Ana")
        drive.send("green")
    client.create(NewSession(id="empty"))
    before = client.get("s"), client.get("empty")
    for session, fresh in (("s", True), ("empty", False), ("new", False)):
        with client.drive(Request(directory=needs, session=session, fresh=fresh)) as drive:
            assert "needs 'user'" in drive.failure
    assert (client.get("s"), client.get("empty"), client.get("new")) == (*before, None)


def test_a_context_that_is_too_large_changes_no_session(client, flow):
    large = {"a": "x" * (1 << 20)}
    with client.drive(Request(directory=flow, session="s")):
        pass
    before = client.get("s")
    for session, fresh in (("s", True), ("new", False)):
        with pytest.raises(Invalid, match="This step of a flow has"):
            client.drive(Request(directory=flow, session=session, fresh=fresh, context=large))
    assert (client.get("s"), client.get("new")) == (before, None)


def test_two_that_begin_one_new_session_at_once_are_told_of_each_other(client, flow, monkeypatch):
    request = Request(directory=flow, session="s")
    with elsewhere(client, request, pid=42):
        look, seen = sessions.get, []

        def first_nothing(tx, who, session):
            seen.append(session)
            return look(tx, who, session) if len(seen) > 1 else None

        monkeypatch.setattr(sessions, "get", first_nothing)
        with pytest.raises(Busy, match="process 42"):
            client.drive(request)


def test_a_second_driver_is_told_who_holds_it(client, flow):
    request = Request(directory=flow, session="s")
    with elsewhere(client, request, pid=42), pytest.raises(Busy) as refused:
        client.drive(request)
    assert "process 42 on other (retoma run" in str(refused.value)
    assert refused.value.code == "busy"
    with client.drive(request) as drive:
        assert drive.resumed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "examples/tour"), "retoma run"),
        (("--store", "postgresql://ana:word@host/db", "--quiet", "run", "tour"), "retoma run"),
        (("--store=postgresql://ana:word@host/db", "run", "tour"), "retoma run"),
        ((), "retoma"),
    ],
)
def test_a_lease_names_the_verb_and_no_option(monkeypatch, words, said):
    monkeypatch.setattr("sys.argv", ["/usr/bin/retoma", *words])
    assert this_holder("ana").command == said


def test_a_holder_whose_process_is_gone_is_taken_over_at_once(client, flow, monkeypatch):
    request = Request(directory=flow, session="s")
    lost = elsewhere(client, request)
    monkeypatch.setattr(leasing, "is_gone", lambda holder: holder.host == "other")
    with client.drive(request) as drive:
        drive.send("Ana")
        with pytest.raises(Busy, match="taken over"):
            lost.send("Eva")
    assert client.position("s").position.context == {"name": "Ana"}
    lost.close()


def test_a_holder_that_wakes_after_its_term_is_fenced_only_when_somebody_took_it(client, flow, clock: Clock):
    request = Request(directory=flow, session="s")
    sleeper = elsewhere(client, request)
    clock.now += LEASE_TTL_MS + 1
    sleeper.send("Ana")  # nobody came: it is still its own
    clock.now += LEASE_TTL_MS + 1
    with client.drive(request), pytest.raises(Busy, match="taken over"):
        sleeper.send("green")
    sleeper.close()
    assert client.position("s").history == ["start", "second"]


def test_what_pauses_or_ends_a_session_stops_its_driver_at_the_next_step(client, flow):
    with client.drive(Request(directory=flow, session="s")) as drive:
        client.change("s", "suspended")
        with pytest.raises(Refused, match="suspended"):
            drive.send("Ana")
        client.change("s", "completed")
        with pytest.raises(Refused, match="completed"):
            drive.send("Ana")
    assert client.position("s").history == ["start"]


def test_a_write_beside_the_driver_is_refused_and_one_that_slipped_in_is_noticed(client, flow):
    with client.drive(Request(directory=flow, session="s")) as drive:
        with pytest.raises(Busy):
            client.append("s", "user", "from beside")
        client.change("s", "suspended")
        client.change("s", "active")
        with pytest.raises(Conflict, match="Another process wrote to it"):
            drive.send("Ana")


def test_labels_and_notes_beside_the_driver_do_not_disturb_it(client, flow):
    with client.drive(Request(directory=flow, session="s")) as drive:
        client.update("s", Changes(title="T", tag=("a",), link=(("task", "1"),), pinned=True, archived=True))
        client.update("s", Changes(agent="a", metadata={"k": 1}))
        drive.send("Ana")
        client.note("s", "Waits.")
        drive.send("blue")
        assert drive.over
    position, folded = client.position("s").position, fold(client.events("s"))
    assert folded.state == position.context == {"name": "Ana", "colour": "blue"}
    steps = [event for event in client.events("s") if event.type == "flow.step"]
    assert [event.cause for event in steps] == [None, 6, 9]


def test_a_paused_session_is_taken_up_only_on_request(client, flow):
    request = Request(directory=flow, session="s")
    client.drive(request).close()
    client.change("s", "suspended")
    with pytest.raises(Refused, match="suspended"):
        client.drive(request)
    with client.drive(msgspec.structs.replace(request, resume=True)) as drive:
        assert drive.resumed


def test_a_session_without_a_flow_takes_one(client, flow):
    client.create(NewSession(id="s", title="mine"))
    with client.drive(Request(directory=flow, session="s")) as drive:
        assert not drive.resumed
    assert client.get("s").title == "mine"


def test_another_flow_is_refused_the_same_files_elsewhere_are_not(client, flow, make_flow):
    with client.drive(Request(directory=flow, session="s")) as drive:
        drive.send("Ana")
    moved = make_flow("moved", start=START, second=SECOND, end=END)
    with client.drive(Request(directory=moved, session="s")) as drive:
        assert drive.position.node == "second"
    with pytest.raises(Refused, match="another flow"):
        client.drive(Request(directory=make_flow("other", start="Hi\n"), session="s"))


def test_a_broken_flow_is_refused_for_a_new_session_and_leaves_none(client, make_flow):
    broken = make_flow(start="---\nto: nowhere\n---\nHi\n")
    with pytest.raises(Invalid, match=r"start\.md"):
        client.drive(Request(directory=broken, session="s"))
    assert client.get("s") is None


def test_a_flow_that_breaks_or_goes_is_resumed_as_it_was(client, flow):
    request = Request(directory=flow, session="s")
    with client.drive(request) as drive:
        drive.send("Ana")
    (flow / "end.md").write_text("{{ .name ")
    with client.drive(request) as drive:
        assert "end.md:1" in drive.notices[0]
        assert "the version it has" in drive.notices[0]
        assert drive.send("green").visits[-1].content == "Bye Ana, green."
    for file in flow.iterdir():
        file.unlink()
    flow.rmdir()
    with client.drive(request) as drive:
        assert drive.over


def test_an_edited_text_is_shown_and_a_node_that_is_gone_leads_back(client, flow):
    request = Request(directory=flow, session="s")
    with client.drive(request) as drive:
        drive.send("Ana")
    (flow / "second.md").write_text(SECOND.replace("Hello", "Dear"))
    with client.drive(request) as drive:
        assert drive.shown[0].content == "Dear Ana, which colour?"
        assert "edited" in drive.notices[0]
    (flow / "second.md").rename(flow / "other.md")
    (flow / "start.md").write_text(START.replace("second", "other"))
    with client.drive(request) as drive:
        assert "'second' no longer exists: back to 'start'" in drive.notices[-1]
        assert drive.position.node == "start"
        assert drive.position.context == {"name": "Ana"}


def test_a_loop_that_never_asks_fails_and_says_where(client, make_flow):
    always = "---\ntransitions: [{to: other, condition: input == ''}]\n---\nA\n"
    flow = make_flow(start=always, other="---\nto: start\n---\nB\n")
    with client.drive(Request(directory=flow, session="s")) as drive:
        assert "without waiting" in drive.failure
    assert client.get("s").status == "failed"


def test_an_input_that_is_too_large_changes_nothing(client, flow):
    with client.drive(Request(directory=flow, session="s")) as drive:
        with pytest.raises(Invalid, match="1 MiB"):
            drive.send("x" * (1 << 20))
        drive.send("Ana")
    assert client.position("s").history == ["start", "second"]


def test_a_session_that_a_run_makes_counts_towards_the_limits(client, flow):
    make_session = Request(directory=flow)
    limited = Calls(client._store, client._who, sources=client._sources, limits=Limits(sessions_active=1))
    with limited.drive(make_session) as first:
        with pytest.raises(Limit):
            limited.drive(make_session)
        with pytest.raises(Limit):
            limited.drive(Request(directory=flow, session="named"))
    with limited.drive(Request(directory=flow, session=first.session)) as again:
        assert again.resumed
    assert client.get("named") is None


def test_a_full_session_takes_no_message_and_no_step_but_ends_and_resets(client, flow):
    limits = Limits(events_per_session=6)
    limited = Calls(client._store, client._who, sources=client._sources, limits=limits)
    with limited.drive(Request(directory=flow, session="s")) as drive:
        drive.send("Ana")
        assert client.get("s").seq == 5
        with pytest.raises(Limit, match=r"has 5 events, and .* allows 6") as full:
            drive.send("green")
        assert (full.value.code, full.value.limit, full.value.value) == ("too_many_events", 6, 9)
        assert drive.position.node == "second"
    assert client.position("s").history == ["start", "second"]
    limited.append("s", "user", "one more")
    with pytest.raises(Limit):
        limited.append("s", "user", "too many")
    with client.drive(Request(directory=flow, session="s")) as drive:
        drive.send("green")
        assert drive.over
    limited.create(NewSession(id="t"))
    for n in range(5):
        limited.append("t", "user", str(n))
    assert limited.change("t", "completed") == ("active", "completed")
