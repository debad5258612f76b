"""A flow that was edited between two runs: what is said, where the session goes on, and that nothing is lost."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from retoma.errors import Invalid
from retoma.model.fold import fold
from retoma.runtime.drive import Request

START = "---\ntype: question\nsave_to: name\nto: second\n---\nWho?\n"
SECOND = (
    "---\nid: ask-colour\ntype: question\nsave_to: colour\nto: end\n---\nHello {{ .name }}, which colour?\n"
)
END = "Bye {{ .name }}, {{ .colour }}.\n"


@pytest.fixture
def flow(client, make_flow):
    """A flow that a session stands in, at `second`."""
    directory = make_flow(start=START, second=SECOND, end=END)
    with client.drive(Request(directory=directory, session="s")) as drive:
        drive.send("Ana")
    return directory


@pytest.fixture
def resumed(client, flow):
    """Take the session up, see that journal and rows agree, and return the drive (closed)."""

    def go(**more):
        with client.drive(Request(directory=flow, session="s", **more)) as drive:
            assert drive.resumed
        rows, folded = client.position("s"), fold(client.events("s"))
        assert folded.state == rows.position.context
        assert folded.history == rows.history == drive.history
        assert folded.flow_status == rows.session.flow_status == drive.position.status
        assert rows.position == drive.position
        assert rows.session.flow_visits == len(rows.history)
        return drive

    return go


def finish(client, flow, said, **more):
    with client.drive(Request(directory=flow, session="s", **more)) as drive:
        drive.send("green")
        assert (drive.over, drive.shown[-1].content) == (True, said)


def versions(client):
    return [event.value() for event in client.events("s") if event.type == "flow.version"]


def test_nothing_is_said_when_nothing_changed(client, flow, resumed):
    assert resumed().notices == []
    assert versions(client) == []


def test_an_edited_text_is_shown_at_the_same_node(client, flow, resumed):
    (flow / "second.md").write_text(SECOND.replace("Hello", "Dear"))
    drive = resumed()
    assert drive.notices == [
        "The flow was edited since the last run; the session continues with the new version."
    ]
    assert [visit.content for visit in drive.shown] == ["Dear Ana, which colour?"]
    assert drive.history == ["start", "second"]
    assert [data["version"] for data in versions(client)] == [drive.flow.version]
    assert resumed().notices == []
    finish(client, flow, "Bye Ana, green.")


def test_a_node_that_is_gone_leads_back_to_the_entry(client, flow, resumed):
    (flow / "second.md").unlink()
    (flow / "start.md").write_text(START.replace("second", "end"))
    drive = resumed()
    gone = "its node 'second' no longer exists: back to 'start', with the data collected so far."
    assert drive.notices == [f"The flow was edited since the last run, and {gone}"]
    assert (drive.history, drive.position.context) == (["start", "second", "start"], {"name": "Ana"})
    assert [visit.content for visit in drive.shown] == ["Who?"]
    assert drive.position.ans == "Ana"
    with client.drive(Request(directory=flow, session="s")) as drive:
        drive.send("Eva")
        assert drive.over


def test_a_node_whose_file_moved_is_the_same_by_its_alias(client, flow, resumed):
    (flow / "asking").mkdir()
    (flow / "second.md").rename(flow / "asking/colour.md")
    (flow / "start.md").write_text(START.replace("second", "ask-colour"))
    drive = resumed()
    assert drive.notices[0].endswith("Its node 'second' is 'asking/colour' now.")
    assert drive.history == ["start", "asking/colour"]
    assert versions(client)[0]["node"] == "asking/colour"
    finish(client, flow, "Bye Ana, green.")


def test_a_node_whose_alias_is_its_old_id_is_the_same(client, flow, resumed):
    (flow / "second.md").rename(flow / "colour.md")
    (flow / "colour.md").write_text(SECOND.replace("ask-colour", "second"))
    assert resumed().history == ["start", "colour"]


def test_a_mistake_is_said_with_its_place_and_the_stored_version_goes_on(client, flow, resumed):
    (flow / "end.md").write_text("Bye\n{{ .name ")
    drive = resumed()
    [notice] = drive.notices
    assert notice.splitlines() == [
        "The flow 'flow' has one problem:",
        "end.md:2: This {{ is not closed. End it with }}, within 4,000 characters.",
        "The session continues with the version it has.",
    ]
    assert drive.shown[0].content == "Hello Ana, which colour?"
    (flow / "second.md").write_text("---\ntype: [question\n---\n")
    assert "second.md:3" in resumed().notices[0]
    (flow / "second.md").write_text(SECOND.replace("to: end", "to: nowhere"))
    assert "second.md:5: 'to' leads to 'nowhere'" in resumed().notices[0]
    assert versions(client) == []
    (flow / "second.md").write_text(SECOND)
    (flow / "end.md").write_text(END.replace("Bye", "Farewell"))
    assert "new version" in resumed().notices[0]
    finish(client, flow, "Farewell Ana, green.")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("required_context: [token]", "The node 'second' needs 'token' in the context."),
        (
            "context_schema: {name: int}",
            "At the node 'second' the context is not valid: 'name' must be int, not string",
        ),
    ],
)
def test_what_the_context_does_not_meet_keeps_the_stored_version(client, flow, resumed, head, said):
    (flow / "second.md").write_text(SECOND.replace("---\n", f"---\n{head}\n", 1).replace("Hello", "Dear"))
    drive = resumed()
    assert drive.notices[0].startswith(f"The flow was edited since the last run. {said}")
    assert "--context" not in drive.notices[0]  # it is for a start
    assert drive.notices[0].endswith("The session continues with the version it has.")
    assert drive.shown[0].content == "Hello Ana, which colour?"
    assert versions(client) == []
    (flow / "second.md").write_text(SECOND.replace("Hello", "Dear"))
    assert resumed().shown[0].content == "Dear Ana, which colour?"


def test_an_entry_that_needs_more_keeps_the_stored_version_when_the_node_is_gone(client, flow, resumed):
    (flow / "second.md").unlink()
    (flow / "start.md").write_text("---\nrequired_context: [token]\nwait: true\n---\nNew\n")
    drive = resumed()
    assert "needs 'token'" in drive.notices[0]
    assert (drive.position.node, drive.history) == ("second", ["start", "second"])


def test_a_node_that_cannot_be_shown_keeps_the_stored_version(client, flow, resumed):
    (flow / "second.md").write_text(SECOND.replace("Hello", "{{ lt .name 1 }}"))
    assert "Its node 'second' cannot be shown: lt cannot compare" in resumed().notices[0]


def test_a_missing_directory_goes_on_with_the_stored_version(client, flow, resumed, tmp_path):
    shutil.move(flow, tmp_path / "away")
    drive = resumed()
    assert drive.notices[0].startswith("There is no flow at ")
    assert drive.notices[0].endswith("The session continues with the version it has.")
    shutil.move(tmp_path / "away", flow)
    assert resumed().notices == []
    finish(client, flow, "Bye Ana, green.")


def test_pinned_goes_on_with_the_version_it_has(client, flow, resumed):
    (flow / "second.md").write_text(SECOND.replace("Hello", "Dear"))
    (flow / "end.md").write_text("New end\n")
    drive = resumed(pinned=True)
    assert drive.notices == [
        "The flow was edited since the last run. The session continues with the version it has."
    ]
    assert (drive.shown[0].content, versions(client)) == ("Hello Ana, which colour?", [])
    (flow / "second.md").unlink()
    assert len(resumed(pinned=True).notices) == 1
    finish(client, flow, "Bye Ana, green.", pinned=True)


def test_pinned_has_nothing_to_say_of_a_flow_that_is_the_same_or_new(client, flow, resumed, make_flow):
    assert resumed(pinned=True).notices == []
    new = Request(directory=make_flow("new", start="Hi\n"), session="n", pinned=True)
    with client.drive(new) as drive:
        assert drive.over


@pytest.mark.parametrize(
    ("text", "history", "shown", "status"),
    [
        ("---\nto: end\n---\nNo question.\n", ["start", "second", "end"], ["No question.", "Bye Ana, ."], "finished"),
        ("The end.\n", ["start", "second"], ["The end."], "finished"),
        ("---\ntransitions: [{to: end, condition: context.x}]\n---\nHm.\n", ["start", "second"], ["Hm."],
         "waiting_for_input"),
    ],
)  # fmt: skip
def test_a_node_that_waits_no_more_is_passed(client, flow, resumed, text, history, shown, status):
    (flow / "second.md").write_text(text)
    drive = resumed()
    assert (drive.history, [visit.content for visit in drive.shown]) == (history, shown)
    assert drive.position.status == status


def test_a_context_given_on_resume_is_said_to_be_unused(client, flow, resumed):
    drive = resumed(context={"name": "Eva"})
    assert drive.notices == ["--context works only when a flow starts: this session keeps its context."]
    assert drive.position.context == {"name": "Ana"}


def test_a_broken_flow_does_not_begin_anew(client, flow):
    (flow / "end.md").write_text("{{")
    with pytest.raises(Invalid, match=r"end\.md:1"):
        client.drive(Request(directory=flow, session="s", fresh=True))
    assert client.position("s").history == ["start", "second"]


def test_a_start_that_lacks_a_key_leaves_the_session_as_it_was(client, flow):
    (flow / "start.md").write_text("---\nrequired_context: [token]\n---\nHi\n")
    before = client.get("s")
    with client.drive(Request(directory=flow, session="s", fresh=True)) as drive:
        assert "needs 'token'" in drive.failure
    assert msgspec.structs.replace(client.get("s"), updated_at=0) == msgspec.structs.replace(
        before, updated_at=0
    )
