"""Prune, retention, the store's log, templates, limits and trust, as a user types them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pexpect
import pytest

from retoma.__main__ import main
from retoma.model.times import HOUR, MINUTE


class Said(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


Do = Callable[..., Said]


@pytest.fixture
def do(store, tmp_path: Path, monkeypatch, capsys) -> Do:
    """Run a command here, in a directory of this test's own; files in it are found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "RETOMA_STORE"):
        monkeypatch.delenv(name, raising=False)

    def run(*args: str) -> Said:
        status = main(["--store", str(store), *args])
        return Said(status, *capsys.readouterr())

    return run


@pytest.fixture
def later(monkeypatch) -> Callable[[int], None]:
    """Move the clock on by so many milliseconds."""
    real, ahead = time.time_ns, [0]
    monkeypatch.setattr(time, "time_ns", lambda: real() + ahead[0])

    def move(ms: int) -> None:
        ahead[0] += ms * 1_000_000

    return move


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "retoma.toml"
        path.write_text(text)
        return path

    return write


def made(do: Do, *names: str, end: bool = True) -> None:
    for name in names:
        do("session", "create", name)
        if end:
            do("session", "end", name)


# Prune


def test_prune_shows_before_it_does_and_restore_brings_back(do):
    made(do, "one", "two")
    made(do, "active", end=False)
    assert do("session", "prune").out == "No session was inactive for that long.\n"
    dry = do("session", "prune", "--older-than", "0s", "--dry-run")
    assert dry == (0, "Would trash 2 sessions (2 completed):\n- one\n- two\n", "")
    unasked = do("session", "prune", "--older-than", "0s")
    assert (unasked.status, unasked.out) == (1, "- one\n- two\n")
    assert unasked.err == "Nothing was changed. Would trash 2 sessions (2 completed): add --yes to do it.\n"
    assert len(do("session", "ls", "--json").json["items"]) == 3
    done = do("session", "prune", "--older-than", "0s", "--yes")
    assert done.out == (
        "Trashed 2 sessions (2 completed). `retoma session restore ID` restores one within seven days.\n"
    )
    assert [item["id"] for item in do("session", "ls", "--json").json["items"]] == ["active"]
    assert do("session", "restore", "two").out == "Restored two\n"
    assert do("session", "show", "two", "--json").json["status"] == "completed"


def test_prune_as_json_and_by_what_is_said_of_sessions(do):
    for name, tag in (("a", "odd"), ("b", "even"), ("c", "odd")):
        do("session", "create", name, "--tag", tag, "--agent", "x")
    do("session", "pause", "c")
    said = do(
        "session", "prune", "--older-than", "0s", "--status", "active", "--tag", "odd", "--yes", "--json"
    ).json
    assert said.pop("before").endswith("Z")
    assert said == {"count": 1, "by_status": {"active": 1}, "first": ["a"], "done": True}
    said = do("session", "prune", "--older-than", "0s", "--agent", "x", "--json")
    assert (said.status, said.out) == (1, "")  # nobody can be asked
    assert do("session", "prune", "--older-than", "0s", "--agent", "y", "--yes", "--json").json["count"] == 0


@pytest.mark.parametrize(
    "args", [["--older-than", "old"], ["--status", "gone"], ["--context", "task"], ["--older-than", "-1d"]]
)
def test_prune_refuses_what_it_does_not_understand(do, args):
    assert do("session", "prune", *args, "--yes").status == 2


@pytest.mark.in_files
def test_prune_asks_on_a_terminal(do, store):
    made(do, "one")
    for answer, status in (("n", 1), ("y", 0)):
        child = pexpect.spawn(
            sys.executable,
            ["-m", "retoma", "--store", str(store), "session", "prune", "--older-than", "0s"],
            env={**os.environ, "TERM": "dumb"}, encoding="utf-8", timeout=20,
        )  # fmt: skip
        child.expect_exact("- one\r\n")
        child.expect_exact("Put 1 session (1 completed) in the trash? [y/N] ")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == status
    assert len(do("session", "ls", "--deleted", "--json").json["items"]) == 1


# Retention and the log


