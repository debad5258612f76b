"""From files to a flow: what is a node, what it says, and all that is wrong, told at once with its place."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retoma.errors import Invalid, NotFound
from retoma.flows import Flow, Problem, graph, load, parse, read_files, start, validate
from retoma.flows.model import Message, Option, Transition


def made(**files: str) -> Flow:
    """A flow of Markdown nodes."""
    return parse("made", {f"{name}.md": text.encode() for name, text in files.items()})


def node_file(path: str, text: str) -> Flow:
    return parse("made", {"start.md": b"hello", path: text.encode()})


def problems(files: dict[str, bytes], name: str = "made") -> list[Problem]:
    with pytest.raises(Invalid) as raised:
        parse(name, files)
    assert raised.value.code == "flow_invalid"
    found = raised.value.facts["problems"]
    assert isinstance(found, list)
    errors = [problem for problem in found if problem.level == "error"]
    assert all(str(problem) in str(raised.value) for problem in errors)
    return errors


def test_a_markdown_node_is_read_whole() -> None:
    text = """---
id: greet.md
type: question
to: end
save_to: name
wait: yes
timeout: 1m30s
input_default: 1
required_context: [a, on]
default_context: {n: 3, price: 1.5, off: no, day: 2024-01-01, zip: 01234}
transitions:
  - {to_node_id: end, condition: input == 'no'}
  - jump_to: end
options:
  - yes
  - 1
  - text: No
    to: end
    condition: context.a
on_timeout: end
on_signal: {nudge: end}
on_denied: end
metadata: {k: [1]}
---

# Hello
  there
