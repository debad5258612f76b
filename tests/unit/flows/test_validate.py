"""What `flow validate` tells an author: where, what, and what to do."""

from __future__ import annotations

import pytest

from retoma.errors import Invalid
from retoma.flows import check, parse, validate
from retoma.flows.answer import confirmation
from retoma.trees.problem import Problem


def told(**files: str) -> list[Problem]:
    try:
        return validate(parse("made", {f"{name}.md": text.encode() for name, text in files.items()}))
    except Invalid as refused:
        return list(refused.problems)


@pytest.mark.parametrize(
    ("text", "line", "level", "says"),
    [
        ("---\nto: edn\n---\n", 2, "error", "'edn', which is not a node. Did you mean 'end'?"),
        ("---\ntransitions:\n  - to: end\n  - to: nope\n---\n", 4, "error", "'nope'"),
        ("---\noptions:\n  - text: a\n    to: nope\n---\n", 3, "error", "'nope'"),
        ("---\nwait: true\non_signal: {x: nope}\n---\n", 3, "error", "'nope'"),
        ("---\nwait: true\non_timeout: nope\n---\n", 3, "error", "'nope'"),
        ("---\non_denied: nope\nwait: true\n---\n", 2, "error", "'nope'"),
        ("---\nsaveto: x\n---\n", 2, "warning", "Did you mean 'save_to'?"),
        ("---\ntransitions:\n  - to: end\n    conditon: x\n---\n", 4, "warning", "Did you mean 'condition'?"),
        (
            "---\nto: end\ntransitions:\n  - {to: end, condition: input = 1}\n---\n",
            4,
            "error",
            "has a syntax error",
        ),
        ("---\nto: end\n---\n\na\n{{ if .x }}\n", 6, "error", "no {{ end }}"),
        ("---\noptions:\n  - '{{ .x'\n---\n", 3, "error", "not closed"),
        ("---\ndo: t\n---\n", 2, "warning", "names the tool 't', which is not listed"),
        ("---\ndo: [t]\n---\n", 2, "error", "a tool's name or a mapping"),
        ("---\ndo:\n  args: {}\n---\n", 3, "error", "must have a 'name'"),
        ("---\ndo:\n  name: t\n  arg: {}\n---\n", 4, "warning", "Did you mean 'args'?"),
        ("---\ndo:\n  name: t\n  args:\n    a: '{{ .x'\n---\n", 5, "error", "not closed"),
        ("---\ndo: t\ntool_call: t\n---\n", 3, "error", "another name of 'do'"),
        ("---\nwait: true\non_error: end\n---\n", 3, "warning", "calls no tool"),
        ("---\ndo: t\non_error: edn\n---\n", 3, "error", "Did you mean 'end'?"),
        ("---\ndo: t\nmetadata: {x-exec: {args: [a]}}\n---\n", 3, "error", "must have a 'command'"),
        ("---\ndo: t\nmetadata: {x-exec: {command: a}}\n---\n", 2, "warning", "only with --allow-inline"),
        ("---\ndo: t\nwait: true\n---\n", 2, "error", "cannot wait for input"),
        ("---\nundo: {name: t}\n---\n", 2, "warning", "'undo' names the tool 't'"),
        ("---\ntype: tool\n---\n", 2, "error", "needs 'do'"),
        ("---\nagent: x\n---\n", 2, "error", "does not run agents"),
        ("---\ninput_type: choice\n---\n", 2, "error", "no options"),
        ("---\ninput_type: int\ninput_default: many\n---\n", 3, "error", "not an input that this node takes"),
        ("\n---\nto: end\n---\n", 1, "warning", "read as content"),
        ("--- \nto: end\n---\n", 1, "warning", "read as content"),
        ("---\ntimeout: 5s\n---\n", 2, "warning", "does not wait"),
        ("---\ntransitions: [{to: end, condition: context.x}]\n---\n", 2, "warning", "asks for input"),
        ("---\nwait: true\nsave_to: name\n---\nx\n{{ .nmae }}", 6, "warning", "Did you mean 'name'?"),
        ("---\nto: start\n---\n", 2, "error", "never waits for input: start → start"),
        ("---\ntransitions: [{to: start, condition: context.x}]\n---\n", 1, "warning", "never waits"),
        ('---\nwait: true\ninput_default: "{{ .x"\n---\n', 3, "error", "not closed"),
    ],
)
def test_a_problem_has_its_place_and_a_hint(text: str, line: int, level: str, says: str) -> None:
    found = told(start=text, end="---\nid: fin\n---\nx")
    assert any(
        (one.file, one.line, one.level) == ("start.md", line, level) and says in str(one) for one in found
    ), found


