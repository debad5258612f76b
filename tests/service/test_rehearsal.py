"""Flows held against scripts: those of the examples, those in a foreign style, and scripts that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from retoma.flows import load
from retoma.flows.script import read
from retoma.runtime.rehearsal import Difference, rehearse

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    file for place in ("examples", "tests/flows") for file in (ROOT / place).glob("*/.tests/*.yaml")
)
FLOW = {
    "start": "---\ntype: question\nsave_to: name\non_signal: {bell: end}\nto: ring\n---\nWho?\n",
    "ring": "---\ndo: {name: ring, args: {who: '{{ .name }}'}}\nsave_to: tone\nto: end\n---\nRinging.\n",
    "end": "Rang {{ .tone }}.\n",
}


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: f"{file.parents[1].name}/{file.stem}")
def test_a_flow_does_what_its_script_says(client, file: Path) -> None:
    script, problems = read(str(file), file.read_bytes())
    assert problems == []
    assert rehearse(client.drive, file.parents[1], load(file.parents[1]), script) is None


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 14


@pytest.fixture
def differs(client, make_flow):
    directory = make_flow(**FLOW)

    def run(text: str) -> Difference | None:
        script, problems = read("script.yaml", text.encode())
        assert problems == []
        return rehearse(client.drive, directory, load(directory), script)

    return run


GOOD = "inputs: [Ana]\ntools: {ring: {result: A}}\n"


@pytest.mark.parametrize(
    ("text", "what", "expected", "got"),
    [
        (GOOD + "expect: {node: ring}", "node", "ring", "end"),
        (GOOD + "expect: {status: failed}", "status", "failed", "finished"),
        (GOOD + "expect: {history: [start, ring]}", "history[2]", "nothing more", "end"),
        (GOOD + "expect: {context: {tone: B}}", "context.tone", "B", "A"),
        (GOOD + "expect: {context: {tool_result: {_id: x}}}", "context.tool_result._id", "x", "ring"),
        (GOOD + "expect: {calls: []}", "calls[0]", "null", "ring"),
        (GOOD + "expect: {calls: [{name: ring, args: {who: Eva}}]}", "calls[0].args.who", "Eva", "Ana"),
        (GOOD + "expect: {output: [Rang, Who]}", "output", "… Who …", " A."),
        ("inputs: [{input: a, at: end}]\nexpect: {}", "input 1", "at 'end'", "at 'start'"),
    ],
)
def test_the_first_difference_is_named(differs, text, what, expected, got):
    found = differs(text)
    assert (found.what, found.expected, found.got) == (what, expected, got)
    assert found.line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("inputs: [a]\nexpect: {}", "the tool 'ring' was called, but has no answer in 'tools'."),
        ("tools: {rnig: {result: 1}}\nexpect: {}", "no node calls a tool 'rnig'. Did you mean 'ring'?"),
        (
            "inputs: [a]\ntools: {ring: []}\nexpect: {}",
            "the tool 'ring' was called 1 times, and has 0 answers",
        ),
        ("inputs: [{signal: x}]\nexpect: {}", "nothing handles the signal 'x' at 'start'"),
        (GOOD.replace("Ana", "Ana, more") + "expect: {}", "the flow ended at 'end' before this input"),
    ],
)
def test_what_does_not_fit_the_flow_is_said(differs, text, what):
    assert differs(text).what == what


def test_what_is_as_expected_has_no_difference(differs):
    assert differs(GOOD + "expect: {node: end, context: {missing: null}, output: [Who, Rang]}") is None
    assert differs("inputs: [{signal: bell}]\nexpect: {node: end, calls: []}") is None
    assert differs("expect: {status: waiting_for_input, node: start}") is None


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("- a", 1, "A script must be a mapping"),
        ("inputs: []", 1, "has no 'expect'"),
        ("expect: {}\ninput: [a]", 2, "Did you mean 'inputs'?"),
        ("expect: {nodes: a}", 1, "Did you mean 'node'?"),
        ("expect: {status: finishd}", 1, "Did you mean 'finished'?"),
        ("expect: {}\ninputs: [{signal: a, input: b}]", 2, "'input' or 'signal'"),
        ("expect: {}\ninputs: [[a]]", 2, "An input is a text"),
        ("expect: {}\ntools:\n  x: {result: 1, error: b}", 3, "'result', 'error' or 'denied'"),
        ("expect: {calls: [{nam: x}]}", 1, "Did you mean 'name'?"),
        ("expect: {history: a}", 1, "must be a list"),
        ("expect: [", 2, "is not valid YAML"),
    ],
)
def test_a_wrong_script_is_refused_with_its_line(text, line, says):
    _, problems = read("script.yaml", text.encode())
    assert any(problem.line == line and says in str(problem) for problem in problems), problems