"""
    node = made(start=text, end="bye").nodes["start"]
    assert (node.alias, node.type, node.to, node.save_to, node.wait) == (
        "greet.md",
        "question",
        "end",
        "name",
        True,
    )
    assert (node.timeout_s, node.input_default, node.required_context) == (90, "1", ("a", "on"))
    assert node.default_context == {"n": 3, "price": 1.5, "off": "no", "day": "2024-01-01", "zip": "01234"}
    assert node.transitions == (Transition("end", "input == 'no'", "", 12), Transition("end", line=13))
    assert node.options == (
        Option("yes", line=15),
        Option("1", line=16),
        Option("No", "end", "context.a", 17),
    )
    assert node.asks == "choice"
    assert node.on_signal == {"nudge": "end", "timeout": "end"}
    assert node.metadata == {"k": [1]}
    assert (node.content, node.content_line) == ("# Hello\n  there", 26)


def test_yaml_and_json_say_the_same_as_markdown() -> None:
    yaml = node_file("a.yaml", "content: |\n  Hi\n  you\nto: start\noptions: [yes, 2]\n").nodes["a"]
    json = node_file("a.json", '{"content": "Hi\\nyou",\n "to": "start", "options": ["yes", 2]}').nodes["a"]
    markdown = node_file("a.md", "---\nto: start\noptions: [yes, 2]\n---\nHi\nyou\n").nodes["a"]
    for node in (yaml, json, markdown):
        assert (node.content, node.to) == ("Hi\nyou", "start")
        assert [option.text for option in node.options] == ["yes", "2"]
    assert (yaml.content_line, json.lines["to"], yaml.lines["to"]) == (2, 2, 4)


def test_front_matter_is_optional_and_windows_line_ends_and_byte_order_marks_are_read() -> None:
    assert made(start="just text").nodes["start"].content == "just text"
    assert made(start="---\n---\ntext").nodes["start"].content == "text"
    assert made(start="\ufeff---\r\nwait: true\r\n---\r\na\r\nb\r\n").nodes["start"].content == "a\nb"
    assert made(start="text\n---\nnot front matter").nodes["start"].content.startswith("text")
    assert made(start="---\n# nothing but a comment\n---\n").nodes["start"].content == ""


def test_what_is_not_utf8_is_told_at_its_line_behind_a_byte_order_mark_too() -> None:
    with pytest.raises(Invalid) as refused:
        parse("flow", {"start.md": b"\xef\xbb\xbfone\ntwo\n\xff"})
    assert "start.md:3: This file is not UTF-8." in refused.value.message


def test_old_line_ends_are_read() -> None:
    assert made(start="---\rto: end\r---\rHi\rthere", end="x").nodes["start"].content == "Hi\nthere"


def test_ids_are_paths_and_aliases_lead_to_them() -> None:
    flow = parse("made", {"start.md": b"a", "Deep/Er/Node.yml": b"id: short.md\ncontent: x"})
    assert list(flow.nodes) == ["Deep/Er/Node", "start"]
    assert flow.resolve("short") == flow.resolve("short.md") == flow.resolve("Deep/Er/Node") == "Deep/Er/Node"
    assert flow.resolve("Deep/Er/Node.yml") == "Deep/Er/Node"
    assert flow.resolve("deep/er/node") is None


@pytest.mark.parametrize(
    ("names", "entry"),
    [
        (["made", "index", "main", "start"], "start"),
        (["made", "index", "main"], "main"),
        (["made", "index"], "index"),
        (["made", "other"], "made"),
    ],
)
def test_the_entry_is_the_first_name_that_exists(names: list[str], entry: str) -> None:
    assert made(**dict.fromkeys(names, "x")).entry == entry


def test_what_is_not_a_node() -> None:
    flow = parse(
        "made",
        {
            "start.md": b"a",
            "README.md": b"---\n",
            "sub/README.md": b"---\n",
            "tools.yaml": b"",
            ".git/x.md": b"---\n",
            "a/.b/c.md": b"---\n",
            "notes.txt": b"",
        },
    )
    assert list(flow.nodes) == ["start"]


def test_the_version_tells_contents_paths_and_borders_apart() -> None:
    one = parse("x", {"start.md": b"ab", "b.md": b""}).version
    assert one == parse("other", {"b.md": b"", "start.md": b"ab"}).version
    assert (
        len(
            {
                one,
                parse("x", {"start.md": b"a", "b.md": b"b"}).version,
                parse("x", {"start.md": b"ab", "c.md": b""}).version,
                parse("x", {"start.md": b"ab"}).version,
            }
        )
        == 4
    )


def test_all_problems_of_all_files_are_told_at_once() -> None:
    found = problems(
        {
            "start.md": b"---\nwait: maybe\nto: nowhere\ntransitions: x\n---\n{{ if .a }}",
            "a.md": b"---\nto: start\n",
            "b.yaml": b"to: [1, 2]\ncontent: 'x",
            "c.json": b'{"to": "start",\n "to": "x"}',
            "d.md": b"ok\n\xff",
        }
    )
    places = [(problem.file, problem.line) for problem in found]
    assert places == [
        ("a.md", 1),
        ("b.yaml", 2),
        ("c.json", 2),
        ("d.md", 2),
        ("start.md", 2),
        ("start.md", 3),
        ("start.md", 4),
        ("start.md", 6),
    ]


@pytest.mark.parametrize(
    ("head", "line", "says"),
    [
        ("to: [a]", 2, "'to' must be a text, not a list"),
        ("a: 1\nwait: 7", 3, "'wait' must be true or false, not '7'"),
        ("type: qestion", 2, "Did you mean 'question'?"),
        ("input_type: integer", 2, "'input_type' cannot be 'integer'"),
        ("options: yes", 2, "'options' must be a list"),
        ("options:\n  - to: x", 3, "no text"),
        ("transitions:\n  - condition: a", 3, "has no target"),
        ("transitions:\n  - x", 3, "must be a mapping"),
        ("timeout: soon", 2, "Write a duration"),
        ("timeout: 0s", 2, "Write a duration"),
        ("save_to: sys.x", 2, "'save_to' cannot be"),
        ("default_context: [1]", 2, "'default_context' must be a mapping"),
        ("default_context: {sys: 1}", 2, "'sys' cannot be set"),
        ("context_schema: {a: number}", 2, "type of 'a'"),
        ("required_context: {a: 1}", 2, "must be a list"),
        ("required_context: [[a]]", 2, "must be a text"),
        ("on_signal: [a]", 2, "must be a mapping"),
        ("do: [a]", 2, "'do' must be"),
        ("do: {args: {}}", 2, "'do' must have a 'name'"),
        ("to: a\nto: b", 3, "appears twice"),
        ("a: !!python/object/apply:os.system [x]", 2, "tag"),
        ("a: &a [*a]", 2, "alias"),
        ("a: *b", 2, "does not refer"),
        ("a: [1", 2, "YAML"),
        ("- a", 2, "must be a mapping"),
        ("? [a]\n: b", 2, "key must be a text"),
        ("a: b\nc: d: e", 3, "Put a text that holds ': ' in quotes."),
        ("options:\n\t- a", 3, "Indent with spaces"),
        ("a: 'b", 2, "Check the quotes"),
        ("to: b\0", 2, "NUL"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(head: str, line: int, says: str) -> None:
    found = problems({"start.md": f"---\n{head}\n---\n".encode()})
    assert any(problem.line in (line, line + 1) and says in str(problem) for problem in found), found


def test_two_nodes_with_one_id_are_an_error_that_names_both() -> None:
    for files in (
        {"start.md": b"", "a.md": b"", "a.yaml": b""},
        {"start.md": b"", "a.md": b"---\nid: b\n---\n", "b.md": b""},
        {"start.md": b"", "a.md": b"---\nid: x\n---\n", "b.md": b"---\nid: x\n---\n"},
    ):
        text = "\n".join(map(str, problems(files)))
        assert "a.md" in text
        assert ("a.yaml" in text) or ("b.md" in text)


def test_no_entry_names_what_was_tried() -> None:
    for files in ({}, {"other.md": b"x"}):
        (problem, *_) = [one for one in problems(files, "shop") if "entry" in one.message]
        assert all(name in problem.hint for name in ("start", "main", "index", "shop"))
    assert problems({"Start.md": b""})[0].hint == "Rename Start.md to start.md."


def test_limits_of_yaml() -> None:
    bomb = "a: &a [" + "1," * 100 + "]\nb: &b [" + "*a," * 100 + "]\nc: [" + "*b," * 100 + "]\n"
    assert "10,000" in str(problems({"start.yaml": bomb.encode()})[0])
    assert "deep" in str(problems({"start.yaml": b"[" * 5000})[0])
    assert "deep" in str(problems({"start.json": b'{"a":' + b"[" * 5000})[0])
    assert "1 MiB" in str(problems({"start.md": b"x" * (1 << 20) + b"x"})[0])
    assert made(start="x" * (1 << 20)).nodes["start"].content.endswith("x")


def test_merge_keys_and_anchors_work() -> None:
    flow = node_file(
        "a.yaml", "default_context:\n  base: &b {x: 1, y: 2}\n  more: {<<: *b, y: 3}\nto: start\n"
    )
    assert flow.nodes["a"].default_context["more"] == {"y": 3, "x": 1}


def test_a_format_node_keeps_its_wordings() -> None:
    text = """type: format
