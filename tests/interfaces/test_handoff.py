"""RF01 to RF10 of the handoff document, each at the command line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec
import pytest

TOUR = str(Path(__file__).parents[2] / "examples" / "tour")


def items(done):
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)["items"]


def ids(done):
    return [item["id"] for item in items(done)]


def test_rf01_a_session_is_created_with_metadata(retoma):
    contexts = ("--context", "repository=acme/importer", "--context", "task=7", "--context", "flow=review")
    made = retoma("session", "create", "--title", "Review 88", "--meta", "priority=2", *contexts)
    name = made.stdout.strip()
    assert name.startswith("review-88-")
    shown = msgspec.json.decode(retoma("session", "show", name, "--json").stdout)
    assert (shown["status"], shown["title"], shown["metadata"]) == ("active", "Review 88", {"priority": 2})
    assert shown["created_at"] == shown["updated_at"]
    assert {(one["kind"], one["ref"]) for one in shown["contexts"]} == {
        ("repository", "acme/importer"), ("task", "7"), ("flow", "review"),
    }  # fmt: skip


def test_rf02_sessions_are_listed_by_status(retoma):
    for name in ("a", "p", "e", "f"):
        retoma("session", "create", name)
    retoma("session", "pause", "p")
    retoma("session", "end", "e")
    retoma("session", "fail", "f", "--reason", "why")
    for word, expected in {
        "active": ["a"], "ativa": ["a"], "suspended": ["p"], "paused": ["p"], "pausada": ["p"],
        "completed": ["e"], "failed": ["f"], "ended": ["e", "f"], "encerrada": ["e", "f"],
    }.items():  # fmt: skip
        assert sorted(ids(retoma("session", "ls", "--status", word, "--json"))) == expected, word


def test_rf03_an_active_session_is_paused(retoma):
    retoma("session", "create", "s")
    assert retoma("session", "pause", "s").stdout == "s: active → suspended\n"
    again = retoma("session", "pause", "s")
    assert (again.returncode, again.stdout) == (5, "")
    assert "is already suspended" in again.stderr


def test_rf04_a_paused_session_is_resumed(retoma):
    retoma("session", "create", "s")
    retoma("session", "pause", "s")
    assert retoma("session", "resume", "s").stdout == "s: suspended → active\n"
    assert retoma("session", "append", "s", "user", "again").returncode == 0


@pytest.mark.parametrize("first", ["active", "suspended"])
def test_rf05_an_active_or_paused_session_is_ended(retoma, first):
    retoma("session", "create", "s")
    if first == "suspended":
        retoma("session", "pause", "s")
    assert retoma("session", "end", "s").stdout == f"s: {first} → completed\n"
    for verb in ("resume", "pause"):
        refused = retoma("session", verb, "s")
        assert refused.returncode == 5
        assert "The session has ended" in refused.stderr


def test_rf06_messages_belong_to_their_session(retoma):
    for name in ("a", "b"):
        retoma("session", "create", name)
        retoma("session", "append", name, "user", f"in {name}")
    retoma("session", "append", "a", "assistant", "-", input="from a pipe\nof two lines\n")
    said = items(retoma("session", "read", "a", "--json"))
    assert [(one["role"], one["text"]) for one in said] == [
        ("user", "in a"),
        ("assistant", "from a pipe\nof two lines"),
    ]
    assert [one["text"] for one in items(retoma("session", "read", "b", "--json"))] == ["in b"]


def test_rf07_the_whole_history_is_read(retoma):
    retoma("session", "create", "s")
    for n in range(30):
        retoma("session", "append", "s", "user", f"message {n}")
    page = msgspec.json.decode(retoma("session", "read", "s", "-n", "10", "--json").stdout)
    seen = [one["text"] for one in page["items"]]
    while page["more"]:
        page = msgspec.json.decode(
            retoma("session", "read", "s", "-n", "10", "--before", page["next"], "--json").stdout
        )
        seen = [one["text"] for one in page["items"]] + seen
    assert seen == [f"message {n}" for n in range(30)]
    everything = items(retoma("session", "read", "s", "--all", "--json"))
    assert [one["text"] for one in everything] == seen
    assert len(items(retoma("session", "log", "s", "--json"))) == 31


def test_rf08_the_history_is_exported_as_json_and_csv(retoma):
    retoma("session", "create", "s", "--title", "Export", "--context", "task=7")
    for role, text in (("user", 'a "quoted", line\nand another'), ("assistant", "=SUM(A1)")):
        retoma("session", "append", "s", role, text)
    retoma("session", "end", "s")
    document = msgspec.json.decode(retoma("session", "export", "s", "--format", "json").stdout)
    assert document["session"]["title"] == "Export"
    assert [one["text"] for one in document["messages"]] == ['a "quoted", line\nand another', "=SUM(A1)"]
    assert len(document["events"]) == 4
    rows = list(csv.DictReader(io.StringIO(retoma("session", "export", "s", "--format", "csv").stdout)))
    assert [(row["session_id"], row["role"], row["text"]) for row in rows] == [
        ("s", "user", 'a "quoted", line\nand another'),
        ("s", "assistant", "'=SUM(A1)"),
    ]


def test_rf09_a_session_has_several_contexts_and_lists_by_them(retoma):
    for name in ("a", "b"):
        retoma("session", "create", name)
    linked = retoma("session", "link", "a", "repository=one", "repository=two", "task=7")
    assert linked.stdout == "a: contexts repository=one, repository=two, task=7\n"
    retoma("session", "link", "b", "repository=two")
    of_two = ("session", "ls", "--sort", "id", "--context", "repository=two", "--json")
    assert ids(retoma(*of_two)) == ["a", "b"]
    assert ids(retoma("session", "ls", "--context", "repository=two", "--context", "task=7", "--json")) == [
        "a"
    ]
    retoma("session", "unlink", "a", "repository=two")
    assert ids(retoma("session", "ls", "--context", "repository=two", "--json")) == ["b"]


@pytest.mark.parametrize("verb", [("end",), ("fail", "--reason", "why"), ("pause",)])
def test_rf10_a_session_that_is_not_active_takes_no_message(retoma, verb):
    retoma("session", "create", "s")
    retoma("session", verb[0], "s", *verb[1:])
    refused = retoma("session", "append", "s", "user", "too late")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "accepts no messages" in refused.stderr
    assert items(retoma("session", "read", "s", "--json")) == []
    run = retoma("run", TOUR, "--session", "s", "--headless", input="Ana\n")
    assert items(retoma("session", "log", "s", "--type", "flow.input", "--json")) == [], run.stderr
    assert retoma("session", "note", "s", "notes are taken").returncode == 0
    assert retoma("session", "show", "s").returncode == 0
