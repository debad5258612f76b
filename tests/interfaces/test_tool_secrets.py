"""A tool that repeats a secret: nothing of it is on the terminal, in the log or in the store's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CODE = "import json, os, sys; sys.exit('401 for Bearer ' + json.loads(os.environ['RETOMA_ARGS'])['t'])"


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    flow = tmp_path / "flow"
    flow.mkdir()
    listed = [{"name": "say", "command": "python3", "args": ["-c", CODE], "retries": 1}]
    (flow / "tools.json").write_text(json.dumps({"tools": listed}), encoding="utf-8")
    (flow / "start.md").write_text(
        "---\ninput_type: secret\nsave_to: token\nto: call\n---\nToken?\n", encoding="utf-8"
    )
    call = "---\ndo: {name: say, args: {t: '{{ .token }}'}}\nsave_to: said\nto: end\n---\n"
    (flow / "call.md").write_text(call, encoding="utf-8")
    (flow / "end.md").write_text("It said {{ .said }}.\n", encoding="utf-8")
    return flow


def test_a_run_says_and_keeps_nothing_of_it(retoma, store, flow, monkeypatch):
    monkeypatch.setenv("RETOMA_DEBUG", "1")
    plain = retoma("run", str(flow), "--session", "s", "--yes", "--headless", input="hunter2-x\n")
    assert (plain.returncode, plain.stderr.count("401 for Bearer [secret]")) == (1, 3)
    as_json = retoma("run", str(flow), "--session", "s", "--fresh", "--yes", "--json", input="hunter2-x\n")
    assert "401 for Bearer [secret]" in as_json.stdout
    log = retoma("session", "log", "s", "--json")
    assert "401 for Bearer [secret]" in log.stdout
    kept = b"".join(file.read_bytes() for file in store.rglob("*") if file.is_file())
    said = "".join((ran.stdout + ran.stderr) for ran in (plain, as_json, log))
    assert b"hunter2" not in kept + said.encode()
    assert b"401 for Bearer" in kept


def test_a_rehearsal_masks_as_a_run_does(retoma, flow):
    (flow / ".tests").mkdir()
    (flow / ".tests" / "one.yaml").write_text(
        "inputs: [hunter2-x]\ntools: {say: [{result: 'Bearer hunter2-x'}]}\nexpect: {context: {said: no}}\n",
        encoding="utf-8",
    )
    ran = retoma("flow", "test", str(flow))
    assert "Bearer [secret]" in ran.stdout + ran.stderr, ran
    assert "hunter2" not in ran.stdout + ran.stderr
