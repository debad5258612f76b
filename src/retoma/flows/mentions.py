"""Keys of the context that a flow's nodes name and set: one that nothing sets, a secret that would be shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeAlias

import msgspec

from retoma.flows.model import Node
from retoma.flows.reach import MAX_HINTS
from retoma.model.nearest import did_you_mean
from retoma.trees.problem import Problem

Named: TypeAlias = tuple[tuple[str, int], ...]
"""Keys with the lines that name them."""


class Mentions(msgspec.Struct, frozen=True):
    """What a node says of the context's keys, in `file`.

    `prints` is each look-up that would be empty if nothing set it, `asks` those of the arguments of tools, `keys` each
    key of both once; `sets` the keys that the flow has because of the node.
    """

    file: str
    prints: Named
    asks: Named
    keys: tuple[str, ...]
    sets: tuple[str, ...]


def mentions_of(node: Node, prints: Named, asks: Named) -> Mentions:
    """Return what `node` says of keys, which prints and asks for these."""
    keys = tuple({key: None for key, _ in (*prints, *asks)})
    given = (key.partition(".")[0] for key in node.required_context)
    sets = (node.save_to, *node.default_context, *given, *node.required_context, *node.context_schema)
    return Mentions(node.file, prints, asks, keys, sets)


def unset(found: Collection[Mentions], secrets: Collection[str]) -> Iterator[Problem]:
    """Yield what a node gets wrong beside the others: keys that nothing sets, secrets that it prints."""
    known = {"sys", "tool_result"}
    for one in found:
        known.update(one.sets)
    plain = known.difference(secrets)
    hints = 0
    for one in found:
        if plain.issuperset(one.keys):
            continue
        for key, line in one.prints:
            if key in secrets:
                said = f"{key!r} is a secret: its value is never shown."
                yield Problem(one.file, line, "warning", said)
        for key, line in (*one.prints, *one.asks):
            if key not in known:
                hints += 1
                yield _never_set(one.file, key, line, known if hints <= MAX_HINTS else ())


def _never_set(file: str, key: str, line: int, known: Collection[str]) -> Problem:
    """Warn of a key that nothing in the flow sets or requires: it comes from outside, or is misspelt."""
    hint = did_you_mean(
        key, [one for one in known if one], "Add it to required_context if it is given at the start."
    )
    return Problem(file, line, "warning", f"Nothing in the flow sets {key!r}.", hint)
