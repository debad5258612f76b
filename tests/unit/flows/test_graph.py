"""The picture of a flow: every node and way, marks for a session, and texts that cannot break out."""

from __future__ import annotations

from retoma.flows import graph, parse

FLOW = parse(
    "made",
    {
        "start.md": b"""---
options:
  - {text: 'Say "hi"|<b>', to: sub/end}
  - {text: B, to: alias}
---
""",
        "sub/end.md": b"---\nid: alias\non_denied: start\nwait: true\non_timeout: start\n---\n",
    },
)


def test_mermaid_has_nodes_ways_and_marks() -> None:
    text = graph(FLOW, visited=["start", "gone"], current="sub/end")
    assert text.startswith("flowchart TD\n")
    assert 'n0{{"start"}}:::visited' in text
    assert 'n1{{"sub/end"}}:::current' in text
    assert 'n0 -->|"Say #quot;hi#quot;|#lt;b#gt;"| n1' in text
    assert 'n1 -->|"denied"| n0' in text
    assert 'n1 -->|"signal timeout"| n0' in text


def test_dot_has_nodes_ways_and_marks() -> None:
    text = graph(FLOW, "dot", visited=["start"], current="sub/end")
    assert text.startswith('digraph "made" {')
    assert '[label="Say \\"hi\\"|<b>"];' in text
    assert text.count("fillcolor") == 2


def test_no_text_means_anything_to_mermaid() -> None:
    texts = ["%%{init}%%", "`a`", "$$x$$", "1. One", "- two", "a\\nb", "tab\\tand\\r\\nline"]
    options = ", ".join(f'{{"text": "{text}", "to": "start"}}' for text in texts).replace("a\\nb", r"a\\nb")
    lines = graph(parse("made", {"start.json": f'{{"options": [{options}]}}'.encode()})).splitlines()
    assert [line.split('"')[1] for line in lines if "-->" in line] == [
        "#37;#37;{init}#37;#37;",
        "#96;a#96;",
        "#36;#36;x#36;#36;",
        "1#46; One",
        "#45; two",
        "a#92;nb",
        "tab and line",
    ]


def test_a_rollback_is_drawn_with_what_leads_to_it_and_what_it_undoes() -> None:
    nodes = {
        "start.md": b"---\ndo: {name: book}\nundo: {name: cancel}\non_error: rollback\nto: ask\n---\n",
        "ask.md": b"---\ntype: question\ntransitions:\n  - {condition: \"input == 'no'\", to: rollback}\n"
        b"to: end\n---\n",
        "end.md": b"Done.\n",
    }
    text = graph(parse("made", nodes))
    assert '  rollback(["rollback"])' in text
    assert '-.->|"error"| rollback' in text
    assert "-.->|\"input == 'no'\"| rollback" in text
    assert 'rollback -.->|"undo: cancel"| ' in text
    dot = graph(parse("made", nodes), "dot")
    assert "rollback [label=rollback, shape=oval];" in dot
    assert '[label="undo: cancel", style=dashed];' in dot
    assert dot.count("-> rollback [") == 2
