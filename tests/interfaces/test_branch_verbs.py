"""fork, undo, diff and what other verbs say of branches, as a user types them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

TOUR = str(Path(__file__).parents[2] / "examples" / "tour")


@pytest.fixture
def one(retoma):
    retoma("session", "create", "one", "--title", "The plan")
    for role, text in (
        ("user", "Which way?"),
        ("assistant", "The long one.\nBy the lake."),
        ("user", "Why?"),
    ):
        retoma("session", "append", "one", role, text)


def json(done):
    return msgspec.json.decode(done.stdout)


def test_a_fork_prints_its_id_and_what_it_shares(retoma, one):
    done = retoma("session", "fork", "one", "two", "--at", "3")
    assert (done.stdout, done.stderr, done.returncode) == ("two\n", "It shares 3 events with 'one'.\n", 0)
    made = json(retoma("session", "fork", "one", "--key", "k", "--json"))
    assert (made["fork_of"], made["fork_seq"]) == ("one", 4)
    assert made["id"].startswith("the-plan-")
    assert json(retoma("session", "fork", "one", "--key", "k", "--json")) == made
    assert retoma("session", "read", "two", "-n", "1", "--plain-text").stdout.startswith(
        "assistant  The long one."
    )
    assert "fork of   one at event 3" in retoma("session", "show", "two").stdout
    shown = json(retoma("session", "show", "two", "--json"))
    assert (shown["fork_of"], shown["fork_seq"]) == ("one", 3)


def test_what_cannot_be_forked_says_why(retoma, one):
    for args, status, said in (
        (("one", "one"), 5, "Session 'one' already exists."),
        (("one", "two", "--at", "9"), 2, "Session 'one' has no event 9: its last one is 4."),
        (("one", "two", "--at", "0"), 2, "0 is not in the range"),
        (("one", "a/b"), 2, "it has a slash"),
        (("nobody",), 4, "There is no session 'nobody'"),
    ):
        done = retoma("session", "fork", *args)
        assert (done.returncode, done.stdout) == (status, "")
        assert said in done.stderr


def test_a_tree_marks_its_forks(retoma, one):
    retoma("session", "create", "child", "--parent", "one")
    retoma("session", "fork", "one", "two")
    lines = [line.split() for line in retoma("session", "tree", "one").stdout.splitlines()]
    assert [line[:2] for line in lines] == [["one", "active"], ["-", "child"], ["/", "two"]]
    tree = json(retoma("session", "tree", "one", "--json"))
    assert ([child["id"] for child in tree["children"]], [fork["id"] for fork in tree["forks"]]) == (
        ["child"],
        ["two"],
    )
    assert retoma("session", "tree", "two").stderr == "'two' is a fork of 'one' at event 4.\n"
    assert [one["id"] for one in json(retoma("session", "ls", "--parent", "one", "--json"))["items"]] == [
        "child"
    ]


def test_an_undo_says_where_it_is_and_what_is_kept(retoma, one):
    done = retoma("session", "undo", "one")
    assert (done.stdout, done.stderr) == (
        "one: back at event 3\n",
        "The session as it was is kept as 'one~1' in the archive.\n",
    )
    assert json(retoma("session", "undo", "one", "--key", "k", "--json")) == {
        "id": "one",
        "seq": 1,
        "kept": "one~2",
    }
    assert json(retoma("session", "undo", "one", "--key", "k", "--json"))["kept"] == "one~2"
    nothing = retoma("session", "undo", "one")
    assert nothing.returncode == 5
    assert "There is nothing to undo: there is no user message or input in 'one'." in nothing.stderr
    assert "'one'" in retoma("session", "read", "one").stderr
    assert retoma("session", "ls").stdout.count("- one") == 1
    assert "Why?" in retoma("session", "read", "one~1").stdout


def test_a_flow_is_undone_and_run_again(retoma):
    retoma("run", TOUR, "--session", "walk", "--headless", input="Ana\n2\n")
    assert retoma("session", "undo", "walk").returncode == 0
    again = retoma("run", TOUR, "--session", "walk", "--headless", input="1\n")
    assert ">>> Resuming at 'roads' node..." in again.stderr
    assert "Which one do you take?" in again.stdout
    lines = retoma("session", "diff", "walk~1", "walk").stdout.splitlines()
    assert lines[-2:] == ['- road = "The scenic one"', '+ road = "The short one"']


def test_a_state_is_inspected_at_any_event(retoma):
    retoma("run", TOUR, "--session", "walk", "--headless", input="Ana\n2\n")
    nodes = [
        json(retoma("session", "inspect", "walk", "--at", str(at), "--json"))["current_node"]
        for at in (1, 3, 5)
    ]
    assert nodes == [None, "start", "roads"]
    then = json(retoma("session", "inspect", "walk", "--at", "5", "--json"))
    assert (then["seq"], then["context"], then["history"]) == (5, {"name": "Ana"}, ["start", "roads"])
    trellis = json(retoma("session", "inspect", "walk", "--at", "5", "--format", "trellis", "--json"))
    assert trellis["CurrentNodeID"] == "roads"
    assert retoma("session", "inspect", "walk", "--at", "99").returncode == 2


def test_a_difference_is_printed_for_people_and_programs(retoma, one):
    retoma("session", "fork", "one", "two", "--at", "2")
    retoma("session", "append", "two", "assistant", "The short one.", "--sender", "guide")
    done = retoma("session", "diff", "one", "two")
    assert done.stdout.splitlines() == [
        "- one: 4 events, active",
        "+ two: 5 events, active",
        "the same journal up to event 2",
        "-    3  assistant  The long one.",
        "-                  By the lake.",
        "-    4  user  Why?",
        "+    5  guide  The short one.",
    ]
    diff = json(retoma("session", "diff", "one", "two", "--json"))
    assert diff["common"] == {"by": "fork", "a": 2, "b": 2}
    assert [message["text"] for message in diff["messages"]["b"]] == ["The short one."]
    assert (diff["a"]["id"], diff["b"]["seq"], diff["state"]) == ("one", 5, [])
    same = retoma("session", "diff", "one", "two", "--at", "2")
    assert same.stderr == "Both have the same messages and the same state.\n"
    assert retoma("session", "diff", "one", "nobody").returncode == 4


def test_a_deletion_says_what_stays_for_whom(retoma, one):
    retoma("session", "fork", "one", "two")
    retoma("session", "fork", "one", "three", "--at", "2")
    dry = retoma("session", "rm", "one", "--dry-run")
    assert (dry.stdout, dry.stderr) == (
        "Would delete one\n",
        (
            "The events shared with its forks would stay, readable only in the forks: two, three. "
            "--with-forks deletes the forks too.\n"
        ),
    )
    done = retoma("session", "rm", "one")
    assert (
        done.stderr
        == "Its events up to 4 stay for its forks, and are deleted with the last fork: three, two.\n"
    )
    assert "fork of   a deleted session at event 4" in retoma("session", "show", "two").stdout
    assert retoma("session", "read", "two", "-n", "1", "--plain-text").stdout == "user  Why?\n"
    assert retoma("store", "check", "--json").returncode == 0
    gone = json(retoma("session", "rm", "two", "three", "--with-forks", "--json"))
    assert gone["items"] == [
        {"id": "two", "deleted": True, "forks": [], "lines": [], "shared": 0},
        {"id": "three", "deleted": True, "forks": [], "lines": [], "shared": 0},
    ]


def test_with_its_forks_all_of_it_goes(retoma, one):
    retoma("session", "fork", "one", "two")
    done = retoma("session", "rm", "one", "two", "--with-forks")
    assert (done.stdout, done.stderr, done.returncode) == (
        "Deleted one\nDeleted two\n",
        "Its forks were deleted too: two.\n",
        0,
    )
    assert retoma("session", "ls", "--all").stdout == "No active sessions found.\n"


def test_what_is_redacted_or_erased_names_the_branches(retoma, one):
    retoma("session", "fork", "one", "two")
    done = retoma("session", "redact", "one", "--pattern", "lake", "--yes")
    assert (done.stdout, done.stderr) == (
        "one: took out 1 event\n",
        "Also in sessions that share its events: two.\n",
    )
    assert "lake" not in retoma("session", "read", "two").stdout
    assert json(retoma("session", "redact", "two", "--seq", "2", "--json"))["branches"] == ["one"]
    done = retoma("session", "reset", "one", "--erase")
    assert done.stderr == "The shared events are erased in its forks too: two.\n"
    assert retoma("session", "read", "two").stdout == ""


def test_undoing_leaves_lines_that_rm_names(retoma, one):
    retoma("session", "undo", "one")
    done = retoma("session", "rm", "one")
    assert done.stderr == "The copies that `undo` kept of it stay: one~1.\n"
