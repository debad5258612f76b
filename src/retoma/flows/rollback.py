"""A rollback: the history walked backwards, and what each node undoes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from retoma.flows import arguments
from retoma.flows.model import Flow, Node, ToolUse
from retoma.model.call import Call, Came, Rollback
from retoma.model.codec import Json, JsonMap
from retoma.model.flow import Position, Step
from retoma.template.template import TemplateError


def begin(flow: Flow, position: Position, history: Sequence[str], step: Step) -> Step:
    """Return `step`, which begins a rollback at `position`, with the first undo to call, or as the end of the flow.

    `history` are the nodes visited before the step, `position` where it was taken.
    """
    assert step.rollback is not None, "the step rolls back"
    context = {**position.context, **step.sets}
    for visit in step.visits:
        context |= visit.sets
    nodes = [*history, *(visit.node for visit in step.visits)]
    return _next(flow, step, step.rollback, nodes[:-1], context)


def go_on(flow: Flow, position: Position, history: Sequence[str], came: Came) -> Step:
    """Return the step that follows from what came of the undo at `position`: the next undo, or the end."""
    call, rollback = position.call, position.rollback
    assert call is not None and rollback is not None, "an undo was called"
    error = came.text if came.outcome != "done" else ""
    further = rollback.with_one(call.node, call.name, error)
    step = Step(status="rolling_back", ans=position.ans)
    return _next(flow, step, further, history[: call.at - 1], position.context)


def _next(flow: Flow, step: Step, rollback: Rollback, history: Sequence[str], context: JsonMap) -> Step:
    for at in range(len(history), 0, -1):
        node = flow.nodes.get(history[at - 1])
        if node is not None and node.undo is not None:
            call = _undo(flow, node, node.undo, at, context, step.ans)
            return msgspec.structs.replace(step, call=call, rollback=rollback, kept=at)
    return msgspec.structs.replace(
        step, status="finished", call=None, rollback=rollback, kept=0, failure=rollback.reason
    )


def _undo(flow: Flow, node: Node, use: ToolUse, at: int, context: JsonMap, ans: Json) -> Call:
    try:
        call = arguments.call_of(node.id, use, context, ans, flow.secrets)
    except TemplateError as error:
        why = f"its arguments cannot be rendered ({node.file}:{error.line}): {error}"
        return Call(node=node.id, name=use.name, undo=True, at=at, unready=why)
    return msgspec.structs.replace(call, undo=True, at=at)
