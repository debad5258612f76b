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
    assert (
        retoma("session", "import", str(file), at=other).stdout == "walk: already up to date, nothing added\n"
    )
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
    item = {
        "file": "-",
        "format": "retoma",
        "id": "b",
        "events": 1,
        "added": 1,
        "kept": 0,
        "erased": 0,
        "outcome": "imported",
    }
    assert json.loads(done.stdout) == {
        "items": [{**item, "kept": 0, "erased": 0, "error": None, "warnings": []}],
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


def test_what_cannot_be_asked(retoma, tmp_path):
    retoma("session", "create", "a")
    assert retoma("session", "export", "a", "--format", "csv", "--json").returncode == 2
    assert retoma("session", "export", "absent").returncode == 4
    assert retoma("session", "import", "a", "b", "--as", "c").returncode == 2
    (tmp_path / "empty").mkdir()
    assert retoma("session", "import", str(tmp_path / "empty")).returncode == 4


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
    for format in ("json", "jsonl", "csv", "md", "html"):
        assert "hunter2" not in retoma("session", "export", "s", "--format", format).stdout


SAMPLES = Path(__file__).parents[1] / "samples"


def test_a_directory_of_another_tool_comes_in_and_again_adds_nothing(retoma):
    args = (
        "session",
        "import",
        str(SAMPLES / "claude-code/projects"),
        str(SAMPLES / "copilot/session-state"),
    )
    done = retoma(*args)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 9
    assert "5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0003:af4d97ae22e9f17c1: imported, 16 events" in lines
    again = retoma(*args)
    assert again.stdout.splitlines() == [
        f"{line.rpartition(': ')[0]}: already up to date, nothing added" for line in lines
    ]
    assert retoma(
        "session", "ls", "--context", "claude-code=5a3f0c11-7b2e-4d19-9c40-1f6e2a8b0003"
    ).stdout.count("\n- ")
    tree = retoma("session", "tree", "0b5e8f10-3c47-4f6a-9d21-7a1c00000003").stdout
    assert "General Purpose" in tree
    assert retoma("store", "check").returncode == 0


def test_each_file_of_a_directory_is_tried_and_what_was_met_is_told(retoma):
    done = retoma("session", "import", str(SAMPLES / "trellis/damaged"), "--json")
    assert done.returncode == 6
    items = {Path(item["file"]).name: item for item in json.loads(done.stdout)["items"]}
    assert {item["format"] for item in items.values()} == {"trellis", None}
    assert {name: item["outcome"] for name, item in items.items()} == {
        "document-twice.json": "imported", "node-not-in-flow.json": "imported", "raw-newline.json": "imported",
        "tmp-pedido-002-3141592653.json": "skipped", "tool-call-without-result.json": "imported",
        "torn.json": "refused", "trailing-nul.json": "imported", "u2028.json": "imported",
        "unknown-status-and-key.json": "imported",
    }  # fmt: skip
    assert items["torn.json"]["error"]["code"] == "damaged_import"
    assert items["trailing-nul.json"]["warnings"] == [
        {"code": "nul_bytes", "detail": "512 NUL bytes at the end were ignored.", "line": 16},
        {"code": "no_result", "detail": "The tool call 'aquecer-1' at the node 'preparar' has no result."},
    ]
    (said,) = [json.loads(line)["error"] for line in done.stderr.splitlines() if line.startswith("{")]
    assert said["facts"]["file"] == f"{SAMPLES}/trellis/damaged/torn.json"
    assert said["detail"].startswith("Line 14: ")
    assert "trailing-nul.json: line 16: 512 NUL bytes at the end were ignored." in done.stderr
    quiet = retoma("session", "import", str(SAMPLES / "trellis/damaged/trailing-nul.json"), "--quiet")
    assert quiet.stderr == ""


def test_a_name_is_for_one_session(retoma):
    one = str(SAMPLES / "trellis/sessions/pedido-001.json")
    assert retoma("session", "import", one, "--as", "mine").stdout == "mine: imported, 5 events\n"
    for wrong in (str(SAMPLES / "trellis/sessions"), str(SAMPLES / "openai-agents/sessions.db")):
        done = retoma("session", "import", wrong, "--as", "x")
        assert done.returncode == 2
        assert "--as works with one" in done.stderr


def test_standard_input_and_a_named_source(retoma):
    data = (SAMPLES / "openai-agents/advanced.db").read_bytes()
    done = retoma("session", "import", "-", "--from", "openai-agents", input=data)
    assert done.stdout.splitlines()[0] == "menu-003: imported, 9 events"
    done = retoma("session", "import", "-", "--from", "copilot", input="hello\n")
    assert done.returncode == 6
    assert retoma("session", "import", "-", input="hello\n").returncode == 2
    assert retoma("session", "import", "-", "--from", "word", input="").returncode == 2


@pytest.mark.parametrize("sample", ["sessions/pedido-002.json", "sessions-old-spelling/pedido-010.json"])
def test_run_goes_on_with_an_imported_session(retoma, tmp_path, sample):
    flow = tmp_path / "coffee"
    flow.mkdir()
    (flow / "start.md").write_text("---\ntype: question\nsave_to: bebida\nto: preparar\n---\nO que?\n")
    (flow / "preparar.md").write_text("---\ntype: question\nsave_to: x\nto: fim\n---\nPara {{ .bebida }}?\n")
    (flow / "fim.md").write_text("Pronto: {{ .bebida }}.\n")
    retoma("session", "import", str(SAMPLES / "trellis" / sample))
    name = Path(sample).stem
    assert "flow" in retoma("session", "ls").stdout
    assert "(not named) at preparar (waiting_for_tool)" in retoma("session", "show", name).stdout
    done = retoma("run", str(flow), "--session", name, "--headless", input="sim\n")
    assert done.returncode == 0
    assert ">>> The session was imported; it continues in the flow 'coffee'." in done.stderr
    assert ">>> Resuming at 'preparar' node..." in done.stderr
    drink = "chá" if name == "pedido-002" else "café"
    assert done.stdout == f"Para {drink}?\nPronto: {drink}.\n"
    assert retoma("store", "check").returncode == 0


def test_a_page_and_a_redacted_copy(retoma, tmp_path):
    retoma("session", "create", "a", "--title", "T")
    retoma("session", "append", "a", "user", "my password: hunter2-hunter2 and card 4111")
    page = tmp_path / "a.html"
    assert retoma("session", "export", "a", "--format", "html", "-o", str(page)).returncode == 0
    assert "hunter2-hunter2" in page.read_text()
    done = retoma(
        "session",
        "export",
        "a",
        "--format",
        "html",
        "-o",
        str(page),
        "--force",
        "--redact-pattern",
        "4[0-9]{3}",
    )
    assert done.stderr.endswith(", redacted\n")
    assert "hunter2" not in page.read_text()
    assert "4111" not in page.read_text()
    assert "Redacted" in page.read_text()
    lines = retoma("session", "export", "a", "--format", "jsonl", "--redact").stdout
    assert "hunter2" not in lines
    done = retoma("session", "import", "-", input=lines, at=tmp_path / "other")
    assert done.stdout == "a: imported, 3 events\n"
    assert retoma("store", "check", at=tmp_path / "other").returncode == 0
    done = retoma("session", "export", "a", "-o", str(tmp_path / "a.json"), "--redact", "--json")
    assert json.loads(done.stdout)["redacted"] is True
    assert retoma("session", "export", "a", "--redact-pattern", "(").returncode == 2
