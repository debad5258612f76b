"""`session export` and `import` as a user meets them: files, pipes, outcomes, exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOUR = str(Path(__file__).parents[2] / "examples" / "tour")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return tmp_path / "other"


def test_a_flow_moves_to_another_store_and_goes_on_there(retoma, tmp_path, other):
    retoma("run", TOUR, "--session", "walk", "--headless", input="Ana\n1\n")
    file = tmp_path / "walk.json"
    done = retoma("session", "export", "walk", "-o", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"Wrote {file}: ")
    assert file.stat().st_mode & 0o777 == 0o600
    done = retoma("session", "import", str(file), at=other)
    events = len(json.loads(file.read_bytes())["events"])
    assert done.stdout == f"walk: imported, {events} events\n"
    assert retoma("session", "import", str(file), at=other).stdout == "walk: here already, nothing added\n"
    done = retoma("run", TOUR, "--session", "walk", "--headless", input="blue\nyes\n", at=other)
    assert done.returncode == 0
    assert ">>> Resuming at 'colour' node..." in done.stderr
    for store in (None, other):
        lines = retoma("session", "export", "walk", "--format", "jsonl", at=store).stdout
        assert lines.count('"type":"event"') >= events


def test_a_pipe_moves_a_session(retoma, other):
    retoma("session", "create", "a", "--title", "T")
    lines = retoma("session", "export", "a", "--format", "jsonl").stdout
    done = retoma("session", "import", "-", "--as", "b", "--json", input=lines, at=other)
    assert json.loads(done.stdout) == {
        "items": [{"file": "-", "id": "b", "events": 1, "added": 1, "outcome": "imported", "error": None}],
        "next": None,
        "more": False,
        "total": None,
    }


@pytest.mark.in_files
def test_an_existing_file_is_replaced_only_when_asked(retoma, tmp_path):
    retoma("session", "create", "a")
    file = tmp_path / "a.md"
    file.write_text("mine")
    done = retoma("session", "export", "a", "--format", "md", "-o", str(file))
    assert done.returncode == 5
    assert "--force" in done.stderr
    assert file.read_text() == "mine"
    done = retoma("session", "export", "a", "--format", "md", "-o", str(file), "--force", "--json")
    assert json.loads(done.stdout)["size_bytes"] == file.stat().st_size
    assert file.read_text().startswith("# a\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md", "store"]


def test_a_file_that_cannot_be_written(retoma, tmp_path):
    retoma("session", "create", "a")
    for target in (tmp_path / "absent" / "a.json", tmp_path):
        done = retoma("session", "export", "a", "-o", str(target), "--force")
        assert done.returncode == 1
        assert "cannot be written" in done.stderr
    assert retoma("session", "export", "a", "-o", "/dev/null").returncode == 0
    assert not Path("/dev/null").is_file()


def test_each_file_is_tried_and_the_worst_status_is_the_commands(retoma, tmp_path, other):
    for name in "ab":
        retoma("session", "create", name)
        retoma("session", "export", name, "-o", str(tmp_path / f"{name}.json"))
    (tmp_path / "torn.json").write_bytes((tmp_path / "a.json").read_bytes()[:-50])
    (tmp_path / "page.html").write_text("<html>")
    names = ["a.json", "torn.json", "page.html", "absent", "b.json"]
    done = retoma("session", "import", "--json", *(str(tmp_path / name) for name in names), at=other)
    assert done.returncode == 6
    items = json.loads(done.stdout)["items"]
    assert [item["outcome"] for item in items] == ["imported", "refused", "refused", "refused", "imported"]
    assert [item["error"] and item["error"]["code"] for item in items] == [
        None, "damaged_export", "not_an_export", "no_file", None,
    ]  # fmt: skip
    said = done.stderr.splitlines()
    assert all(str(tmp_path / name) in done.stderr for name in names[1:4])
    assert len(said) <= 6
    assert [s["id"] for s in json.loads(retoma("session", "ls", "--json", at=other).stdout)["items"]] == [
        "b",
        "a",
    ]
    one = retoma("session", "import", str(tmp_path / "absent"), at=other)
    assert one.returncode == 4


def test_what_cannot_be_asked(retoma):
    retoma("session", "create", "a")
    assert retoma("session", "export", "a", "--format", "csv", "--json").returncode == 2
    assert retoma("session", "export", "absent").returncode == 4
    assert retoma("session", "import", "a", "b", "--as", "c").returncode == 2
    assert retoma("session", "import", ".").returncode == 1


def test_a_closed_pipe_is_no_failure(retoma, store):
    retoma("session", "create", "a")
    retoma("session", "export", "a", "-o", "/dev/null")
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "retoma", "--store", str(store), "session", "export", "a"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_secret_is_in_no_export(retoma, tmp_path):
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "start.md").write_text(
        "---\ntype: question\ninput_type: secret\nsave_to: pin\nto: end\n---\nPIN?\n"
    )
    (flow / "end.md").write_text("Thanks.\n")
    done = retoma("run", str(flow), "--session", "s", "--headless", input="hunter2\n")
    assert done.returncode == 0, done.stderr
    for format in ("json", "jsonl", "csv", "md"):
        assert "hunter2" not in retoma("session", "export", "s", "--format", format).stdout
