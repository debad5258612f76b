"""The examples for Python do what their first lines say, killed in the middle and taken up again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def started(store: Path, script: str, *args: str) -> subprocess.Popen[str]:
    environ = os.environ | {"RETOMA_STORE": str(store)}
    command = [sys.executable, str(EXAMPLES / "python" / script), *args]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)


def test_a_long_job_that_is_killed_does_each_step_once(retoma, store):
    first = started(store, "long_job.py", "job", "1000000")
    for _ in range(3):
        first.stdout.readline()
    first.kill()
    first.communicate()
    done = len(retoma("session", "read", "job", "--all", "--plain-text").stdout.splitlines())
    said, _ = started(store, "long_job.py", "job", str(done + 2)).communicate()
    assert said.splitlines() == [
        "job goes on.",
        f"step {done + 1} of {done + 2} is done",
        f"step {done + 2} of {done + 2} is done",
    ]
    lines = retoma("session", "read", "job", "--all", "--plain-text").stdout.splitlines()
    assert [line.split()[2] for line in lines] == [f"{n}:" for n in range(1, done + 3)]
    assert "completed" in retoma("session", "show", "job").stdout


def test_a_flow_is_answered_by_a_program_and_taken_up_again(store):
    tour = str(EXAMPLES / "tour")
    said, _ = started(store, "answer_a_flow.py", tour, "s", "Ana", "2").communicate()
    assert said.splitlines()[-2:] == ["waits at 'scenic'", "history: start → roads → scenic"]
    said, _ = started(store, "answer_a_flow.py", tour, "s", "", "blue", "yes").communicate()
    assert "That is the tour, Ana." in said
    assert said.splitlines()[-1].endswith("keep → end")


def test_a_conversation_is_taken_up_by_the_next_start_of_a_program(retoma, store):
    """The recipe of the Copilot SDK on persisting sessions, each step of it a process of its own."""
    steps = {
        "create": ["Session created: user-123-conversation"],
        "resume": ["Session resumed: user-123-conversation, 1 message(s)"],
        "history": ["[user] Let's discuss TypeScript generics", "[user] What were we discussing?"],
        "list": ["Session: user-123-conversation (active)"],
        "delete": ["Session deleted: True"],
    }
    for step, expected in steps.items():
        said, _ = started(store, "persisting_sessions.py", step).communicate()
        assert said.splitlines() == expected
    assert retoma("session", "ls").stdout == "No active sessions found.\n"
    said, _ = started(store, "persisting_sessions.py", "resume").communicate()
    assert said.startswith("There is no session 'user-123-conversation'.")
    said, _ = started(store, "persisting_sessions.py").communicate()
    assert said.splitlines() == [line for expected in steps.values() for line in expected]


def test_tasks_write_together(retoma, store):
    said, _ = started(store, "many_tasks.py", "pages", "40").communicate()
    assert said == "pages: 80 messages, 40 pages\n"
    lines = retoma("session", "read", "pages", "--all", "--plain-text").stdout.splitlines()
    assert len(lines) == 80
    assert all(line.startswith("user  Is page") for line in lines[::2])
    assert retoma("store", "check").returncode == 0
