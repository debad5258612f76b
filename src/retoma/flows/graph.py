"""A flow drawn: Mermaid or DOT text, with the nodes that a session visited and where it stands marked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Literal

from retoma.flows.model import ROLLBACK, Flow, Node

Style = Literal["mermaid", "dot"]


def graph(
    flow: Flow, style: Style = "mermaid", *, visited: Collection[str] = (), current: str | None = None
) -> str:
    """Return the picture as text. `visited` ids that the flow does not have are left out."""
    numbers = {node_id: f"n{at}" for at, node_id in enumerate(flow.nodes)}
    if any(target == ROLLBACK for _, target, _ in edges(flow)):
        numbers[ROLLBACK] = "rollback"
    marks = {node_id: "visited" for node_id in visited if node_id in numbers}
    if current in numbers and current is not None:
        marks[current] = "current"
    draw = _mermaid if style == "mermaid" else _dot
    return "\n".join(draw(flow, numbers, marks)) + "\n"


def _mermaid(flow: Flow, numbers: dict[str, str], marks: dict[str, str]) -> Iterator[str]:
    yield "flowchart TD"
    for node_id, number in numbers.items():
        if node_id == ROLLBACK:
            yield f'  {number}(["{ROLLBACK}"])'
            continue
        left, right = ("{{", "}}") if flow.nodes[node_id].waits else ("[", "]")
        mark = f":::{marks[node_id]}" if node_id in marks else ""
        yield f'  {number}{left}"{_mermaid_text(node_id)}"{right}{mark}'
    for source, target, label in edges(flow):
        line = "-.->" if ROLLBACK in (source, target) else "-->"
        arrow = f'{line}|"{_mermaid_text(label)}"|' if label else line
        yield f"  {numbers[source]} {arrow} {numbers[target]}"
    yield "  classDef visited fill:#dbeafe,stroke:#1d4ed8"
    yield "  classDef current fill:#fde68a,stroke:#b45309,stroke-width:3px"


def _dot(flow: Flow, numbers: dict[str, str], marks: dict[str, str]) -> Iterator[str]:
    yield f"digraph {_dot_text(flow.name)} {{"
    yield "  node [shape=box];"
    looks = {
        "visited": ', style=filled, fillcolor="#dbeafe"',
        "current": ', style="filled,bold", fillcolor="#fde68a"',
    }
    for node_id, number in numbers.items():
        if node_id == ROLLBACK:
            yield f"  {number} [label={ROLLBACK}, shape=oval];"
            continue
        shape = ", shape=hexagon" if flow.nodes[node_id].waits else ""
        yield f"  {number} [label={_dot_text(node_id)}{shape}{looks.get(marks.get(node_id, ''), '')}];"
    for source, target, label in edges(flow):
        looks_of = ([f"label={_dot_text(label)}"] if label else []) + (
            ["style=dashed"] if ROLLBACK in (source, target) else []
        )
        yield f"  {numbers[source]} -> {numbers[target]}" + (
            f" [{', '.join(looks_of)}];" if looks_of else ";"
        )
    yield "}"


def edges(flow: Flow) -> Iterator[tuple[str, str, str]]:
    """Yield (from, to, label) for each way whose target exists; from a rollback, to each node that it undoes."""
    rolls = False
    for node in flow.nodes.values():
        for target, label in _ways(node):
            found = ROLLBACK if target == ROLLBACK else flow.resolve(target)
            rolls |= found == ROLLBACK
            if found is not None:
                yield node.id, found, label
    for node in flow.nodes.values() if rolls else ():
        if node.undo is not None:
            yield ROLLBACK, node.id, f"undo: {node.undo.name}"


def _ways(node: Node) -> Iterator[tuple[str, str]]:
    yield from ((option.to, option.text) for option in node.options if option.to)
    yield from ((way.to, way.condition or way.text) for way in node.transitions)
    if node.to:
        yield node.to, ""
    yield from ((to, label) for label, to in (("denied", node.on_denied), ("error", node.on_error)) if to)
    yield from ((to, f"signal {name}") for name, to in node.on_signal.items())
    yield from ((to, f"signal {name}, anywhere") for name, to in node.on_signal_default.items())


def _mermaid_text(text: str) -> str:
    # Mermaid has no escape inside quotes but its own entities. Unescaped, %%{ }%% is a directive, a pair of ` or $ a
    # language of its own, and a label that begins like a list is refused.
    cut = " ".join(text.split())
    cut = cut if len(cut) <= 60 else f"{cut[:59]}…"
    listed = _LISTED.match(cut)
    at = listed.end() - 1 if listed else -1
    return "".join(
        _ENTITIES.get(sign) or (f"#{ord(sign)};" if n == at else sign) for n, sign in enumerate(cut)
    )


_LISTED = re.compile(r"\d+[.)]|[-+*]")
_ENTITIES = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;"} | {s: f"#{ord(s)};" for s in "#%`$\\"}


def _dot_text(text: str) -> str:
    return '"' + " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"') + '"'
