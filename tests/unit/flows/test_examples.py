"""Each example is sound and can be walked to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from retoma.flows import load, start, step, validate
from retoma.model.codec import Json
from retoma.model.flow import Position, Step

EXAMPLES = Path(__file__).parents[3] / "examples"
FLOWS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "python")


def after(done: Step, before: Position | None = None) -> Position:
    """Apply a step as a store would."""
    context: dict[str, Json] = {**(before.context if before else {}), **done.sets}
    for visit in done.visits:
        context |= visit.sets
    node = done.visits[-1].node if done.visits else before.node if before else None
    visits = (before.visits if before else 0) + len(done.visits)
    return Position(node=node, status=done.status, context=context, ans=done.ans, visits=visits)


WALKS = [
    ("tour", {}, ["Ada", "2", "", "blue", "n", "green", "y"], "end"),
    ("tour", {}, ["", "the short one", "teal", ""], "end"),
    ("triage", {"product": "Lantern"}, ["", "no light", "-1", "3"], "ticket"),
    ("triage", {"product": "Lantern"}, ["my LOGIN", "n", "", "y"], "solved"),
    ("triage", {"product": "Lantern"}, ["dark", "12"], "call"),
    ("triage", {"product": "Lantern", "office_hours": False}, ["dark", "12"], "later"),
    ("oncall", {}, ["disk full", "y", "1", "y", "slow", "it is slow", "0.5"], "close"),
    ("oncall", {}, ["disk full", "n"], "handover"),
    ("signup", {}, ["ada", "ada@example.org", "200", "36", "1", "Main St 1", "s3cret"], "done"),
    ("signup", {}, ["kid@example.org", "9"], "too-young"),
    ("quiz", {}, ["venus", "hint", "Mars", "3", "Lyon", "2", "9", "11"], "end"),
    ("cadastro", {}, ["", "Ana", "70", "3", "n", "Ana", "30", "1", "ana@example.org", "y"], "fim"),
]


@pytest.mark.parametrize(("name", "context", "inputs", "end"), WALKS)
def test_an_example_reaches_its_end(name: str, context: dict[str, Json], inputs: list[str], end: str) -> None:
    flow = load(EXAMPLES / name)
    position = after(start(flow, context))
    for text in inputs:
        assert position.status == "waiting_for_input"
        done = step(flow, position, text)
        assert done.failure == ""
        position = after(done, position)
    assert (position.status, position.node) == ("finished", end)


@pytest.mark.parametrize("directory", FLOWS, ids=lambda path: path.name)
def test_an_example_has_no_problem_and_says_what_it_is(directory: Path) -> None:
    assert validate(load(directory)) == []
    assert (directory / "README.md").is_file()


@pytest.mark.parametrize("directory", FLOWS, ids=lambda path: path.name)
def test_an_example_is_walked(directory: Path) -> None:
    assert directory.name in {walk[0] for walk in WALKS} or (directory / ".tests").is_dir()
