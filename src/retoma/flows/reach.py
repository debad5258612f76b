"""Where a flow's nodes lead: targets that are no node, nodes that nothing leads to, circles that never wait."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from retoma.flows.model import ROLLBACK, Node, resolved
from retoma.model.nearest import did_you_mean
from retoma.trees.problem import Level, Problem

# To look for the nearest of 10,000 names takes as long as to read hundreds of files: the first mistakes get one.
MAX_HINTS = 20


class Exits(msgspec.Struct, frozen=True):
    """Where a node leads, as it is written in `file`, with `to` at `line`.

    `targets` are (key, target, line), `names` each target once. `only` is the one target that a node which does not
    wait can go to, empty when there are several or none; it is `certain` when no condition stands before it.
    """

    file: str
    line: int
    targets: tuple[tuple[str, str, int], ...]
    names: tuple[str, ...]
    only: str
    certain: bool


class Ways(msgspec.Struct, frozen=True):
    """All that decides where a flow's nodes lead: two that are equal have the same problems.

    `broken` are ids whose files did not read; they may be named.
    """

    entry: str
    default_error: str
    aliases: Mapping[str, str]
    exits: Mapping[str, Exits]
    broken: frozenset[str]

    def named(self, target: str) -> str:
        """Return the id of the node that `target` names, empty when there is none."""
        return resolved(target, self.exits, self.aliases) or ""


def lost(ways: Ways) -> Iterator[Problem]:
    """Yield targets that are no node. With every file read, also nodes that nothing leads to, and endless circles."""
    yield from _misled(ways)
    if ways.entry and not ways.broken:
        left = _unreached(ways)
        for node_id, one in left.items():
            message = f"Nothing leads to {node_id!r}."
            yield Problem(one.file, 1, "warning", message, "Link it from another node.")
        yield from _endless(ways, left)


def exits_of(node: Node) -> Exits:
    """Return where `node` leads."""
    targets = tuple((key, target, line) for key, target, line in node.targets() if target != ROLLBACK)
    certain = bool(node.to) or any(not way.condition and not way.text for way in node.transitions)
    names = tuple(dict.fromkeys(target for _, target, _ in targets))
    return Exits(
        node.file,
        node.line("to"),
        targets,
        names,
        "" if node.waits or node.unsupported or node.do is not None else _only(node),
        certain,
    )


def _only(node: Node) -> str:
    ways = {way.to for way in node.transitions} | ({node.to} if node.to else set())
    first = node.transitions[0] if node.transitions else None
    if first is not None and not first.condition and not first.text:
        ways = {first.to}
    return ways.pop() if len(ways) == 1 else ""


def _misled(ways: Ways) -> Iterator[Problem]:
    ids = set(ways.exits)
    unsure = [one for one in ways.exits.values() if not ids.issuperset(one.names)]
    known, hints = [*ways.exits, *ways.aliases], 0
    for one in unsure:
        for key, target, line in one.targets:
            if ways.named(target) or target in ways.broken:
                continue
            hints += 1
            otherwise = "Add a file with that name, or correct it."
            hint = did_you_mean(target, known, otherwise) if hints <= MAX_HINTS else otherwise
            yield Problem(one.file, line, "error", f"{key!r} leads to {target!r}, which is not a node.", hint)


def _unreached(ways: Ways) -> dict[str, Exits]:
    """Return the nodes that nothing leads to, in their order."""
    exits, left = ways.exits, dict(ways.exits)
    todo = [ways.entry, ways.default_error]
    while todo:
        name = todo.pop()
        if name in left:
            todo += left.pop(name).names
        elif name not in exits and (named := ways.named(name)) in left:
            todo += left.pop(named).names
    return left


def _endless(ways: Ways, left: Collection[str]) -> Iterator[Problem]:
    """Refuse a circle of nodes that neither wait nor choose: once in it, a flow never comes out.

    Warn where a condition may still break it, or nothing leads to it: then it is among those `left`.
    """
    exits = ways.exits
    following = {
        name: one.only if one.only in exits else ways.named(one.only)
        for name, one in exits.items()
        if one.only
    }
    begun: dict[str, str] = {}  # each node, by where the way that came by first began
    for start in following:
        node = start
        while node in following and node not in begun:
            begun[node] = start
            node = following[node]
        if node in begun and begun[node] == start:
            circle = [node]
            while following[circle[-1]] != node:
                circle.append(following[circle[-1]])
            yield _circle(ways, circle, node not in left)


def _circle(ways: Ways, circle: list[str], reached: bool) -> Problem:
    first = ways.exits[circle[0]]
    level: Level = "error" if reached and all(ways.exits[name].certain for name in circle) else "warning"
    message = f"This loop never waits for input: {' → '.join([*circle, circle[0]])}."
    return Problem(first.file, first.line, level, message, "Make one of its nodes wait.")
