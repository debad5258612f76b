"""The allow-list of a flow: what it may say, and what is wrong with it, all at once with its lines."""

from __future__ import annotations

import pytest

from retoma.errors import Invalid
from retoma.flows import Tool, parse, validate
from retoma.programs.allow_list import of_files, read

WHOLE = """\
tools:
  - name: mail
    command: ./mail.sh
    args: [--to, "{{ not a template }}"]
    env: {LIMIT: 5}
    description: Sends a mail
    timeout: 1m30s
    retries: 3
  - {name: ring, command: ring}
"""


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ("[sh, -c, 'echo 1']", "[]", ("sh", ("-c", "echo 1"))),
        ("[sh]", "[x]", ("sh", ("x",))),
        ("[./a, '']", "[x, 1]", ("./a", ("", "x", "1"))),
        ("[python3, -m, json.tool, 7, true]", "[]", ("python3", ("-m", "json.tool", "7", "true"))),
        ("['a b', '{{ .x }}']", "[]", ("a b", ("{{ .x }}",))),
    ],
)
def test_a_command_may_be_a_list(command: str, args: str, expected: tuple[str, tuple[str, ...]]) -> None:
    tools, problems = read("tools.yaml", f"tools: [{{name: a, command: {command}, args: {args}}}]".encode())
    assert problems == []
    assert (tools["a"].command, tools["a"].args) == expected


def test_a_list_is_read_whole():
    tools, problems = read("tools.yaml", WHOLE.encode())
    assert problems == []
    assert tools["mail"] == Tool(
        name="mail", command="./mail.sh", args=("--to", "{{ not a template }}"), env={"LIMIT": "5"},
        description="Sends a mail", timeout_s=90, retries=3, line=2,
    )  # fmt: skip
    assert tools["ring"] == Tool(name="ring", command="ring", line=9)


@pytest.mark.parametrize("text", ["", "tools:", "tools: []", "[]", "# nothing"])
def test_an_empty_list_allows_nothing(text):
    assert read("tools.yml", text.encode()) == ({}, [])


def test_json_and_a_bare_list_are_lists_too():
    assert list(read("tools.json", b'{"tools": [{"name": "a", "command": "b"}]}')[0]) == ["a"]
    assert list(read("tools.yml", b"- {name: a, command: b}")[0]) == ["a"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("tools: mail", 1, "must have a list 'tools'"),
        ("tools:\n  - mail", 2, "A tool must be a mapping"),
        ("tools:\n  - {name: mail}", 2, "has no 'command'"),
        ("tools:\n  - {command: mail}", 2, "has no 'name'"),
        ("tools:\n  - {name: a, command: [a, [b]]}", 2, "'command' must be a list of texts"),
        ("tools:\n  - {name: a, command: {b: c}}", 2, "'command' must be a text, not a map"),
        ("tools:\n  - {name: a, command: []}", 2, "has no 'command'"),
        ("tools:\n  - {name: a, command: ['', x]}", 2, "has no 'command'"),
        ("tools:\n  - {name: a, command: b, args: --x}", 2, "'args' must be a list of texts"),
        ("tools:\n  - {name: a, command: b, args: [[x]]}", 2, "'args' must be a list of texts"),
        ("tools:\n  - {name: a, command: b, env: [x]}", 2, "'env' must be a mapping"),
        ("tools:\n  - {name: a, command: b, env: {RETOMA_SESSION: x}}", 2, "cannot be set here"),
        ("tools:\n  - {name: a, command: b, env: {'A=B': x}}", 2, "cannot be set here"),
        ("tools:\n  - {name: a, command: b, timeout: soon}", 2, "'timeout' cannot be 'soon'"),
        ("tools:\n  - {name: a, command: b, retries: -1}", 2, "a number from 0 to 100"),
        ("tools:\n  - {name: a, command: b}\n  - {name: a, command: c}", 3, "appears twice"),
        ("tools:\n  - {name: a, command: b, retires: 1}", 2, "Did you mean 'retries'?"),
        ("tools: [", 2, "is not valid YAML"),
    ],
)
def test_what_is_wrong_has_its_line(text, line, says):
    _, problems = read("tools.yaml", text.encode())
    assert any(problem.line == line and says in str(problem) for problem in problems), problems


def test_a_wrong_list_and_wrong_nodes_are_told_at_once():
    files = {
        "start.md": b"---\ndo: mail\nto: nowhere\n---\n",
        "tools.yaml": b"tools: [{name: mail}]",
        "tools.json": b"{}",
    }
    with pytest.raises(Invalid) as refused:
        parse("made", files)
    assert [(one.file, one.line) for one in refused.value.problems] == [
        ("start.md", 3),
        ("tools.json", 1),
        ("tools.yaml", 1),
    ]


def test_the_list_that_is_given_stands_in_place_of_the_flows_own():
    flow = parse("made", {"start.md": b"---\ndo: mail\n---\n", "tools.yaml": WHOLE.encode()})
    assert validate(flow) == []
    [warned] = validate(flow, listed={"mial": Tool(name="mial", command="x")})
    assert "Did you mean 'mial'?" in str(warned)
    assert of_files(flow.files)[0] == flow.tools
    assert flow.version != parse("made", {"start.md": b"---\ndo: mail\n---\n"}).version
