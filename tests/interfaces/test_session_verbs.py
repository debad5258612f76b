"""The verbs that say something new of a session, put it away, or make it forget."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

TOUR = str(Path(__file__).parents[2] / "examples" / "tour")


@pytest.fixture
def s(retoma):
    retoma("session", "create", "s", "--title", "First")

    def shown():
        return msgspec.json.decode(retoma("session", "show", "s", "--json").stdout)

    return shown


def test_what_is_said_of_a_session(retoma, s):
    for args, line in (
        (("rename", "s", "Another"), "s: title Another"),
        (("describe", "s", "At length"), "s: description At length"),
        (("tag", "s", "+docs", "+draft"), "s: tags docs, draft"),
        (("tag", "s", "-draft", "+x"), "s: tags docs, x"),
        (("meta", "s", "n=2", 'deep={"a": [1]}', "word=plain"), "s: metadata n, deep, word"),
        (("meta", "s", "word="), "s: metadata n, deep"),
        (("set-agent", "s", "reviewer"), "s: agent reviewer"),
        (("set-model", "s", "local:small"), "s: model local:small"),
        (("set-model", "s", "clear"), "s: model none"),
        (("set-thinking", "s", "verbose"), "s: thinking high"),
        (("set-channel", "s", "slack:C1"), "s: channel slack:C1"),
        (("note", "s", "Remember"), "s: note added as event 13"),
    ):
        done = retoma("session", *args)
        assert (done.stdout, done.stderr, done.returncode) == (line + "\n", "", 0)
    now = s()
    assert (now["title"], now["description"], now["tags"]) == ("Another", "At length", ["docs", "x"])
    assert now["metadata"] == {"n": 2, "deep": {"a": [1]}}
    assert (now["agent"], now["model"], now["thinking"], now["channel"]) == (
        "reviewer",
        None,
        "high",
        "slack:C1",
    )
    assert [note["text"] for note in now["notes"]] == ["Remember"]
    assert "Remember" in retoma("session", "show", "s").stdout


def test_wrong_words_are_refused(retoma, s):
    for args, said in (
        (("tag", "s", "docs"), "neither +TAG nor -TAG"),
        (("link", "s", "task"), "is not KIND=REF"),
        (("set-thinking", "s", "much"), "is not a thinking level"),
        (("rename", "s", "x" * 201), "at most 200"),
        (("set-id", "s", "a/b"), "it has a slash"),
        (("append", "s", "robot", "x"), "Roles: user, assistant"),
        (("append", "s", "user", "[1]", "--parts"), "not valid message content"),
        (("redact", "s"), "--seq N[-M] or --pattern P"),
        (("redact", "s", "--seq", "5-2"), "range of numbers"),
        (("redact", "s", "--pattern", "("), "not a regular expression"),
    ):
        done = retoma("session", *args)
        assert (done.returncode, done.stdout) == (2, ""), args
        assert said in done.stderr
    assert retoma("session", "set-id", "nosuch", "t").returncode == 4


def test_another_id(retoma, s):
    assert retoma("session", "set-id", "s", "t").stdout == "s → t\n"
    assert retoma("session", "show", "t").returncode == 0
    retoma("session", "create", "u")
    taken = retoma("session", "set-id", "t", "u")
    assert taken.returncode == 5
    assert "Session 'u' already exists" in taken.stderr


def test_put_away_and_brought_back(retoma, s):
    retoma("session", "create", "t")
    assert retoma("session", "pin", "s").stdout == "Pinned s\n"
    assert retoma("session", "ls").stdout.splitlines()[1].startswith("- s")
    retoma("session", "unpin", "s")
    assert retoma("session", "archive", "s", "nosuch", "t").returncode == 4
    assert retoma("session", "ls").stdout == "No active sessions found.\n"
    assert "- s" in retoma("session", "ls", "--archived").stdout
    assert retoma("session", "unarchive", "s", "t").stdout == "Unarchived s\nUnarchived t\n"
    assert retoma("session", "trash", "s").stdout == "Trashed s\n"
    assert "- s" not in retoma("session", "ls").stdout
    assert "- s" in retoma("session", "ls", "--deleted").stdout
    refused = retoma("session", "append", "s", "user", "x")
    assert refused.returncode == 5
    assert "retoma session restore s" in refused.stderr
    assert retoma("session", "restore", "s").stdout == "Restored s\n"


def test_a_flow_does_not_go_on_in_the_trash(retoma, s):
    retoma("run", TOUR, "--session", "s", "--headless", input="Ana\n")
    retoma("session", "trash", "s")
    for more in ((), ("--fresh",)):
        refused = retoma("run", TOUR, "--session", "s", "--headless", *more, input="1\n")
        assert (refused.returncode, refused.stdout) == (5, "")
        assert "is in the trash" in refused.stderr
    retoma("session", "restore", "s")
    assert "Resuming at 'roads'" in retoma("run", TOUR, "--session", "s", "--headless", input="1\n").stderr


def test_verbs_of_several_sessions_say_which_they_found(retoma, s):
    retoma("session", "create", "another-one")
    assert retoma("session", "pin", "ano", "@last").stdout == "Pinned another-one\nPinned another-one\n"
    trashed = msgspec.json.decode(retoma("session", "trash", "ano", "--json").stdout)
    assert trashed["items"] == [{"id": "another-one", "trashed": True}]


@pytest.mark.in_files
def test_a_key_of_format_1_is_still_known(retoma, store):
    """It kept the id of the session that was made, not its number."""
    retoma("session", "create", "review-88", "--key", "k")
    with sqlite3.connect(next(store.glob("*.db"))) as database:
        database.execute("UPDATE operation SET result = CAST('review-88' AS BLOB)")
    assert retoma("session", "create", "review-88", "--key", "k").stdout == "review-88\n"
    retoma("session", "rm", "review-88")
    gone = retoma("session", "create", "review-88", "--key", "k")
    assert gone.returncode == 4
    assert "was deleted" in gone.stderr


def test_sorting(retoma):
    for name in ("b", "c", "a"):
        retoma("session", "create", name)
    retoma("session", "append", "b", "user", "x")

    def order(*args):
        page = msgspec.json.decode(retoma("session", "ls", "--limit", "2", "--json", *args).stdout)
        rest = msgspec.json.decode(
            retoma("session", "ls", "--limit", "2", "--json", "--cursor", page["next"], *args).stdout
        )
        return [one["id"] for one in page["items"] + rest["items"]]

    assert order("--sort", "id") == ["a", "b", "c"]
    assert order("--sort", "created") == ["a", "c", "b"]


@pytest.mark.in_files
def test_a_reset_begins_anew_and_erases_only_when_asked(retoma, s, store):
    retoma("session", "append", "s", "user", "first epoch")
    retoma("session", "end", "s")
    assert retoma("session", "reset", "s").stdout == "s: epoch 2\n"
    assert s()["status"] == "active"
    assert retoma("session", "read", "s").stdout == ""
    assert "first epoch" in retoma("session", "read", "s", "--epochs").stdout
    assert retoma("session", "reset", "s", "--erase").stdout == "s: epoch 3, the earlier epochs are deleted\n"
    assert retoma("session", "read", "s", "--epochs").stdout == ""
    assert [f.name for f in store.iterdir() if b"first epoch" in f.read_bytes()] == []


@pytest.mark.in_files
def test_redacting(retoma, s, store):
    for text in ("the card is 4111", "nothing", "again 4111"):
        retoma("session", "append", "s", "user", text)
    unasked = retoma("session", "redact", "s", "--pattern", "4111")
    assert unasked.returncode == 1
    assert "add --yes" in unasked.stderr
    assert retoma("session", "redact", "s", "--pattern", "4111", "--dry-run").stdout == (
        "s: would take out 2 events\n"
    )
    assert retoma("session", "redact", "s", "--seq", "2").stdout == "s: took out 1 event\n"
    assert retoma("session", "redact", "s", "--pattern", "4111", "--yes").stdout == "s: took out 1 event\n"
    assert retoma("session", "read", "s", "--plain-text").stdout == "user  nothing\n"
    assert "(erased)" in retoma("session", "log", "s").stdout
    assert [f.name for f in store.iterdir() if b"4111" in f.read_bytes()] == []


def test_parts(retoma, s):
    parts = [
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "I look it up."},
        {"type": "tool_call", "id": "1", "name": "look", "arguments": {"q": "x"}},
    ]
    done = retoma("session", "append", "s", "assistant", "-", "--parts", input=msgspec.json.encode(parts))
    assert done.returncode == 0, done.stderr
    result = [{"type": "tool_result", "id": "1", "result": {"found": True}}]
    retoma("session", "append", "s", "tool", msgspec.json.encode(result).decode(), "--parts")
    (message,) = msgspec.json.decode(retoma("session", "read", "s", "--json").stdout)["items"]
    assert (message["text"], message["parts"]) == ("I look it up.", parts)


def test_a_message_once_under_its_key_and_only_on_the_head_it_expects(retoma, s):
    for _ in range(2):
        assert retoma("session", "append", "s", "user", "x", "--key", "k").stdout == "s: event 2\n"
    moved = retoma("session", "append", "s", "user", "y", "--expect", "1")
    assert moved.returncode == 5
    assert "has 2 events, not 1" in moved.stderr


def test_a_tree(retoma, s):
    retoma("session", "create", "child", "--parent", "s", "--title", "Below")
    retoma("session", "create", "grandchild", "--parent", "child")
    lines = retoma("session", "tree", "s").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["s", "active"], ["-", "child"], ["-", "grandchild"]]
    tree = msgspec.json.decode(retoma("session", "tree", "s", "--json").stdout)
    assert tree["children"][0]["children"][0]["id"] == "grandchild"
    assert "'child' belongs to 's'" in retoma("session", "tree", "child").stderr


def completions(store, words, number):
    import os
    import subprocess
    import sys

    environ = os.environ | {
        "_RETOMA_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(number),
    }
    done = subprocess.run(
        [sys.executable, "-m", "retoma"],
        env=environ | {"RETOMA_STORE": str(store)},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return [line.partition(",")[2] for line in done.stdout.decode().split()]


@pytest.mark.in_files
def test_ids_and_tags_are_completed_from_the_store(retoma, store):
    assert completions(store, "retoma session show re", 3) == []
    assert not store.exists()
    for name in ("review-1", "review-2", "other"):
        retoma("session", "create", name, "--tag", f"about-{name}", "--tag", "common")
    assert completions(store, "retoma session show re", 3) == ["review-1", "review-2"]
    assert completions(store, "retoma run examples/tour --session o", 4) == ["other"]
    assert completions(store, "retoma session ls --tag about-r", 4) == ["about-review-1", "about-review-2"]
    assert completions(store, "retoma session tag other +c", 4) == ["+common"]
    empty = store.with_name("empty")
    assert completions(empty, f"retoma --store {store} session show o", 5) == ["other"]
    assert completions(empty, f"retoma session show --store {store} o", 5) == ["other"]


@pytest.mark.in_files
def test_what_only_reads_makes_no_store(retoma, store):
    listed = retoma("session", "ls")
    assert (listed.returncode, listed.stdout) == (0, "No active sessions found.\n")
    assert f"There is no store at {store} yet." in listed.stderr
    for verb in ("show", "read", "log", "inspect", "tree"):
        assert retoma("session", verb, "s").returncode == 4
    assert not store.exists()


def test_what_deletes_wants_the_whole_id(retoma, s):
    retoma("session", "create", "session-one")
    for name, args in (("session-o", ["rm"]), ("@last", ["rm"]), ("session-o", ["reset", "--erase"])):
        refused = retoma("session", args[0], name, *args[1:])
        assert refused.returncode == 2
        assert "'session-one'; verbs that delete need the full id" in refused.stderr
    assert retoma("session", "show", "session-one").returncode == 0


def test_a_journal_and_a_conversation_are_followed_to_their_end(retoma, s, store):
    import subprocess
    import sys

    command = [sys.executable, "-m", "retoma", "--store", str(store), "session"]
    retoma("session", "append", "s", "user", "before")
    log = subprocess.Popen([*command, "log", "s", "--follow", "--json"], stdout=subprocess.PIPE)
    read = subprocess.Popen([*command, "read", "s", "--plain-text", "--follow"], stdout=subprocess.PIPE)
    assert [msgspec.json.decode(log.stdout.readline())["type"] for _ in range(2)] == [
        "session.created",
        "message",
    ]
    assert read.stdout.readline() == b"user  before\n"
    retoma("session", "append", "s", "assistant", "after")
    assert msgspec.json.decode(log.stdout.readline())["data"]["content"] == "after"
    assert read.stdout.readline() == b"assistant  after\n"
    retoma("session", "end", "s")
    assert msgspec.json.decode(log.stdout.readline())["type"] == "session.status"
    assert (log.communicate()[0], log.returncode) == (b"", 0)
    assert (read.communicate()[0], read.returncode) == (b"", 0)


def test_a_text_with_dashes_is_kept_or_refused_and_never_lost(retoma, s):
    for text in ("-5 graus", "-h", "-hello", "- item"):
        assert retoma("session", "append", "s", "user", text).returncode == 0
    for words in (["--help"], ["--sendr"], ["-- sig"], [""], ["-"]):
        refused = retoma("session", "append", "s", "user", *words)
        assert (refused.returncode, refused.stdout) == (2, ""), words
    assert retoma("session", "append", "s", "user", "--", "--help").returncode == 0
    for verb in ("note", "rename", "describe"):
        assert retoma("session", verb, "s", "--help").returncode == 2
        assert retoma("session", verb, "--help").stdout.startswith(f"Usage: retoma session {verb}")
    said = retoma("session", "read", "s", "--plain-text").stdout
    assert said == "user  -5 graus\nuser  -h\nuser  -hello\nuser  - item\nuser  --help\n"


def test_tools_are_read_on_request_and_exported(retoma, s):
    call = '[{"type":"tool_call","id":"1","name":"count","arguments":{"m":3}}]'
    result = '[{"type":"tool_result","id":"1","result":412}]'
    retoma("session", "append", "s", "assistant", call, "--parts")
    retoma("session", "append", "s", "tool", result, "--parts")
    assert retoma("session", "read", "s", "--plain-text").stdout == ""
    lines = ['assistant  → count {"m":3}', "tool  ← 412"]
    assert retoma("session", "read", "s", "--tools", "--plain-text").stdout.splitlines() == lines
    assert "#3  just now  tool  ← 412" in retoma("session", "read", "s", "--tools").stdout
    for format in ("md", "csv", "html"):
        shown = retoma("session", "export", "s", "--format", format).stdout
        assert "412" in shown
        assert "count" in shown


def test_several_statuses_are_a_union_and_ids_can_be_listed_alone(retoma, s):
    retoma("session", "create", "paused-1")
    retoma("session", "pause", "paused-1")
    both = retoma("session", "ls", "--status", "ativa", "--status", "pausada", "-q").stdout
    assert sorted(both.split()) == ["paused-1", "s"]
    retoma("session", "archive", "paused-1")
    assert retoma("session", "ls", "--archived").stdout.startswith(
        "Archived Sessions:\n- paused-1  suspended"
    )
    retoma("session", "create", "paused-2")
    assert "at least 8 characters" in retoma("session", "show", "pause").stderr