messages:
  en:
    - text: Hi
      condition: input == 'a'
    - Hello
  pt: [Oi]
"""
    messages = node_file("a.yaml", text).nodes["a"].messages
    assert messages == {
        "en": (Message("Hi", "input == 'a'", 4), Message("Hello", "", 6)),
        "pt": (Message("Oi", "", 7),),
    }


def test_calls_are_read_and_what_this_version_cannot_run_still_loads() -> None:
    flow = made(
        start="---\ndo: {name: x, args: {a: '{{ .b }}'}}\nundo: y\non_error: rollback\n---\n",
        b="---\nagent: z\n---",
    )
    use = flow.nodes["start"].do
    assert use is not None
    assert (use.name, use.args, use.texts) == ("x", {"a": "{{ .b }}"}, (("{{ .b }}", 2),))
    assert flow.nodes["start"].undo is not None
    assert flow.nodes["b"].unsupported == ("agent",)


WORDS = st.sampled_from(
    [
        *(
            "---\n",
            "to: a\n",
            "a: ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            "&x ",
            "*x ",
            "<<: ",
            "!t ",
            '"',
            "'",
            ": ",
            "\n",
            "  ",
        ),
        *(
            "yes",
            "1",
            "|\n",
            "{{ .a }}",
            "options:\n",
            "transitions:\n",
            "text: x\n",
            "condition: ",
            "messages: ",
        ),
        *("\t", "#", "null", ",", "content: "),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([".md", ".yaml", ".json"]),
    st.one_of(st.binary(), st.lists(WORDS).map(lambda words: "".join(words).encode())),
)
def test_any_bytes_are_a_flow_that_can_be_looked_at_or_are_invalid(extension: str, data: bytes) -> None:
    head = b"---\n" if extension == ".md" else b""
    with suppress(Invalid):
        flow = parse("made", {f"start{extension}": head + data, "a.md": b"x"})
        validate(flow)
        assert graph(flow)
        start(flow, {})


class TestDirectory:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        root = tmp_path / "shop"
        (root / "sub").mkdir(parents=True)
        (root / "start.md").write_text("---\nto: sub/end\n---\nhi")
        (root / "sub" / "end.md").write_text("bye")
        (root / "README.md").write_text("---\nnot a node")
        (root / "tools.yaml").write_text("tools: []")
        (root / "picture.png").write_bytes(b"\x89")
        (root / ".git").mkdir()
        (root / ".git" / "x.md").write_text("---\n")
        return root

    def test_a_directory_is_its_files(self, root: Path) -> None:
        flow = load(root)
        assert (flow.name, flow.entry, sorted(flow.nodes)) == ("shop", "start", ["start", "sub/end"])
        assert sorted(flow.files) == ["start.md", "sub/end.md", "tools.yaml"]
        assert flow == parse("shop", read_files(str(root)))

    def test_the_name_is_the_directory_s_own_even_from_inside(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(root)
        assert load(".").name == "shop"

    def test_a_directory_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="There is no flow at"):
            load(tmp_path / "nothing")

    def test_a_file_is_not_a_flow_and_the_hint_names_its_directory(self, root: Path) -> None:
        with pytest.raises(Invalid) as raised:
            load(root / "start.md")
        assert str(root) in raised.value.hint

    def test_a_link_that_stays_inside_is_followed(self, root: Path) -> None:
        (root / "again.md").symlink_to(root / "sub" / "end.md")
        assert "again" in load(root).nodes

    def test_a_link_out_is_refused(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "secret.md").write_text("secret")
        (root / "out.md").symlink_to(tmp_path / "secret.md")
        (root / "away").symlink_to(tmp_path)
        with pytest.raises(Invalid) as raised:
            load(root)
        assert "out.md:1" in str(raised.value)
        assert "away:1" in str(raised.value)
        assert "secret.md" not in str(raised.value)

    def test_a_link_in_a_circle_is_refused(self, root: Path) -> None:
        (root / "sub" / "up").symlink_to(root)
        with pytest.raises(Invalid, match="sub/up:1: This link leads back"):
            load(root)

    def test_a_link_to_itself_is_refused(self, root: Path) -> None:
        (root / "self.md").symlink_to("self.md")
        (root / "elsewhere").symlink_to("elsewhere")
        with pytest.raises(Invalid, match=r"self\.md:1: This link cannot be followed") as raised:
            load(root)
        assert "elsewhere" not in str(raised.value)

    def test_a_name_that_would_break_the_report_is_refused(self, root: Path) -> None:
        (root / "a\nb.md").write_text("x")
        with pytest.raises(Invalid, match=r"'a\\nb\.md':1: .* control character"):
            load(root)

    def test_a_directory_that_is_no_flow_is_not_read_to_its_end(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(import_module("retoma.flows.files"), "MAX_FILES", 2)
        with pytest.raises(Invalid, match="this directory has more"):
            load(root)

    def test_a_broken_link_and_a_pipe_are_no_nodes(self, root: Path) -> None:
        (root / "gone.md").symlink_to(root / "nothing.md")
        os.mkfifo(root / "pipe.md")
        assert sorted(load(root).nodes) == ["start", "sub/end"]

    def test_a_walk_through_a_whole_disk_ends_soon(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "sub" / "more").mkdir()
        for number in range(5):
            (root / "sub" / "more" / f"{number}.bin").write_text("x")
        monkeypatch.setattr(import_module("retoma.flows.files"), "MAX_ENTRIES", 6)
        with pytest.raises(Invalid, match="too large to be a flow") as raised:
            load(root)
        assert len(raised.value.problems) == 1

    def test_a_directory_of_flows_names_them(self, root: Path) -> None:
        above = root.parent / "flows"
        for number in range(12):
            (above / f"flow-{number:02}").mkdir(parents=True)
            (above / f"flow-{number:02}" / ("start.md" if number else "flow-00.yaml")).write_text("x")
        (above / "notes").mkdir()
        with pytest.raises(
            Invalid, match=r"There is no entry node in .* below it: flow-00, flow-01, .*, …"
        ) as raised:
            load(above)
        assert "notes" not in raised.value.message
        (above / "start.md").write_text("Hi.\n")
        with pytest.raises(Invalid) as raised:
            load(above)  # it is a flow, whatever else is wrong with it
        assert "Flows below it" not in raised.value.message
