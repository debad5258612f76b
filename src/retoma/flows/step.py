"""One step of a flow, decided: from where it stands and what came in, to what happened. Pure."""

from __future__ import annotations

from retoma.errors import NotFound, Refused
from retoma.flows.model import Flow, Node
from retoma.flows.needs import unmet
from retoma.flows.walk import Walk
from retoma.model.codec import JsonMap
from retoma.model.flow import Position, Prompt, Step

# A flow that passes so many nodes without waiting never will; whoever drives it counts, and stops it.
PASSING_NODES = 10_000


def start(flow: Flow, given: JsonMap, *, locale: str = "") -> Step:
    """Enter the flow at its entry node, with `given` over that node's default_context."""
    return Walk(flow, {}, None, locale).begin(given)


def step(flow: Flow, position: Position, text: str, *, locale: str = "") -> Step:
    """Give one input to the node that waits at `position`."""
    node = _node_at(flow, position)
    if position.status != "waiting_for_input":
        raise Refused(
            f"The flow does not wait for input at {node.id!r}: it is {position.status}.",
            code="flow_not_waiting",
        )
    return Walk(flow, position.context, position.ans, locale).take(node, text)


def proceed(flow: Flow, position: Position, *, locale: str = "") -> Step:
    """Go on from a node that was entered and does not wait, as after a step that stopped at its bound."""
    node = _node_at(flow, position)
    if position.status != "active":
        raise Refused(
            f"The flow cannot go on by itself at {node.id!r}: it is {position.status}.",
            code="flow_not_active",
        )
    return Walk(flow, position.context, position.ans, locale).leave(node)


def show(flow: Flow, position: Position, *, locale: str = "") -> tuple[str, Prompt | None]:
    """Return the current node's content and, when it waits, its prompt: what a resumed session shows again.

    Raises NotFound when the flow has no such node any more, and TemplateError or ConditionError when what it
    shows cannot be decided.
    """
    node = _node_at(flow, position)
    walk = Walk(flow, position.context, position.ans, locale)
    prompt = walk.prompt(node) if position.status == "waiting_for_input" else None
    return walk.content(node), prompt


def signal(flow: Flow, position: Position, name: str, *, locale: str = "") -> Step | None:
    """Return the step that the signal `name` causes here; None when nothing handles it."""
    node = flow.nodes.get(position.node or "")
    if node is None or position.status == "finished":
        return None
    target = node.on_signal.get(name) or flow.nodes[flow.entry].on_signal_default.get(name)
    if not target:
        return None
    return Walk(flow, position.context, position.ans, locale).go(node, target)


def meets(flow: Flow, position: Position) -> str | None:
    """Return, as a sentence, what the current node requires and the context does not meet; else None."""
    node = flow.nodes.get(position.node or "")
    return unmet(node, position.context) if node else None


def _node_at(flow: Flow, position: Position) -> Node:
    node = flow.nodes.get(position.node or "")
    if node is None:
        raise NotFound(
            f"The flow {flow.name!r} has no node {position.node!r}.",
            code="flow_node_gone",
            hint="Start it again with --fresh, or go on with the version it began with.",
        )
    return node
