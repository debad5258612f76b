"""What the session guide shows at a terminal works here: run --session, ls, inspect, rm."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

TOUR = str(Path(__file__).parents[2] / "examples" / "tour")


def test_a_session_is_made_and_taken_up_where_it_stopped(retoma):
    first = retoma("run", TOUR, "--session", "my-experiment", "--headless", input="Ana\n2\n")
    assert first.returncode == 3
    assert ">>> Session 'my-experiment' active." in first.stderr
    assert "Stopped at 'scenic' node" in first.stderr
    second = retoma("run", TOUR, "--session", "my-experiment", "--headless", input="\ngreen\nyes\n")
    assert second.returncode == 0
    assert ">>> Resuming at 'scenic' node..." in second.stderr
    assert ">>> Finished at 'end' node." in second.stderr
    assert second.stdout.startswith("The road climbs")
    assert "That is the tour, Ana." in second.stdout
    third = retoma("run", TOUR, "--session", "my-experiment", "--headless")
    assert third.returncode == 0
    assert "ended before, at 'end' node. Restart it with --fresh." in third.stderr
    assert third.stdout == second.stdout[second.stdout.index("That is the tour") :]


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("end", "s"), 0, ">>> Session 's' ended before, at 'roads' node. Restart it with --fresh.\n"),
        (
            ("fail", "s", "--reason", "broke"),
            1,
            """>>> Session 's' failed before, at 'roads' node. Restart it with --fresh.
