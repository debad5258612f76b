"""`flow graph`, `session signal`, and what `run` says of signals, secrets and edited flows."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path

import pytest

from retoma.__main__ import main

EXAMPLES = Path(__file__).parents[2] / "examples"
PIN = "---\ninput_type: secret\nsave_to: pin\nto: who\n---\nPin?\n"
WHO = "---\ntype: question\nsave_to: name\nto: gate\n---\nWho?\n"
GATE = "---\ntransitions:\n  - {condition: context.pin == '4711', to: inside}\nto: outside\n---\nThe gate.\n"


def write(directory: Path, **nodes: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in nodes.items():
        (directory / f"{name}.md").write_text(text)
    return directory


def gate(tmp_path: Path) -> Path:
    return write(tmp_path / "gate", start=PIN, who=WHO, gate=GATE, inside="In.\n", outside="Out.\n")


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_graph_marks_where_a_session_was_and_is(retoma):
    retoma("run", str(EXAMPLES / "tour"), "--session", "s", "--headless", input="Ana\n2\n")
    mermaid = retoma("flow", "graph", str(EXAMPLES / "tour"), "--session", "s").stdout
    assert [line.split('"')[1] for line in mermaid.splitlines() if ":::visited" in line] == ["roads", "start"]
    assert [line.split('"')[1] for line in mermaid.splitlines() if ":::current" in line] == ["scenic"]
    dot = retoma("flow", "graph", str(EXAMPLES / "tour"), "--format", "dot").stdout
    assert dot.startswith('digraph "tour" {') and "fillcolor" not in dot
    view = json.loads(retoma("flow", "graph", str(EXAMPLES / "tour"), "--session", "s", "--json").stdout)
    assert [node["id"] for node in view["nodes"] if node["visited"]] == ["roads", "scenic", "start"]
    assert {"from": "roads", "to": "scenic", "label": "The scenic one"} in view["edges"]
    assert retoma("flow", "graph", str(EXAMPLES / "quiz"), "--session", "s").returncode == 5
    assert retoma("flow", "graph", str(EXAMPLES / "quiz"), "--session", "nosuch").returncode == 4
    retoma("session", "create", "plain")
    plain = retoma("flow", "graph", str(EXAMPLES / "quiz"), "--session", "plain")
    assert (plain.returncode, "has no flow yet" in plain.stderr) == (0, True)


def test_a_signal_is_sent_from_beside(retoma):
    retoma("run", str(EXAMPLES / "oncall"), "--session", "night", "--headless", input="disk full\n")
    sent = retoma("session", "signal", "night", "timeout", "--json")
    assert json.loads(sent.stdout) == {
        "id": "night", "signal": "timeout", "node": "steps/acknowledge", "to": "handover",
        "current_node": "handover", "flow_status": "finished",
    }  # fmt: skip
    assert (
        '"name":"timeout","to":"handover"'
        in retoma("session", "log", "night", "--type", "flow.signal").stdout
    )
    assert retoma("session", "signal", "night", "timeout").returncode == 5
    assert retoma("session", "signal", "nosuch", "timeout").returncode == 4
    retoma("run", str(EXAMPLES / "tour"), "--session", "s", "--headless")
    left = retoma("session", "signal", "s", "interrupt")
    assert (left.returncode, left.stdout) == (0, "")
    assert left.stderr == "Nothing handles 'interrupt' at 'start': s did not move.\n"


@pytest.mark.parametrize("handled", [True, False])
def test_a_time_out_is_a_line_of_its_own(tmp_path, monkeypatch, capsys, handled):
    waits = iter([[], [0]])
    monkeypatch.setattr(select, "select", lambda *_: (next(waits), [], []))
    head = "wait: true\ntimeout: 5m\n" + ("on_timeout: late\n" if handled else "")
    flow = write(
        tmp_path / "flow", start=f"---\n{head}---\nQuick!\n", late="---\nwait: true\n---\nToo late.\n"
    )
    status = main(["--store", str(tmp_path / "store"), "run", str(flow), "--session", "s", "--json"])
    printed = lines(capsys.readouterr().out)
    to = "late" if handled else None
    assert {"type": "signal", "name": "timeout", "node": "start", "to": to} in printed
    assert [line["type"] for line in printed] == [
        "render", "request_input", "signal", *(["render"] if handled else []), "request_input", "end",
    ]  # fmt: skip
    assert (status, printed[-1]["node"]) == (3, "late" if handled else "start")


@pytest.mark.in_files
def test_without_a_person_a_secret_that_is_needed_again_stops_the_run(retoma, tmp_path, store):
    flow = str(gate(tmp_path))
    retoma("run", flow, "--session", "s", "--headless", input="4711\n")
    stopped = retoma("run", flow, "--session", "s", "--headless", input="Ana\n4711\n")
    assert stopped.returncode == 3
    assert ">>> Stopped at 'who' node: the secret 'pin' is needed again." in stopped.stderr
    assert "4711" not in stopped.stdout + stopped.stderr
    headless = lines(retoma("run", flow, "--session", "s", "--headless", "--json", input="Ana\n").stdout)
    assert (headless[-1]["status"], headless[-1]["cause"]) == (
        "waiting_for_input",
        "The secret 'pin' is needed again.",
    )
    asked = retoma("run", flow, "--session", "s", "--json", input="Ana\n4711\n")
    requests = [line for line in lines(asked.stdout) if line["type"] == "request_input"]
    assert [(line["node"], line["input_type"]) for line in requests] == [("who", "text"), ("start", "secret")]
    assert (asked.returncode, lines(asked.stdout)[-1]["node"]) == (0, "inside")
    assert all(b"4711" not in file.read_bytes() for file in store.rglob("*") if file.is_file())
    assert "4711" not in retoma("session", "log", "s").stdout + retoma("session", "inspect", "s").stdout


def test_pinned_and_an_edited_flow(retoma, tmp_path):
    flow = gate(tmp_path)
    retoma("run", str(flow), "--session", "s", "--headless", input="4711\n")
    write(flow, who=WHO.replace("Who?", "Who is there?"))
    pinned = retoma("run", str(flow), "--session", "s", "--headless", "--pinned")
    assert (pinned.stdout, ">>> The flow was edited since the last run." in pinned.stderr) == ("Who?\n", True)
    write(flow, who="---\nto: [\n")
    broken = retoma("run", str(flow), "--session", "s", "--headless")
    assert (broken.returncode, broken.stdout) == (3, "Who?\n")
    assert "who.md:1: The front matter that starts here has no closing line." in broken.stderr
    both = retoma("run", str(flow), "--session", "s", "--fresh", "--pinned")
    assert (both.returncode, "Use only one of the two." in both.stderr) == (2, True)


def test_a_full_session_says_so(retoma, tmp_path):
    (tmp_path / "retoma.toml").write_text("[limits]\nevents_per_session = 4\n")
    flow = gate(tmp_path)
    command = [
        sys.executable,
        "-m",
        "retoma",
        "--store",
        str(tmp_path / "s"),
        "run",
        str(flow),
        "--session",
        "s",
    ]
    ran = subprocess.run(
        [*command, "--headless"], input="1\n", capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert ran.returncode == 5
    assert "Session 's' has 3 events, and limits.events_per_session allows 4." in ran.stderr
    assert "Your last answer" not in ran.stderr


def test_what_run_says_follows_the_language(retoma, monkeypatch):
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    first = retoma("run", str(EXAMPLES / "quiz"), "--session", "s", "--headless", input="mars\nparis\n")
    assert first.stderr == (
        ">>> Sessão 's' ativa.\n>>> Parado no nó 'number': a entrada acabou. Continue com o mesmo comando.\n"
    )
    done = retoma("run", str(EXAMPLES / "quiz"), "--session", "s", "--headless", input="11\n")
    assert ">>> Retomando no nó 'number'...\n>>> Concluído no nó 'end'.\n" in done.stderr
    assert "As três. Muito bem!" in done.stdout
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    again = retoma("run", str(EXAMPLES / "quiz"), "--session", "s").stderr
    assert again.startswith(">>> Session 's' ended before, at 'end' node.")


def test_every_translation_has_the_places_of_its_sentence():
    from string import Formatter

    from retoma.interfaces.cli.words import _PORTUGUESE

    def places(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text)}

    assert {text for text, said in _PORTUGUESE.items() if places(text) != places(said)} == set()
