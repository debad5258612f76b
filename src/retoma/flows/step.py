"""One step of a flow, decided: from where it stands and what came in, to what happened. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from retoma.errors import NotFound, Refused
from retoma.flows.model import Flow, Node
from retoma.flows.walk import Walk
from retoma.model.call import Came, result_sets
from retoma.model.codec import Json, JsonMap
from retoma.model.flow import Position, Prompt, Step

Secrets = Mapping[str, str]
"""The values of secrets that are in memory, by the key they were saved to. What needs another raises SecretNeeded."""

# A flow that passes so many nodes without waiting never will; whoever drives it counts, and stops it.
PASSING_NODES = 10_000

INTERRUPT = "interrupt"


def start(flow: Flow, given: JsonMap, *, locale: str = "", secrets: Secrets | None = None) -> Step:
    """Enter the flow at its entry node, with `given` over that node's default_context."""
    return Walk(flow, {}, None, locale, secrets).begin(given)


def restart(flow: Flow, position: Position, *, locale: str = "", secrets: Secrets | None = None) -> Step:
    """Enter the entry node from where a flow stands, with what it has collected."""
    return _walk(flow, position, locale, secrets).enter(flow.nodes[flow.entry])


def step(
    flow: Flow, position: Position, text: str, *, locale: str = "", secrets: Secrets | None = None
) -> Step:
    """Give one input to the node that waits at `position`."""
    node = _node_at(flow, position)
    if position.status != "waiting_for_input":
        raise Refused(
            f"The flow does not wait for input at {node.id!r}: it is {position.status}.",
            code="flow_not_waiting",
        )
    return _walk(flow, position, locale, secrets).take(node, text)


def proceed(flow: Flow, position: Position, *, locale: str = "", secrets: Secrets | None = None) -> Step:
    """Go on from a node that was entered and does not wait, as after a step that stopped at its bound."""
    node = _node_at(flow, position)
    if position.status != "active":
        raise Refused(
            f"The flow cannot continue without input at {node.id!r}: it is {position.status}.",
            code="flow_not_active",
        )
    walk = _walk(flow, position, locale, secrets)
    if position.came is None:
        return walk.leave(node)
    tool = node.do.name if node.do is not None else ""
    failed = position.came == "failed"
    said = Came(outcome=position.came, result=position.ans, text=str(position.ans) if failed else "")
    return walk.came(node, tool, said)


def settle(
    flow: Flow, position: Position, came: Came, *, locale: str = "", secrets: Secrets | None = None
) -> Step:
    """Give the node whose tool was called at `position` what came of the call, and leave it."""
    node, call = _node_at(flow, position), position.call
    assert call is not None, "a tool was called"
    walk = _walk(flow, position, locale, secrets)
    walk.save(settled(node, position, came))
    return walk.came(node, call.name, came)


def stay(flow: Flow, position: Position, came: Came) -> Step:
    """Keep what came of the call at `position`, and stay there: `proceed` leaves the node with it."""
    ans = position.ans if came.outcome == "denied" else came.value
    return Step(status="active", ans=ans, sets=settled(_node_at(flow, position), position, came))


def settled(node: Node, position: Position, came: Came) -> JsonMap:
    """Return the context keys that what came of the call sets."""
    call = position.call
    assert call is not None, "a tool was called"
    said: dict[str, Json] = {"id": call.id, "name": call.name, "save_to": node.save_to}
    match came.outcome:
        case "done":
            said["result"] = came.result
        case "failed":
            said["error"] = came.text
        case "denied":
            said["denied"] = came.text
    return result_sets(said)


def show(
    flow: Flow,
    position: Position,
    *,
    locale: str = "",
    secrets: Secrets | None = None,
    remarks: list[str] | None = None,
) -> tuple[str, Prompt | None]:
    """Return the current node's content and, when it waits, its prompt: what a resumed session shows again.

    Sentences about conditions that are not met because a value was redacted are added to `remarks`.
    Raises NotFound when the flow has no such node any more, TemplateError or ConditionError when what it shows
    cannot be decided.
    """
    node = _node_at(flow, position)
    walk = _walk(flow, position, locale, secrets)
    walk.need(node)
    prompt = walk.prompt(node) if position.status == "waiting_for_input" else None
    content = walk.content(node)
    if remarks is not None:
        remarks += dict.fromkeys(walk.remarks)
    return content, prompt


def signal(
    flow: Flow, position: Position, name: str, *, locale: str = "", secrets: Secrets | None = None
) -> Step | None:
    """Return the step that the signal `name` causes here; None when nothing handles it."""
    target = handler(flow, position, name)
    if target is None:
        return None
    return _walk(flow, position, locale, secrets).go(_node_at(flow, position), target)


def handler(flow: Flow, position: Position, name: str) -> str | None:
    """Return what the signal `name` leads to here: the node's own handler, else the entry node's default, else None.

    An interrupt that would lead to the node it came at is not handled: whoever asks twice to leave, leaves.
    """
    node = flow.nodes.get(position.node or "")
    if node is None or position.status in ("finished", "waiting_for_tool", "rolling_back"):
        return None  # what a tool that was started did must be known before anything else
    target = node.on_signal.get(name) or flow.nodes[flow.entry].on_signal_default.get(name)
    if not target or (name == INTERRUPT and flow.resolve(target) == node.id):
        return None
    return target


def _walk(flow: Flow, position: Position, locale: str, secrets: Secrets | None) -> Walk:
    return Walk(flow, position.context, position.ans, locale, secrets)


def _node_at(flow: Flow, position: Position) -> Node:
    node = flow.nodes.get(position.node or "")
    if node is None:
        raise NotFound(
            f"The flow {flow.name!r} has no node {position.node!r}.",
            code="flow_node_gone",
            hint="Restart it with --fresh, or continue with the version it started with.",
        )
    return node