>>> Failed at 'roads' node: broke
""",
        ),
    ],
)
def test_a_session_ended_in_the_middle_shows_where_it_stood(retoma, args, status, said):
    retoma("run", TOUR, "--session", "s", "--headless", input="Ana\n")
    retoma("session", *args)
    again = retoma("run", TOUR, "--session", "s", "--headless", input="1\n")
    assert (again.returncode, again.stderr) == (status, said)
    assert again.stdout.startswith("Hello Ana!")


def test_a_session_that_ended_without_a_flow_says_so(retoma):
    retoma("session", "create", "s")
    retoma("session", "end", "s")
    again = retoma("run", TOUR, "--session", "s", "--headless")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == ">>> Session 's' ended before, with no flow in it. Restart it with --fresh.\n"


def test_ls_names_the_active_sessions(retoma):
    assert retoma("session", "ls").stdout == "No active sessions found.\n"
    for name in ("dev-test-01", "my-experiment"):
        retoma("run", TOUR, "--session", name, "--headless")
    lines = retoma("session", "ls").stdout.splitlines()
    assert lines[0] == "Active Sessions:"
    assert [line.split()[:2] for line in lines[1:]] == [["-", "my-experiment"], ["-", "dev-test-01"]]


def test_ls_counts(retoma):
    retoma("session", "create", "a")
    retoma("session", "create", "b")
    assert retoma("session", "ls", "--total").stderr == "2 of 2.\n"
    assert retoma("session", "ls", "--limit", "1").stderr.startswith("1 of 2. More: --all, or --cursor ")


def test_nothing_to_read_says_of_what(retoma):
    retoma("run", TOUR, "--session", "s", "--headless")
    assert (
        retoma("session", "read", "s", "--since", "99").stderr
        == "There is no message in 's' after event 99.\n"
    )
    assert retoma("session", "log", "s", "--type", "messag").stderr == "No event of type messag in 's'.\n"


def test_a_session_does_not_fail_without_a_reason(retoma):
    retoma("session", "create", "s")
    assert retoma("session", "fail", "s", "--reason", " ").returncode == 2
    assert '"status": "active"' in retoma("session", "inspect", "s").stdout


def test_a_session_past_its_time_is_shown_as_expired(retoma):
    retoma("session", "create", "short", "--ttl", "0.001s")
    retoma("session", "create", "long", "--ttl", "5h")
    assert [line.split()[1:] for line in retoma("session", "ls").stdout.splitlines()[1:]] == [
        ["long", "just", "now", "expires", "in", "5", "h"],
        ["short", "just", "now", "expired", "just", "now"],
    ]
    assert "\nexpired  just now" in retoma("session", "show", "short").stdout
    assert "\nexpires  in 5 h" in retoma("session", "show", "long").stdout


def test_inspect_shows_the_state(retoma):
    retoma("run", TOUR, "--session", "s", "--headless", "--context", '{"count": 42}', input="Ana\n")
    state = msgspec.json.decode(retoma("session", "inspect", "s").stdout)
    assert (state["current_node"], state["status"], state["flow_status"]) == (
        "roads",
        "active",
        "waiting_for_input",
    )
    assert state["context"] == {"count": 42, "name": "Ana"}
    assert state["history"] == ["start", "roads"]
    guide = msgspec.json.decode(retoma("session", "inspect", "s", "--format", "trellis").stdout)
    assert guide == {
        "CurrentNodeID": "roads",
        "Status": "active",
        "Context": {"count": 42, "name": "Ana"},
        "History": ["start"],
    }


def test_rm_takes_several_and_says_which_was_missing(retoma):
    for name in ("s1", "s2", "s3"):
        retoma("session", "create", name)
    done = retoma("session", "rm", "s1", "nosuch", "s2", "s3")
    assert done.returncode == 4
    assert done.stdout.splitlines() == ["Deleted s1", "Deleted s2", "Deleted s3"]
    assert "There is no session 'nosuch'" in done.stderr
    assert retoma("session", "ls").stdout == "No active sessions found.\n"


def test_a_removed_session_starts_anew(retoma):
    retoma("run", TOUR, "--session", "s", "--headless", input="Ana\n")
    retoma("session", "rm", "s")
    again = retoma("run", TOUR, "--session", "s", "--headless")
    assert "Resuming" not in again.stderr
    assert "Stopped at 'start' node" in again.stderr


@pytest.mark.in_files
def test_what_is_removed_is_in_no_file_of_the_store(retoma, store):
    secret = "planted-7f3a9c-secret"
    retoma("run", TOUR, "--session", "s", "--headless", input=f"{secret}\n")
    retoma("session", "create", "other", "--title", secret, "--tag", secret, "--meta", f"k={secret}")
    found = [file.name for file in store.iterdir() if secret.encode() in file.read_bytes()]
    assert found == ["retoma.db"]
    retoma("session", "rm", "s", "other")
    assert [file.name for file in store.iterdir() if secret.encode() in file.read_bytes()] == []


def test_the_life_of_a_session(retoma):
    retoma("run", TOUR, "--session", "s", "--headless")
    assert retoma("session", "pause", "s").stdout == "s: active → suspended\n"
    paused = retoma("run", TOUR, "--session", "s", "--headless", input="Ana\n")
    assert paused.returncode == 5
    assert "suspended" in paused.stderr
    assert retoma("session", "resume", "s").returncode == 0
    assert retoma("session", "fail", "s", "--reason", "why").stdout == "s: active → failed\n"
    refused = retoma("session", "resume", "s")
    assert refused.returncode == 5
    assert "is failed and cannot become active" in refused.stderr
    for word in ("encerrada", "ended", "failed"):
        assert "- s " in retoma("session", "ls", "--status", word).stdout
    fresh = retoma("run", TOUR, "--session", "s", "--fresh", "--headless", input="Bia\n")
    assert "Stopped at 'roads' node" in fresh.stderr
    assert [m["text"] for m in msgspec.json.decode(retoma("session", "read", "s", "--json").stdout)["items"]][
        1
    ] == "Bia"


@pytest.mark.parametrize("name", ["s", "session-one", "@last"])
def test_a_session_is_named_by_id_by_beginning_or_as_the_last(retoma, name):
    retoma("session", "create", "session-one-and-only" if name != "s" else "s")
    assert retoma("session", "show", name).returncode == 0


def test_another_flow_is_refused_in_a_session_that_runs_one(retoma):
    retoma("run", TOUR, "--session", "s", "--headless")
    done = retoma("run", TOUR.replace("tour", "quiz"), "--session", "s", "--headless")
    assert done.returncode == 5
    assert "--fresh" in done.stderr


def test_json_is_one_document_and_lists_have_one_shape(retoma):
    assert msgspec.json.decode(retoma("session", "ls", "--json").stdout) == {
        "items": [],
        "next": None,
        "more": False,
        "total": None,
    }
    for n in range(5):
        retoma("session", "create", f"s{n}")
    page = msgspec.json.decode(retoma("session", "ls", "--json", "--limit", "2", "--total").stdout)
    rest = msgspec.json.decode(retoma("session", "ls", "--json", "--cursor", page["next"]).stdout)
    assert [s["id"] for s in page["items"] + rest["items"]] == ["s4", "s3", "s2", "s1", "s0"]
    assert (page["more"], page["total"], rest["more"]) == (True, 5, False)


def test_a_context_that_lacks_a_required_key_leaves_no_session(retoma, tmp_path):
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text("---\nrequired_context: [who]\nwait: true\n---\nHello {{ .who }}\n")
    done = retoma("run", str(flow), "--session", "s", "--headless")
    assert done.returncode == 1
    assert "who" in done.stderr
    assert retoma("session", "ls").stdout == "No active sessions found.\n"
    done = retoma("run", str(flow), "--session", "s", "--headless", "--context", '{"who": "Ana"}', input="\n")
    assert done.returncode == 0
    assert done.stdout == "Hello Ana\n"
