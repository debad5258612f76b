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