def test_a_command_that_writes_does_what_is_due_and_says_so(do, config, later):
    made(do, "idle", end=False)
    config("[retention]\nidle_timeout = '1h'\n")
    later(HOUR + MINUTE)
    assert do("session", "ls").err == ""  # it only reads
    assert do("session", "show", "idle", "--json").json["status"] == "active"
    due = do("doctor", "--json").json
    assert due["retention"] == {"idle_timeout": "1h", "completed_after": None}
    assert due["due"] == {"idle": 1, "over": 0, "trashed": 0}
    assert "1 session to be failed: done by the next commands that write" in do("doctor").out
    assert do("session", "create", "idle").err.startswith("Session 'idle' already exists.")
    assert do("session", "show", "idle", "--json").json["status"] == "active"  # what failed does nothing more
    noted = do("session", "create", "new")
    assert (noted.out, noted.err) == ("new\n", "Retention: 1 failed. `retoma store log` lists them.\n")
    shown = do("session", "show", "idle", "--json").json
    assert (shown["status"], shown["reason"]) == ("failed", "no event for 1h ([retention] idle_timeout)")
    config("[retention]\ncompleted_after = '30m'\n")
    later(40 * MINUTE)
    assert do("session", "create", "more", "--quiet") == (0, "more\n", "")
    items = do("store", "log", "--json").json["items"]
    assert [(one["actor"], one["deed"], one["session"]) for one in items] == [
        ("retention", "trashed", "idle"),
        ("retention", "failed", "idle"),
    ]


def test_gc_does_what_retention_says(do, config):
    made(do, "over")
    config("[retention]\ncompleted_after = '0.001s'\n")
    assert "ended sessions to be trashed  1" in do("store", "gc", "--dry-run").out
    assert do("store", "gc", "--json").json["over"] == 1
    assert do("session", "ls", "--deleted", "--json").json["items"][0]["id"] == "over"


def test_the_log_forgets_the_name_and_still_answers_for_it(do):
    made(do, "one", "two")
    do("session", "prune", "--older-than", "0s", "--yes")
    first = do("store", "log", "--limit", "1", "--json").json
    rest = do("store", "log", "--cursor", first["next"], "--json").json
    assert [item["session"] for item in first["items"] + rest["items"]] == ["two", "one"]
    assert (first["more"], rest["more"], rest["next"]) == (True, False, None)
    assert do("store", "log", "--limit", "1").err == f"More: --cursor {first['next']}\n"
    do("session", "rm", "one")
    (entry,) = do("store", "log", "--session", "one", "--json").json["items"]
    assert (entry["session"], entry["deed"], entry["count"]) == (None, "trashed", 2)
    assert len(entry["digest"]) == 32
    assert f"({entry['digest'][:12]})" in do("store", "log").out
    assert do("store", "log", "--since", "2100-01-01").out == "The store's log is empty.\n"
    assert do("store", "log", "--cursor", "x").status == 2


# Templates and limits

TEMPLATES = """
[templates.review]
title_prefix = "Review: "
tags = ["review"]
metadata = {size = 3, kind = "code"}
agent = "reviewer"
model = "echo"
ttl = "2w"
[templates.review.limits]
events_per_session = 3
[templates.plain]
"""


def test_a_session_is_made_from_a_template(do, config):
    path = config(TEMPLATES)
    do(
        "session",
        "create",
        "s",
        "--template",
        "review",
        "--title",
        "Pull 88",
        "--tag",
        "urgent",
        "--meta",
        "size=9",
    )
    said = do("session", "show", "s", "--json").json
    assert (said["title"], said["tags"], said["metadata"]) == (
        "Review: Pull 88",
        ["review", "urgent"],
        {"size": 9, "kind": "code"},
    )
    assert (said["agent"], said["model"], said["template"], said["ephemeral"]) == (
        "reviewer",
        "echo",
        "review",
        True,
    )
    assert '"template":"review"' in do("session", "log", "s").out
    unnamed = do("session", "create", "--template", "review").out.strip()
    assert unnamed.startswith("review-")
    other = do(
        "session", "create", "t", "--template", "review", "--agent", "me", "--ttl", "1h", "--json"
    ).json
    assert (other["agent"], other["title"]) == ("me", "Review:")
    missing = do("session", "create", "--template", "reviw")
    assert (missing.status, missing.err) == (
        4,
        "There is no template 'reviw'. Did you mean 'review'? `retoma template ls` lists them.\n",
    )
    do("session", "append", "s", "user", "a")
    do("session", "append", "s", "user", "b")
    full = do("session", "append", "s", "user", "c")
    assert full.status == 5
    assert full.err == (
        "Session 's' has 3 events, and templates.review.limits.events_per_session allows 3.\n"
        f"Nothing was written. Use another session, or raise the limit in {path}.\n"
    )
    assert do("session", "end", "s").status == 0


