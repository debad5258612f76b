"""`retoma run` with tools, as people and programs meet it: asked, allowed, refused, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

TRIP = Path(__file__).parents[2] / "examples" / "trip"
KIOSK = Path(__file__).parents[1] / "flows" / "kiosk"


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.in_files
def test_json_asks_for_each_tool_and_shows_what_came_of_it(retoma):
    ran = retoma("run", str(TRIP), "--json", input='Faro\n2\ny\nno\n"yes"\n')
    assert ran.returncode == 1
    said = lines(ran.stdout)
    once = ["call_tool", "request_input", "tool_result"]
    kinds = [line["type"] for line in said if line["type"] != "render"]
    assert kinds[:8] == ["request_input", "request_input", *once, *once]
    asked = [line for line in said if line["type"] == "request_input" and "tool" in line]
    assert [line["tool"] for line in asked] == ["book", "book", "cancel"]
    assert {(line["input_type"], line["default"]) for line in asked} == {("confirm", "no")}
    results = [line for line in said if line["type"] == "tool_result"]
    assert [line["outcome"] for line in results] == ["done", "denied", "done"]
    assert (said[-1]["type"], said[-1]["status"], said[-1]["node"]) == ("end", "failed", None)
    assert results[0]["result"]["id"].startswith("F-")


def test_nothing_is_called_twice_over_several_runs(retoma):
    stopped = retoma("run", str(TRIP), "--session", "s", input="Faro\n2\n")
    assert stopped.returncode == 3
    assert "the tool 'book' was not called yet. Resume with the same command." in stopped.stderr
    state = json.loads(retoma("session", "inspect", "s").stdout)
    assert (state["flow_status"], state["pending_tool_call"]["name"]) == ("waiting_for_tool", "book")
    shown = retoma("session", "show", "s").stdout
    assert "waits for tool  book" in shown
    assert retoma("session", "signal", "s", "interrupt").returncode == 5
    assert retoma("run", str(TRIP), "--session", "s", "--yes").returncode == 0
    calls = retoma("session", "log", "s", "--type", "flow.tool_started", "--json").stdout
    assert [event["data"]["approved"] for event in json.loads(calls)["items"]] == ["yes"] * 3
    assert retoma("store", "check").returncode == 0
    spoken = retoma("session", "read", "s").stdout
    assert "book" not in spoken.replace("booked", "")


def test_deny_refuses_all_and_a_failure_is_rolled_back(retoma):
    denied = retoma("run", str(TRIP), "--deny", "--headless", input="Faro\n2\n")
    assert (denied.returncode, "Nothing was booked." in denied.stdout) == (0, True)
    failed = retoma("run", str(TRIP), "--headless", "--session", "s", input="Faro\n9\n")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].endswith("Undone: 'hotel' (cancel), 'flight' (cancel).")
    again = retoma("run", str(TRIP), "--headless", "--session", "s")
    assert again.stderr.startswith(
        ">>> Session 's' failed before, and was rolled back. Restart it with --fresh."
    )
    assert retoma("run", str(TRIP), "--yes", "--deny").returncode == 2


@pytest.mark.in_files
def test_inline_tools_and_lists_of_ones_own(retoma, tmp_path):
    refused = retoma("run", str(KIOSK), "--headless", input="coffee\n")
    assert "it runs only with --allow-inline." in refused.stderr
    assert refused.returncode == 0
    allowed = retoma("run", str(KIOSK), "--headless", "--allow-inline", input="coffee\nno\n")
    assert "A hot Coffee. Another?" in allowed.stdout
    listed = tmp_path / "list.yaml"
    listed.write_text("tools: [{name: brew, command: echo, args: [hot]}]\n")
    assert "A hot" in retoma("run", str(KIOSK), "--headless", "--tools", str(listed), input="coffee\n").stdout
    assert retoma("run", str(KIOSK), "--tools", str(tmp_path / "no.yaml")).returncode == 4
    listed.write_text("tools: [{name: brew}]\n")
    wrong = retoma("run", str(KIOSK), "--tools", str(listed))
    assert (wrong.returncode, "list.yaml:1: This tool has no 'command'." in wrong.stderr) == (2, True)
    seen = retoma("flow", "validate", str(KIOSK)).stdout
    assert "brew.md:2: warning: The tool 'brew' is declared here" in seen


@pytest.fixture
def slow(tmp_path):
    """A flow whose tool says that it runs, and waits for a file."""
    flow = tmp_path / "slow"
    flow.mkdir()
    (flow / "wait.py").write_text(
        "import os, pathlib, sys, time\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    )
    (flow / "tools.yaml").write_text(f"tools: [{{name: wait, command: {sys.executable}, args: [wait.py]}}]\n")
    (flow / "start.md").write_text("---\ndo: wait\nto: end\n---\nWaiting.\n")
    (flow / "end.md").write_text("Done.\n")
    return flow


@pytest.mark.in_files
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 3), (signal.SIGHUP, 3)]
)
def test_what_ends_the_run_ends_the_tool_and_the_call_waits(retoma, store, slow, number, status):
    run = subprocess.Popen(
        [sys.executable, "-m", "retoma", "--store", str(store), "run", str(slow), "--session", "s", "--headless"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Tests that run in a shell's background inherit that it ignores SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    while not (slow / "pid").exists() or not (slow / "pid").read_text():
        assert run.poll() is None
    tool = int((slow / "pid").read_text())
    run.send_signal(number)
    run.communicate(timeout=20)
    assert run.returncode == status
    with pytest.raises(ProcessLookupError):
        os.kill(tool, 0)
    state = json.loads(retoma("session", "inspect", "s").stdout)
    assert (state["flow_status"], state["pending_tool_call"]["attempt"]) == ("waiting_for_tool", 1)
    (slow / "go").touch()
    again = retoma("run", str(slow), "--session", "s", "--headless")
    assert (again.returncode, again.stdout) == (0, "Waiting.\nDone.\n")


@pytest.mark.in_files
def test_a_person_is_asked_before_each_tool(store):
    child = pexpect.spawn(
        sys.executable, ["-m", "retoma", "--store", str(store), "run", str(TRIP), "--plain"],
        env={**os.environ, "LC_ALL": "C.UTF-8"}, encoding="utf-8", timeout=20, dimensions=(24, 80),
    )  # fmt: skip
    child.delaybeforesend = None
    for asked, typed in (
        ("[Porto] > ", ""),
        ("Porto?\r\n> ", "2"),
        ("Allow execution? [y/N] ", "y"),
        ("Allow execution? [y/N] ", "y"),
        ("Pay 180 now? [y/N] ", ""),
        (">>> Undo 'hotel'", None),
        ("Allow execution? [y/N] ", "y"),
        ("Allow execution? [y/N] ", "n"),
    ):
        child.expect_exact(asked)
        if typed is not None:
            child.sendline(typed)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert "Not undone: 'flight'" in child.before.replace("\r\n", "")


@pytest.mark.in_files
def test_flow_test_says_what_differs_and_flow_new_makes_one_that_passes(retoma, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = retoma("flow", "new", "supper")
    assert made.stdout.splitlines()[1].startswith("  retoma flow test supper")
    assert retoma("flow", "new", "supper").returncode == 5
    assert retoma("flow", "validate", "supper").stdout == "supper: 5 nodes, no problems.\n"
    assert retoma("flow", "test", "supper").returncode == 0
    ran = retoma("run", "supper", "--yes", "--headless", input="Ana\n9\n2\n")
    assert ran.stdout.splitlines()[-1].endswith("is yours, Ana.")
    script = tmp_path / "supper/.tests/booked.yaml"
    script.write_text(script.read_text().replace("node: end", "node: start"))
    (tmp_path / "supper/.tests/wrong.yaml").write_text("expect: {nod: end}\n")
    failed = retoma("flow", "test", "supper", "supper/.tests", "--json")
    assert failed.returncode == 1
    told = json.loads(failed.stdout)
    assert (told["passed"], told["failed"]) == (1, 2)
    assert told["scripts"][0]["difference"] == {"what": "node", "line": 6, "expected": "start", "got": "end"}
    assert (
        "wrong.yaml:1: The key 'nod' of expect is unknown. Did you mean 'node'?"
        in retoma("flow", "test", "supper", "supper/.tests/wrong.yaml").stdout
    )
    assert retoma("flow", "test", "supper", "nowhere.yaml").returncode == 4
    assert not (tmp_path / "store").exists() or retoma("session", "ls", "--json").returncode == 0
