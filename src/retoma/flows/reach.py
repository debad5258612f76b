"""Where a flow's nodes lead: targets that are no node, nodes that nothing leads to, circles that never wait."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

import msgspec

from retoma.flows.model import Flow, Level, Node, Problem


class Exits(msgspec.Struct, frozen=True):
    """Where a node leads, as it is written.

    `targets` are (key, target, line). `only` is the one target that a node which does not wait can go to, empty when
    there are several or none; it is `certain` when no condition stands before it.
    """

    targets: tuple[tuple[str, str, int], ...]
    only: str
    certain: bool


def exits_of(node: Node) -> Exits:
    """Return where `node` leads."""
    targets = tuple(
        (key, target, line)
        for key, target, line in node.targets()
        if target != "rollback" or key not in ("to", "on_error")
    )
    certain = bool(node.to) or any(not way.condition and not way.text for way in node.transitions)
    return Exits(targets, "" if node.waits or node.unsupported else _only(node), certain)


def _only(node: Node) -> str:
    ways = {way.to for way in node.transitions} | ({node.to} if node.to else set())
    first = node.transitions[0] if node.transitions else None
    if first is not None and not first.condition and not first.text:
        ways = {first.to}
    return ways.pop() if len(ways) == 1 else ""


def misled(flow: Flow, exits: Mapping[str, Exits], broken: Collection[str]) -> Iterator[Problem]:
    """Yield the targets that are no node. Those that are `broken` did not read, and may be named."""
    nodes = flow.nodes
    for node_id, one in exits.items():
        for key, target, line in one.targets:
            if target in nodes or flow.resolve(target) is not None or target in broken:
                continue
            near = get_close_matches(target, [*nodes, *flow.aliases], 1)
            hint = f"Did you mean {near[0]!r}?" if near else "Add a file with that name, or correct it."
            message = f"{key!r} leads to {target!r}, which is not a node."
            yield Problem(nodes[node_id].file, line, "error", message, hint)


def unreached(flow: Flow, exits: Mapping[str, Exits]) -> Iterator[Problem]:
    """Yield the nodes that nothing leads to, and the circles that never wait."""
    reached = _reached(flow, exits)
    for node_id, node in flow.nodes.items():
        if node_id not in reached:
            yield Problem(
                node.file, 1, "warning", f"Nothing leads to {node_id!r}.", "Link it from another node."
            )
    yield from _endless(flow, exits, reached)


def _reached(flow: Flow, exits: Mapping[str, Exits]) -> set[str]:
    seen: set[str] = set()
    todo = [flow.entry, flow.default_error]
    while todo:
        node_id = todo.pop()
        if node_id and node_id not in seen:
            seen.add(node_id)
            todo += [_named(flow, target) for _, target, _ in exits[node_id].targets]
    return seen


def _named(flow: Flow, target: str) -> str:
    return target if target in flow.nodes else flow.resolve(target) or ""


def _endless(flow: Flow, exits: Mapping[str, Exits], reached: Collection[str]) -> Iterator[Problem]:
    """Refuse a circle of nodes that neither wait nor choose: once in it, a flow never comes out.

    Warn where a condition may still break it, or nothing leads to it.
    """
    following = {name: _named(flow, one.only) for name, one in exits.items() if one.only}
    done: set[str] = set()
    for start in following:
        path: dict[str, None] = {}
        node = start
        while node in following and node not in path and node not in done:
            path[node] = None
            node = following[node]
        done |= path.keys()
        if node in path:
            names = list(path)
            yield _circle(flow, exits, names[names.index(node) :], node in reached)


def _circle(flow: Flow, exits: Mapping[str, Exits], circle: list[str], reached: bool) -> Problem:
    node = flow.nodes[circle[0]]
    certain = reached and all(exits[name].certain for name in circle)
    level: Level = "error" if certain else "warning"
    message = f"This circle never waits: {' → '.join([*circle, node.id])}."
    return Problem(node.file, node.line("to"), level, message, "Let one of its nodes wait.")
