"""An edited flow, taken up: whether a session can go on under the new version, and at which node."""

from __future__ import annotations

import msgspec

from retoma.errors import Refused, RetomaError
from retoma.flows.model import Flow
from retoma.flows.needs import unmet
from retoma.flows.secret import SecretNeeded
from retoma.flows.step import show
from retoma.model.flow import Position


class Edited(msgspec.Struct, frozen=True):
    """How a session goes on: with `flow`, at `node` (None: back at the entry node), and what to say of it."""

    flow: Flow
    node: str | None
    sentence: str


def take_up(stored: Flow | None, edited: Flow, position: Position, *, locale: str = "") -> Edited:
    """Return how a session that stands at `position` under `stored` goes on, now that its flow is `edited`.

    A node is the same one when its id is, or when its file moved and its alias stayed. Where the edited flow cannot
    carry on, the stored one does; without that (its version does not read any more) the edited one has to.
    """
    said = "The flow was edited since"
    was = position.node or edited.entry
    node = _same(stored, edited, was)
    lacking = _lacking(edited, position, node, locale)
    if lacking and stored is not None:
        return Edited(stored, was, f"{said}. {lacking} The session goes on with the version it has.")
    if node is None:
        gone = f"{said}, and its node '{was}' is gone: back to '{edited.entry}', with what was collected."
        return Edited(edited, None, gone)
    moved = f" Its node '{was}' is '{node}' now." if node != was else ""
    return Edited(edited, node, f"{said}; the session goes on with the new version.{moved}")


def take_over(flow: Flow, position: Position, *, locale: str = "") -> Edited:
    """Return how a session goes on in `flow` that came here without one, and stands at `position`.

    Raises Refused when the flow cannot carry on from there.
    """
    was = position.node
    node = flow.resolve(was) if was is not None else None
    if position.status == "rolling_back":
        raise Refused(
            "The session was imported in the middle of a rollback, which cannot be gone on with here.",
            code="rolling_back",
            hint="Begin anew with --fresh; what was collected is in `retoma session inspect`.",
        )
    lacking = _lacking(flow, position, node, locale)
    if lacking:
        raise Refused(
            f"The session cannot go on in the flow '{flow.name}': {lacking}",
            code="flow_needs",
            hint="Nothing was changed. Mend the flow, or begin anew with --fresh and --context.",
        )
    said = f"The session was imported; it goes on in the flow '{flow.name}'"
    if was is None:
        return Edited(flow, None, f"{said}, from '{flow.entry}'.")
    if node is None:
        gone = f"{said}. There is no node '{was}' in it: back to '{flow.entry}', with what was collected."
        return Edited(flow, None, gone)
    moved = f" Its node '{was}' is '{node}' there." if node != was else ""
    return Edited(flow, node, f"{said}.{moved}")


def _same(stored: Flow | None, edited: Flow, node: str) -> str | None:
    found = edited.resolve(node)
    before = stored.nodes.get(node) if stored is not None else None
    return edited.aliases.get(before.alias) if found is None and before is not None else found


def _lacking(edited: Flow, position: Position, node: str | None, locale: str) -> str:
    """Return why the edited flow cannot carry on at `node`, as a sentence; empty when it can."""
    if node is None:
        entry = edited.nodes[edited.entry]
        context = {**entry.default_context, **position.context}
        return unmet(entry, context) or ""
    needs = unmet(edited.nodes[node], position.context)
    if needs is not None:
        return needs
    try:
        show(edited, msgspec.structs.replace(position, node=node), locale=locale)
    except SecretNeeded:
        return ""  # it can, once it has asked
    except RetomaError as error:
        return f"Its node '{node}' cannot be shown: {error.message}"
    return ""
