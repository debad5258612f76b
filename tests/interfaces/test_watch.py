"""`retoma run --watch` beside a program that edits the flow: what it says on each stream, and when."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.alone

START = "---\ntype: question\nsave_to: name\nto: second\n---\nWho?\n"
SECOND = "---\noptions: [Green, Blue]\nsave_to: colour\nto: end\n---\nHello {{ .name }}, which colour?\n"


@pytest.fixture
def flow(tmp_path):
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text(START)
    (flow / "second.md").write_text(SECOND)
    (flow / "end.md").write_text("Bye {{ .name }}, {{ .colour }}.\n")
    return flow


@pytest.fixture
def running(store, flow):
    """Start `retoma run FLOW --watch ARGS` with pipes."""
    begun = []

    def start(*args):
        command = [sys.executable, "-m", "retoma", "--store", str(store), "run", str(flow), "--watch", *args]
        pipe = subprocess.PIPE
        begun.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1))
        return begun[-1]

    yield start
    for child in begun:
        child.kill()
        child.communicate()


def lines_to(child, kind):
    """Return the objects that are printed, up to one of this type."""
    found = []
    while not found or found[-1]["type"] != kind:
        line = child.stdout.readline()
        assert line, child.stderr.read()
        found.append(json.loads(line))
    return found


def test_json_lines(running, flow, retoma):
    child = running("--json", "--session", "s")
    lines_to(child, "request_input")
    child.stdin.write("Ana\n")
    lines_to(child, "request_input")
    (flow / "second.md").write_text(SECOND.replace("Hello", "Dear").replace("Green", "Red"))
    reload, render, request = lines_to(child, "request_input")
    assert reload == {
        "type": "reload",
        "taken": True,
        "version": reload["version"],
        "node": "second",
        "text": "The flow was edited; the session continues with the new version.",
        "problems": [],
    }
    assert (render["content"], request["options"]) == ("Dear Ana, which colour?", ["Red", "Blue"])
    (flow / "second.md").write_text(SECOND.replace("to: end", "to: ende"))
    [refused] = lines_to(child, "reload")
    [problem] = refused["problems"]
    assert (refused["taken"], refused["version"]) == (False, reload["version"])
    assert (problem["file"], problem["line"], problem["level"]) == ("second.md", 4, "error")
    assert "'to' leads to 'ende', which is not a node." in problem["message"]
    out, _ = child.communicate("1\n")
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["render", "end"]
    assert json.loads(out.splitlines()[-1])["context"] == {"name": "Ana", "colour": "Red"}
    assert child.returncode == 0
    logged = retoma("session", "log", "s", "--type", "flow.version", "--json").stdout
    assert f'"version":"{reload["version"]}"' in logged


def test_headless_the_node_is_shown_again_and_half_a_line_is_kept(running, flow):
    child = running("--headless", "--session", "s")
    assert child.stdout.readline() == "Who?\n"
    child.stdin.write("An")
    child.stdin.flush()
    (flow / "start.md").write_text(START.replace("Who?", "Who are you?"))
    assert child.stdout.readline() == "Who are you?\n"
    out, said = child.communicate("a\n")
    assert out.startswith("Hello Ana, which colour?\n")
    assert ">>> The flow was edited; the session continues with the new version.\n" in said
    assert child.returncode == 3


def test_a_flow_that_never_read_is_refused_at_the_start(running, flow):
    (flow / "end.md").write_text("{{")
    child = running("--headless", "--session", "s")
    _, said = child.communicate()
    assert (child.returncode, "end.md:1" in said) == (2, True)  # nothing good to go on with


def test_pinned_and_watch_contradict_each_other(retoma, flow):
    done = retoma("run", str(flow), "--watch", "--pinned")
    assert done.returncode == 2
    assert done.stderr.endswith("--watch applies each new version.\nUse only one of the two.\n")