def test_what_nothing_leads_to_is_a_warning() -> None:
    found = told(start="x", lost="y", error="z")
    assert [(one.file, one.level) for one in found] == [("lost.md", "warning")]


def test_a_circle_that_never_waits_is_told_once_and_one_that_waits_never() -> None:
    assert len(told(start="---\nto: a\n---\n", a="---\nto: b\n---\n", b="---\nto: a\n---\n")) == 1
    assert told(start="---\nto: a\n---\n", a="---\nto: start\nwait: true\n---\n") == []
    unreached = told(start="x", a="---\nto: a\n---\n")
    assert [one.level for one in unreached] == ["warning", "warning"]


def test_keys_that_are_required_defaulted_or_saved_are_known_to_templates() -> None:
    text = """---
required_context: [a]
default_context: {b: 1}
context_schema: {d: int}
wait: true
save_to: c
---
"""
    assert told(start=text + "{{ .a }}{{ .b.c }}{{ .c }}{{ d }}{{ .sys.ans }}") == []


def test_check_refuses_errors_and_gives_back_warnings() -> None:
    assert check(parse("made", {"start.md": b"x", "lost.md": b"y"}))[0].level == "warning"
    with pytest.raises(Invalid, match=r"start.md:2: 'to' leads to 'x'") as raised:
        check(parse("made", {"start.md": b"---\nto: x\n---\n", "lost.md": b"y"}))
    assert raised.value.code == "flow_invalid"
    assert "lost.md" not in str(raised.value)


def test_a_target_whose_file_is_broken_is_not_called_missing() -> None:
    with pytest.raises(Invalid) as raised:
        parse("made", {"start.md": b"---\nto: a\n---\n", "a.md": b"---\n: [\n---\n"})
    assert "start.md" not in str(raised.value)


@pytest.mark.parametrize(
    ("node", "line", "said"),
    [
        ("---\nmessages: {en: [Hi]}\n---\n", 2, "'messages' is ignored"),
        ("---\nsave_to: x\n---\n", 2, "'save_to' saves an empty text"),
        ("---\noptions:\n  - One\n  - one \n---\n", 4, "The option 'one' appears twice"),
        ("---\nwait: true\ntransitions: [{to: end}]\nto: start\n---\n", 4, "'to' is never taken"),
        ("---\nwait: true\ntransitions:\n  - to: end\n  - to: start\n---\n", 5, "This transition is never taken"),
    ],
)  # fmt: skip
def test_what_comes_to_nothing_is_warned_of(node: str, line: int, said: str) -> None:
    found = validate(parse("f", {"start.md": node.encode(), "end.md": b"---\nid: e\n---\nEnd\n"}))
    assert [(one.level, one.file, one.line) for one in found if one.message.startswith(said)] == [
        ("warning", "start.md", line)
    ]


def test_a_broken_file_takes_no_warning_of_another_away() -> None:
    with pytest.raises(Invalid) as raised:
        parse("f", {"start.md": b"---\nconten: x\n---\n", "end.md": b"---\n[\n---\n"})
    found = raised.value.facts["problems"]
    assert [(one.level, one.file, one.hint) for one in found if one.file == "start.md"] == [
        ("warning", "start.md", "Did you mean 'content'?")
    ]
    assert "'conten'" not in str(raised.value)


def test_a_dotted_key_that_is_required_is_given() -> None:
    text = b"---\nrequired_context: [shop.name]\n---\n{{ .shop.name }}\n"
    assert validate(parse("f", {"start.md": text})) == []


@pytest.mark.parametrize(
    ("text", "word"), [("Sim", "yes"), ("s", "yes"), ("na\u0303o", "no"), (" N ", "no"), ("yep", None)]
)
def test_a_confirmation_is_taken_in_english_and_in_portuguese(text, word):
    assert confirmation(text) == word