def test_templates_are_listed_and_shown(do, config):
    assert do("template", "ls").out == "No templates found. Add `[templates.NAME]` to a retoma.toml.\n"
    path = config(TEMPLATES)
    listed = do("template", "ls").out.splitlines()
    assert (listed[0], listed[1][:10]) == ("- plain", "- review  ")
    shown = [line.split() for line in do("template", "show", "review").out.splitlines()]
    assert ["ttl", "2w", f"retoma.toml:{path}"] in shown
    assert ["metadata", '{"size":3,"kind":"code"}', f"retoma.toml:{path}"] in shown
    assert do("template", "show", "review", "--json").json == {
        "name": "review",
        "title_prefix": "Review: ",
        "tags": ["review"],
        "metadata": {"size": 3, "kind": "code"},
        "agent": "reviewer",
        "model": "echo",
        "ttl": "2w",
        "limits": {"events_per_session": 3},
        "unused": [],
    }
    assert [one["name"] for one in do("template", "ls", "--json").json["items"]] == ["plain", "review"]
    assert (
        do("template", "show", "plan").err
        == "There is no template 'plan'. Did you mean 'plain'? `retoma template ls` lists them.\n"
    )


def test_a_key_makes_one_session_of_a_template_and_another_template_is_another_request(do, config):
    config(TEMPLATES)
    first = do("session", "create", "--template", "review", "--key", "k").out
    assert do("session", "create", "--template", "review", "--key", "k").out == first
    assert do("session", "create", "--template", "plain", "--key", "k").status == 5


def test_a_limit_says_its_name_and_where_it_is_set(do, config):
    path = config("[limits]\nsessions = 2\nsessions_active = 1\n")
    made(do, "a", end=False)
    refused = do("session", "create", "b")
    assert refused.status == 5
    assert refused.err == (
        "There is 1 active session, the most that limits.sessions_active allows.\n"
        f"End or delete sessions, or raise the limit in {path}.\n"
    )


# Configuration and trust


@pytest.mark.in_files
def test_config_shows_everything_and_what_is_not_used_yet(do, config):
    path = config(
        "[retention]\nidle_timeout = '2h'\n[artifacts]\ninline_below = 65536\n[limits]\nwaiting_prompts = 3\n"
    )
    said = do("config", "--json").json
    rows = {row["key"]: (row["value"], row["source"]) for row in said["settings"]}
    source = f"retoma.toml:{path}"
    assert rows["retention.idle_timeout"] == ("2h", source)
    assert rows["retention.completed_after"] == (None, "default")
    assert rows["artifacts.inline_below"] == (65536, source)
    assert rows["limits.waiting_prompts"] == (3, source)
    assert said["unused"] == ["artifacts.inline_below", "limits.waiting_prompts"]
    shown = do("config")
    assert "limits.waiting_prompts is a known key, but this version does not use it.\n" in shown.err
    assert ["retention.completed_after", "never", "default"] in [
        line.split() for line in shown.out.splitlines()
    ]


@pytest.mark.in_files
def test_schemas_are_printed(do):
    assert do("config", "--schema").json["title"] == "retoma.toml"
    assert "transitions" in do("flow", "schema").json["properties"]


@pytest.mark.in_files
def test_trust_holds_for_a_file_as_it_is(do, config, tmp_path):
    assert do("trust").status == 4
    assert do("trust", "--list").out == "No file is trusted.\n"
    path = config("[agents.main]\ntools = [{name = 'count', command = ['wc']}]\n")
    unsure = do("doctor")
    assert unsure.status == 1
    assert (
        f"{path} names commands, which run only after you trust it. Read it, then run: retoma trust '{path}'"
        in unsure.out
    )
    assert "Read it, then run: retoma trust" in do("config").err
    done = do("trust")
    assert done.out.endswith("It names commands in agents.main.tools.\n")
    row = {"file": str(path), "commands": ["agents.main.tools"], "trusted": True}
    assert do("doctor", "--json").json["trust"] == do("config", "--json").json["trust"] == [row]
    assert "Read it" not in do("config").err
    config("[limits]\nsessions = 5\n")
    (listed,) = do("trust", "--list", "--json").json["items"]
    assert (listed["path"], listed["unchanged"]) == (str(path), False)
    assert do("trust", str(tmp_path), "--json").json["commands"] == []
    assert do("trust", "--remove", "--json").json == {"path": str(path), "trusted": False, "removed": 2}
    assert do("trust", "--remove").out == f"{path} was not trusted.\n"
    assert do("trust", "--list", "--remove").status == 2
    assert do("trust", "nowhere.toml").status == 4


@pytest.mark.in_files
def test_names_of_templates_are_completed(do, config, monkeypatch):
    config(TEMPLATES)
    words = {
        "_RETOMA_COMPLETE": "bash_complete",
        "COMP_WORDS": "retoma session create --template re",
        "COMP_CWORD": "4",
    }
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    assert do().out == "plain,review\n"
