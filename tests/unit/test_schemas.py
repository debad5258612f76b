"""The JSON Schemas for editors say what the readers say: they are made from the same tables, and are shipped."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from retoma.config.file import read_file
from retoma.config.schema import schema as of_a_file
from retoma.errors import Invalid
from retoma.flows.fields import Fields
from retoma.flows.keys import KEYS
from retoma.flows.schema import schema as of_a_node
from retoma.trees.tree import Mapping, read

EXAMPLES = Path(__file__).parents[2] / "examples"
FILE, NODE = Draft7Validator(of_a_file()), Draft7Validator(of_a_node())


@pytest.mark.parametrize(
    ("name", "made"), [("retoma.toml", of_a_file()), ("node", of_a_node())], ids=["file", "node"]
)
def test_the_schema_that_is_shipped_is_the_one_of_the_code(name, made):
    shipped = files("retoma").joinpath(f"schemas/{name}.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == made, "scripts/schemas writes it anew"
    Draft7Validator.check_schema(made)


# A retoma.toml

GOOD = """
store = ".retoma"
[limits]
sessions = 3
events_per_session = 1000
artifact_size = 0
[retention]
idle_timeout = "1h30m"
completed_after = "2.5d"
[templates.review]
title_prefix = "Review: "
tags = ["a"]
metadata = {deep = [1, {x = true}]}
ttl = "2w"
[templates.review.limits]
events_per_session = 5
[agents.main]
model = "echo"
tools = ["x", {name = "y", command = ["wc"]}]
limits = {turns = 5}
[artifacts]
inline_below = 65536
[providers.mine]
url = "x"
[runtime.sessions]
enabled = true
session_timeout_seconds = 3600
storage_backend = "sled"
"""


def accepted(tmp_path: Path, text: str) -> bool:
    path = tmp_path / "retoma.toml"
    path.write_text(text)
    try:
        read_file(path)
    except Invalid:
        return False
    return True


def test_a_good_file_fits(tmp_path):
    assert accepted(tmp_path, GOOD)
    assert [error.message for error in FILE.iter_errors(tomllib.loads(GOOD))] == []


@pytest.mark.parametrize(
    "text",
    [
        "stor = 'x'", "store = ''", "store = 5", "limits = 5", "[limits]\nsessions = 0", "[limits]\nsessions = true",
        "[limits]\nsesions = 1", "[retention]\nidle_timeout = 5", "[retention]\nidle_timeout = '5'",
        "[retention]\nidle_timeout = '0h'", "[retention]\nidle_timeout = '5h1d'", "[templates.'a b']\ntags = []",
        "[templates.a]\ntags = 'x'", "[templates.a]\ntags = ['']", "[templates.a.limits]\nsessions = 1",
        "[artifacts]\ninline_below = -1", "[agents.a]\ntools = [{command = 'x'}]", "[agents.a]\ntool = []",
        "[runtime.sessions]\nstorage_backend = 'redis'", "[runtime]\nlanguage = 'lua'", "[providers.'']\nx = 1",
    ],
)  # fmt: skip
def test_what_the_reader_refuses_the_schema_refuses(tmp_path, text):
    assert not accepted(tmp_path, text)
    assert not FILE.is_valid(tomllib.loads(text))


# Not so many digits that a hundred years could be passed: that limit is the reader's alone.
@given(text=st.from_regex(r"[0-9.]{0,2}[wdhms]?[0-9]?[wdhms]?", fullmatch=True))
def test_durations_are_the_same_to_both(tmp_path_factory, text):
    # Not the base of all: a retoma.toml there would be found by the tests that run afterwards.
    path = tmp_path_factory.mktemp("durations")
    line = f"[retention]\nidle_timeout = '{text}'"
    assert accepted(path, line) == FILE.is_valid(tomllib.loads(line))


# A node


def problems(text: str) -> list[str]:
    tree = read(text)
    assert isinstance(tree, Mapping)
    fields = Fields("node.yaml", tree)
    fields.node("node", "", 1)
    return [problem.message for problem in fields.problems]


def test_every_example_fits():
    nodes = [path for path in EXAMPLES.rglob("*.md") if path.read_text().startswith("---\n")]
    assert len(nodes) > 10
    for path in nodes:
        front = yaml.safe_load(path.read_text().split("---\n")[1]) or {}
        assert [error.message for error in NODE.iter_errors(front)] == [], path


@pytest.mark.parametrize(
    "line",
    [
        "to: next", "to: 5", "to:", "to: [a]", "to: {a: b}", "too: next", "wait: true", "wait: maybe", "wait: [true]",
        "type: question", "type: queston", "input_type: int", "input_type: number", "options: [a, 1, true]",
        "options: [{text: a, to: b}]", "options: [{to: b}]", "options: [{text: a, two: b}]", "options: a",
        "transitions: [{to: a, condition: x}]", "transitions: [{jump_to: a}]", "transitions: [{condition: x}]",
        "transitions: [a]", "input_options: [a, b]", "input_options: [[a]]", "timeout: 5s", "timeout: 1m30s",
        "timeout: 0s", "timeout: soon", "timeout: 5", "required_context: [a.b]", "default_context: {a: [1]}",
        "default_context: a", "context_schema: {a: string, b: [int], c: '[bool]'}", "context_schema: {a: date}",
        "context_schema: {a: [string, int]}", "on_signal: {x: y}", "on_signal: {x: [y]}", "on_signal: x",
        "messages: {en: [a, {text: b, condition: c}]}", "messages: {en: [{condition: c}]}", "messages: {en: a}",
        "do: mail", "do: {name: mail, args: {a: 1}}", "do: {args: {}}", "do: [mail]", "tools: [a]", "tools: a",
        "agent: main", "agent: {name: main}", "agent: [main]", "metadata: {x-exec: {command: a}}", "content: words",
    ],
)  # fmt: skip
def test_the_reader_and_the_schema_agree_on_a_line(line):
    assert (problems(line) == []) == NODE.is_valid(yaml.safe_load(line)), line


def test_every_key_is_described():
    assert all(key.says.endswith(".") for key in KEYS.values())
    assert set(of_a_node()["properties"]) == set(KEYS)
