"""Hot reload: when a change counts, what a running session makes of it, and what is said."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retoma.errors import Invalid, NotFound, Refused
from retoma.flows import Directory, Flow, Unsettled, files
from retoma.model.fold import fold
from retoma.runtime import watch as watch_module
from retoma.runtime.drive import Request
from retoma.runtime.reload import Settling
from retoma.runtime.watch import Deaf, Told, Watch

START = "---\ntype: question\nsave_to: name\nto: second\n---\nWho?\n"
SECOND = "---\ntype: question\nsave_to: colour\nto: end\n---\nHello {{ .name }}, which colour?\n"
END = "Bye {{ .name }}, {{ .colour }}.\n"


@pytest.fixture
def flow(make_flow):
    return make_flow(start=START, second=SECOND, end=END)


@pytest.fixture
def drive(client, flow):
    """A session that stands at `second`, held."""
    with client.drive(Request(directory=flow, session="s")) as drive:
        drive.send("Ana")
        yield drive
    rows, folded = client.position("s"), fold(client.events("s"))
    assert folded.state == rows.position.context
    assert folded.history == rows.history == drive.history
    assert rows.position == drive.position


@pytest.fixture
def settling(flow, drive):
    return Settling(Directory(flow), drive.found)


def settled(settling):
    """Look twice; the first look never counts."""
    assert settling.look() is None
    return settling.look()


def versions(client):
    return [event.value()["version"] for event in client.events("s") if event.type == "flow.version"]


# When a change counts


def test_a_directory_at_rest_says_nothing(settling):
    assert [settling.look() for _ in range(4)] == [None] * 4
    assert not settling.restless


def test_a_change_counts_when_two_looks_agree(flow, settling):
    settled(settling)
    (flow / "end.md").write_text("One\n")
    assert settling.look() is None
    (flow / "end.md").write_text("Two\n")
    assert settling.look() is None
    assert settling.restless
    found = settling.look()
    assert found.nodes["end"].content == "Two"
    assert (settling.look(), settling.restless) == (None, False)


def test_a_change_before_the_first_look_is_seen(flow, drive):
    (flow / "end.md").write_text("Bye {{ .name }}, {{ .colour }}!\n")
    found = settled(Settling(Directory(flow), drive.found))
    assert found.nodes["end"].content.endswith("!")


def test_a_file_that_was_only_touched_is_no_change(flow, settling):
    settled(settling)
    os.utime(flow / "end.md")
    (flow / "second.md").write_text(SECOND)
    assert settled(settling) is None


def test_a_change_of_the_same_size_and_time_is_seen(flow, settling):
    settled(settling)
    before = (flow / "end.md").stat()
    (flow / "end.md").write_text(END.replace("Bye", "Hey"))
    os.utime(flow / "end.md", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert settled(settling).nodes["end"].content.startswith("Hey")


@pytest.mark.parametrize(
    "name",
    [
        ".retoma/x.md", ".git/HEAD.md", ".start.md.swp", ".#start.md", "#start.md#", "start.md~", "4913",
        "start.md___jb_tmp___", ".goutputstream-1", "README.md", "picture.png",
    ],
)  # fmt: skip
def test_what_is_no_node_is_not_watched(flow, settling, name):
    settled(settling)
    (flow / name).parent.mkdir(exist_ok=True)
    (flow / name).write_text("---\nbroken: [\n---\n")
    settling.look()
    assert not settling.restless


def test_a_file_that_is_away_for_a_moment_while_an_editor_saves_is_no_change(flow, settling):
    settled(settling)
    (flow / "second.md").rename(flow / "second.md~")
    assert settling.look() is None
    (flow / "second.md").write_text(SECOND)
    assert settled(settling) is None


def test_a_file_that_changes_while_it_is_read_is_waited_for(flow, settling, monkeypatch):
    settled(settling)
    (flow / "end.md").write_text("One\n")
    settling.look()
    load = Directory.load

    def written_meanwhile(self, seen):
        monkeypatch.setattr(Directory, "load", load)
        (flow / "end.md").write_text("Two\n")
        return load(self, seen)

    monkeypatch.setattr(Directory, "load", written_meanwhile)
    assert settling.look() is None
    assert settled(settling).nodes["end"].content == "Two"


def test_a_look_that_is_not_true_any_more_is_refused_and_leaves_what_was_read(flow):
    directory = Directory(flow)
    first = directory.load(directory.look())
    (flow / "end.md").write_text("Now\n")
    seen = directory.look()
    (flow / "end.md").unlink()
    with pytest.raises(Unsettled):
        directory.load(seen)
    (flow / "end.md").write_text(END)
    assert directory.load(directory.look()) == first


def test_only_what_changed_is_parsed_again(flow):
    directory = Directory(flow)
    first = directory.load(directory.look())
    (flow / "end.md").write_text("Now\n")
    again = directory.load(directory.look())
    assert [name for name in first.nodes if again.nodes[name] is first.nodes[name]] == ["second", "start"]
    assert again == Directory(flow).load(directory.look())


WRITTEN = {
    "start.md": [
        START,
        "\n" + START,
        START.replace("second", "end"),
        "---\nid: other\nto: end\n---\n{{ .pin }}",
    ],
    "second.md": [
        SECOND,
        SECOND.replace("to: end", "to: far"),
        "---\nto: second\n---\n",
        "---\nto: [\n---\n",
        None,
    ],
    "end.md": [
        END + "{{ .pin }}",
        f"{END}\n\n",
        f"\n{END}{{{{ .shoe }}}}",
        "---\nrequired_context: [shoe]\n---\n",
        None,
    ],
    "far.md": ["---\nto: start\nwait: true\n---\n", "---\nto: other\n---\n", "---\ntimeout: 5s\n---\n", None],
    "more.yaml": [
        "input_type: secret\nsave_to: pin\nto: start\n",
        "wait: true\nsave_to: pin\nto: start\n",
        "on_signal_default: {timeout: end}\n",
        None,
    ],
    "second.yaml": [None, None, "content: Two of them\n"],
}


def said(directory):
    """Return the flow in the directory, or what is wrong with it."""
    try:
        return directory.load(directory.look())
    except Invalid as error:
        return error.message, error.facts["problems"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(WRITTEN)), st.integers(0, 4)), min_size=1, max_size=12))
def test_what_is_said_of_an_edited_directory_is_what_is_said_of_a_new_one(edits):
    with TemporaryDirectory() as flow:
        watched = Directory(flow)
        for name, choice in [*((name, 0) for name in WRITTEN), *edits]:
            text, file = WRITTEN[name][choice % len(WRITTEN[name])], Path(flow, name)
            file.unlink(missing_ok=True) if text is None else file.write_text(text)
            assert said(watched) == said(Directory(flow))


ACTS = st.sampled_from(
    ["write", "touch", "remove", "replace", "move", "folder", "drop folder", "link", "hide"]
)
FILES = st.sampled_from(["start.md", "part/one.md", "part/two.yaml", "notes.txt", "tools.yaml", "part.md"])


def act(flow: Path, what: str, name: str) -> set[str]:
    """Do something to the directory; return the paths that a system would tell of."""
    file = flow / name
    folder = flow / "part"
    match what:
        case "write":
            file.parent.mkdir(exist_ok=True)
            file.unlink(missing_ok=True)
            file.write_text(f"---\nto: start\nwait: true\n---\n{time.time_ns()}\n")
        case "touch" if file.exists():
            os.utime(file, ns=(time.time_ns(), time.time_ns()))
        case "remove":
            file.unlink(missing_ok=True)
        case "replace" if file.parent.exists():
            (flow / "4913~").write_text("Beside.\n")
            (flow / "4913~").replace(file)
            return {name, "4913~"}
        case "move" if folder.exists() and not (flow / "moved").exists():
            folder.rename(flow / "moved")
            return {"part", "moved"}
        case "folder":
            folder.mkdir(exist_ok=True)
            return {"part"}
        case "drop folder" if folder.exists():
            gone = {str(path.relative_to(flow)) for path in folder.rglob("*")}
            shutil.rmtree(folder)
            return {"part", *gone}
        case "link" if file.parent.exists():
            file.unlink(missing_ok=True)
            file.symlink_to(flow / "start.md")
        case "hide":
            (flow / ".git").mkdir(exist_ok=True)
            (flow / ".git/x.md").write_text("No node.\n")
            return {".git", ".git/x.md"}
    return {name}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(ACTS, FILES), max_size=3), min_size=1, max_size=6))
def test_a_look_at_what_was_told_sees_what_a_look_at_everything_does(rounds):
    with TemporaryDirectory() as place:
        flow = Path(place)
        (flow / "start.md").write_text(START)
        watched = Directory(flow)
        watched.look()
        for acts in rounds:
            told = set().union(*(act(flow, what, name) for what, name in acts))
            assert watched.look(told) == Directory(flow).look()


def test_what_is_told_by_another_name_of_the_directory_is_looked_for_everywhere(flow, tmp_path):
    (tmp_path / "link").symlink_to(flow)
    watched = Directory(tmp_path / "link")
    before = watched.look()
    (flow / "end.md").write_text("Now\n")
    assert watched.look([str(flow / "end.md")]) == Directory(flow).look() != before


@pytest.mark.usefixtures("told")
def test_a_directory_that_is_a_link_is_watched(flow, drive, tmp_path):
    (tmp_path / "link").symlink_to(flow)
    with Watch(tmp_path / "link", drive.found, settled_s=0.001) as watch:
        (flow / "end.md").write_text("Now\n")
        os.read(watch.fileno(), 1)
        os.write(watch._writable, b"!")
        assert watch.take().nodes["end"].content == "Now"


def test_what_was_loaded_ahead_is_read_again(flow, drive, monkeypatch):
    """On a file system whose clock stands still a file can change and look the same."""
    monkeypatch.setattr(files, "_stamp", lambda status: (0, status.st_size, 0, 0))
    settling = Settling(Directory(flow), drive.found)
    settled(settling)
    (flow / "end.md").write_text("First\n")
    assert settling.glance(["end.md"])
    assert settling.prepare() is False
    (flow / "end.md").write_text("Other\n")
    assert settling.look(whole=False).nodes["end"].content == "Other"


def test_what_was_not_told_is_found_before_a_change_counts(flow, settling):
    settled(settling)
    (flow / "end.md").write_text("One\n")
    assert settling.glance(["end.md"])
    (flow / "second.md").write_text("---\nwait: true\nto: end\n---\nUntold.\n")
    assert settling.prepare() is True
    assert settling.prepare() is False
    found = settling.look(whole=False)
    assert (found.nodes["end"].content, found.nodes["second"].content) == ("One", "Untold.")


def test_what_is_wrong_is_said_of_what_was_loaded_ahead_too(flow, settling):
    settled(settling)
    (flow / "end.md").write_text("{{")
    settling.glance(["end.md"])
    settling.prepare()
    assert isinstance(settling.look(whole=False), Invalid)


def test_a_directory_that_goes_and_comes_back(flow, settling, tmp_path):
    settled(settling)
    shutil.move(flow, tmp_path / "away")
    assert isinstance(settled(settling), NotFound)
    assert settled(settling) is None
    shutil.move(tmp_path / "away", flow)
    assert isinstance(settled(settling), Flow)


@pytest.fixture(params=["told by the system", "looking"])
def told(request, monkeypatch):
    """With the library that asks the system, and without."""
    if request.param == "looking":
        monkeypatch.setitem(sys.modules, "watchfiles", None)


@pytest.mark.usefixtures("told")
def test_a_watch_hands_over_the_newest_change_once(flow, drive):
    with Watch(flow, drive.found, settled_s=0.001) as watch:
        assert watch.take() is None
        (flow / "end.md").write_text("Now\n")
        assert os.read(watch.fileno(), 1) == b"!"
        os.write(watch._writable, b"!")
        assert watch.ready
        assert watch.take().nodes["end"].content == "Now"
        assert (watch.take(), watch.ready) == (None, False)


@pytest.mark.usefixtures("told")
def test_a_directory_that_another_one_takes_the_place_of_is_watched_on(flow, drive, tmp_path):
    with Watch(flow, drive.found, settled_s=0.001) as watch:
        shutil.move(flow, tmp_path / "away")
        assert os.read(watch.fileno(), 1) == b"!"
        os.write(watch._writable, b"!")
        assert isinstance(watch.take(), NotFound)
        shutil.move(tmp_path / "away", flow)
        assert os.read(watch.fileno(), 1) == b"!"
        os.write(watch._writable, b"!")
        assert isinstance(watch.take(), Flow)


def test_other_files_that_are_written_without_a_pause_hold_nothing_up(flow, drive, monkeypatch):
    monkeypatch.setattr(Told, "wait", lambda self, seconds: {"busy.log"})
    monkeypatch.setattr(watch_module, "UNTOLD_S", 0.001)
    with Watch(flow, drive.found, settled_s=0.001) as watch:
        (flow / "end.md").write_text("Now\n")
        os.read(watch.fileno(), 1)
        os.write(watch._writable, b"!")
        assert watch.take().nodes["end"].content == "Now"


def test_a_watch_that_the_system_tells_no_more_looks_by_itself(flow, drive, monkeypatch):
    def fails(self, seconds):
        raise Deaf

    monkeypatch.setattr(Told, "wait", fails)
    with Watch(flow, drive.found, settled_s=0.001) as watch:
        (flow / "end.md").write_text("Now\n")
        os.read(watch.fileno(), 1)
        os.write(watch._writable, b"!")
        assert watch.take().nodes["end"].content == "Now"


def test_a_watch_that_breaks_says_so(flow, drive, monkeypatch):
    monkeypatch.setattr(Directory, "look", lambda self, told: 1 / 0)
    with Watch(flow, drive.found, settled_s=0.001) as watch:
        os.read(watch.fileno(), 1)
        os.write(watch._writable, b"!")
        with pytest.raises(ZeroDivisionError):
            watch.take()


# What a session makes of it


def reload(drive, settling):
    found = settled(settling)
    assert found is not None
    return drive.reload(found)


def test_an_edited_flow_is_taken_up_at_the_same_node(client, flow, drive, settling):
    (flow / "second.md").write_text(SECOND.replace("Hello", "Dear"))
    said = reload(drive, settling)
    assert said.sentence == "The flow was edited; the session continues with the new version."
    assert (said.taken, said.node, said.version) == (True, "second", drive.flow.version)
    assert [visit.content for visit in drive.shown] == ["Dear Ana, which colour?"]
    assert (drive.history, drive.position.context) == (["start", "second"], {"name": "Ana"})
    assert versions(client) == [said.version]
    drive.send("green")
    assert drive.shown[-1].content == "Bye Ana, green."


def test_each_version_that_was_used_is_kept(client, flow, drive, settling):
    for word in ("Dear", "Good day", "Dear"):
        (flow / "second.md").write_text(SECOND.replace("Hello", word))
        assert reload(drive, settling).taken
    used = [event.value()["version"] for event in client.events("s") if event.type == "flow.started"]
    used += versions(client)
    assert (len(used), len(set(used))) == (4, 3)
    for version in used:
        assert drive._versions.stored(bytes.fromhex(version)).version == version


def test_a_mistake_is_said_with_its_place_and_nothing_changes(client, flow, drive, settling):
    (flow / "end.md").write_text("Bye\n{{ .name ")
    said = reload(drive, settling)
    assert said.sentence.splitlines() == [
        "The flow 'flow' has one problem:",
        "end.md:2: This {{ is not closed. End it with }}, within 4,000 characters.",
        "The session continues with the version it has.",
    ]
    assert [(one.file, one.line) for one in said.problems] == [("end.md", 2)]
    assert (said.taken, drive.shown, versions(client)) == (False, (), [])
    (flow / "end.md").write_text(END)
    assert (
        reload(drive, settling).sentence == "The flow is now the same as the version that the session runs."
    )
    drive.send("green")
    assert drive.shown[-1].content == "Bye Ana, green."


def test_a_link_that_leads_out_is_refused(flow, drive, settling, tmp_path):
    (tmp_path / "outside.md").write_text("Secrets\n")
    (flow / "more.md").symlink_to(tmp_path / "outside.md")
    said = reload(drive, settling)
    assert "more.md:1: This link leads out of the flow's directory." in said.sentence
    assert not said.taken
    (tmp_path / "outside.md").write_text("Others\n")
    settling.look()
    assert not settling.restless  # what is outside is not even looked at


def test_a_node_that_is_gone_leads_back_to_the_entry(flow, drive, settling):
    (flow / "second.md").unlink()
    (flow / "start.md").write_text(START.replace("second", "end"))
    said = reload(drive, settling)
    gone = (
        "The flow was edited, and its node 'second' no longer exists: back to 'start', with the data "
        "collected so far."
    )
    assert (said.sentence, said.node) == (gone, "start")
    assert (drive.history, drive.position.context) == (["start", "second", "start"], {"name": "Ana"})
    assert [visit.content for visit in drive.shown] == ["Who?"]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("required_context: [token]", "The node 'second' needs 'token' in the context."),
        ("context_schema: {name: int}", "At the node 'second' the context is not valid: 'name' must be int"),
    ],
)
def test_what_the_context_does_not_meet_is_said(client, flow, drive, settling, head, said):
    (flow / "second.md").write_text(SECOND.replace("---\n", f"---\n{head}\n", 1))
    found = reload(drive, settling)
    assert found.sentence.startswith(f"The flow was edited. {said}")
    assert found.sentence.endswith("The session continues with the version it has.")
    assert (found.taken, versions(client)) == (False, [])
    drive.send("green")
    assert drive.over


@pytest.mark.parametrize("gone", [True, False])
def test_an_edit_that_would_fail_the_session_at_once_is_not_taken_up(flow, drive, settling, gone):
    if gone:
        (flow / "second.md").unlink()
        (flow / "start.md").write_text("---\nwait: true\n---\n{{ lt .name 1 }}\n")
    else:
        (flow / "second.md").write_text("---\nto: end\n---\nOn we go.\n")
        (flow / "end.md").write_text("---\nrequired_context: [token]\n---\nBye\n")
    said = reload(drive, settling)
    assert (said.taken, said.node, drive.failure) == (False, "second", "")
    assert "lt cannot compare" in said.sentence or "needs 'token'" in said.sentence
    assert "--context" not in said.sentence


def test_a_node_that_waits_no_more_is_shown_and_passed(flow, drive, settling):
    (flow / "second.md").write_text("---\nto: end\n---\nNo question.\n")
    assert reload(drive, settling).taken
    assert [visit.content for visit in drive.shown] == ["No question.", "Bye Ana, ."]
    assert drive.over


def test_a_broken_directory_at_the_start_is_taken_up_once_it_reads(client, flow, tmp_path):
    with client.drive(Request(directory=flow, session="s")) as drive:
        drive.send("Ana")
    (flow / "end.md").write_text("{{")
    with client.drive(Request(directory=flow, session="s")) as drive:
        assert "continues with the version it has" in drive.notices[0]
        settling = Settling(Directory(flow), drive.found)
        assert settled(settling) is None  # it was said already
        (flow / "end.md").write_text("Fixed.\n")
        assert reload(drive, settling).taken


def test_an_edit_that_has_to_ask_for_a_secret_first_is_left_to_the_next_run(client, make_flow):
    ask = "---\nwait: true\nto: end\n---\nNow?\n"
    flow = make_flow(
        start="---\ninput_type: secret\nsave_to: pin\nto: ask\n---\nPin?\n", ask=ask, end="Right.\n"
    )
    with client.drive(Request(directory=flow, session="p")) as drive:
        drive.send("4711")
    with client.drive(Request(directory=flow, session="p")) as drive:
        settling = Settling(Directory(flow), drive.found)
        (flow / "ask.md").write_text(
            "---\ntransitions: [{condition: context.pin == '1', to: end}]\n---\nHm.\n"
        )
        said = reload(drive, settling)
        assert (said.taken, "needs the secret 'pin'" in said.sentence) == (False, True)
        (flow / "ask.md").write_text(
            ask.replace("to:", "transitions: [{condition: context.pin, to: end}]\nto:")
        )
        assert reload(drive, settling).taken
        assert drive.wanted == "pin"
        drive.send("4711")
        drive.send("")
        assert drive.shown[-1].content == "Right."


def test_a_session_that_was_ended_from_elsewhere_takes_no_new_version(client, flow, drive, settling):
    (flow / "end.md").write_text("Now\n")
    found = settled(settling)
    before = drive.flow
    client.change("s", "completed")
    with pytest.raises(Refused, match="completed"):
        drive.reload(found)
    assert drive.flow is before
