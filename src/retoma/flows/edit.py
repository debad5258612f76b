"""An edited flow, taken up: whether a session can go on under the new version, where, and what that leads to."""

from __future__ import annotations

import msgspec

from retoma.errors import Refused, RetomaError
from retoma.flows.model import Flow
from retoma.flows.needs import unmet
from retoma.flows.secret import SecretNeeded
from retoma.flows.step import Secrets, proceed, restart, show
from retoma.flows.walk import GIVE_IT
from retoma.model.flow import Position, Step, Visit

GOES_ON = "The session continues with the version it has."


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """How a session goes on: with `flow`, from `at`, and what to say of it.

    `moved`: the node has another id there. `step` is what the new version does at once, None when it waits; `passed` is
    shown before what the step shows.
    """

    flow: Flow
    at: Position
    sentence: str
    moved: bool = False
    step: Step | None = None
    passed: tuple[Visit, ...] = ()


def take_up(
    stored: Flow | None,
    edited: Flow,
    position: Position,
    *,
    locale: str = "",
    secrets: Secrets | None = None,
    since: str = " since the last run",
) -> Edited:
    """Return how a session that stands at `position` under `stored` goes on, now that its flow is `edited`.

    A node is the same one when its id is, or when its file moved and its alias stayed. Where the edited flow cannot
    carry on, the stored one does; without that (its version does not read any more) the edited one has to. Raises
    SecretNeeded when what the edited flow does at once cannot be decided without a secret that is not in memory.
    """
    said = f"The flow was edited{since}"
    was = position.node or edited.entry
    node = _same(stored, edited, was)
    at = msgspec.structs.replace(position, node=node or was)
    lacking = _lacking(edited, at, locale) if node is not None else _unmet_at_entry(edited, position)
    taken = None
    if not lacking or stored is None:
        taken = _taken(edited, at, gone=node is None, locale=locale, secrets=secrets)
        lacking = taken.step.failure.removesuffix(GIVE_IT) if taken.step else ""
    if stored is not None and (lacking or taken is None):
        return Edited(flow=stored, at=position, sentence=f"{said}. {lacking} {GOES_ON}")
    assert taken is not None, "nothing is missing, so the edit was applied"
    sentence = (
        f"{said}, and its node '{was}' no longer exists: back to '{edited.entry}', with the data "
        "collected so far."
    )
    if node is not None:
        moved = f" Its node '{was}' is '{node}' now." if node != was else ""
        sentence = f"{said}; the session continues with the new version.{moved}"
    return msgspec.structs.replace(taken, sentence=sentence, moved=node not in (None, was))


def take_over(flow: Flow, position: Position, *, locale: str = "", secrets: Secrets | None = None) -> Edited:
    """Return how a session goes on in `flow` that was imported without one, and stands at `position`.

    Raises Refused when the flow cannot carry on from there, and SecretNeeded as `take_up` does.
    """
    if position.status == "rolling_back":
        raise Refused(
            "The session was imported in the middle of a rollback, and a rollback cannot be resumed here.",
            code="rolling_back",
            hint="Restart it with --fresh; `retoma session inspect` shows the data collected so far.",
        )
    was = position.node
    node = flow.resolve(was) if was is not None else None
    at = msgspec.structs.replace(position, node=node or was)
    lacking = _lacking(flow, at, locale) if node is not None else _unmet_at_entry(flow, position)
    taken = None
    if not lacking:
        taken = _taken(flow, at, gone=node is None, locale=locale, secrets=secrets)
        lacking = taken.step.failure.removesuffix(GIVE_IT) if taken.step else ""
    if taken is None or lacking:
        raise Refused(
            f"The session cannot continue in the flow '{flow.name}': {lacking}",
            code="flow_needs",
            hint="Nothing was changed. Fix the flow, or restart it with --fresh and --context.",
        )
    sentence = f"The session was imported; it continues in the flow '{flow.name}'."
    if node is None and was is not None:
        sentence += (
            f" There is no node '{was}' in it: back to '{flow.entry}', with the data collected so far."
        )
    elif node != was:
        sentence += f" Its node '{was}' is '{node}' there."
    return msgspec.structs.replace(taken, sentence=sentence, moved=node not in (None, was))


def _same(stored: Flow | None, edited: Flow, node: str) -> str | None:
    found = edited.resolve(node)
    before = stored.nodes.get(node) if stored is not None else None
    if found is not None or before is None or not before.alias:
        return found
    return edited.resolve(before.alias)


def _unmet_at_entry(edited: Flow, position: Position) -> str:
    entry = edited.nodes[edited.entry]
    return unmet(entry, {**entry.default_context, **position.context}) or ""


def _lacking(edited: Flow, at: Position, locale: str) -> str:
    """Return why the edited flow cannot carry on at its node, as a sentence; empty when it can."""
    node = edited.nodes[at.node or edited.entry]
    needs = unmet(node, at.context)
    if needs is not None:
        return needs
    try:
        show(edited, at, locale=locale)
    except SecretNeeded:
        return ""  # it can, once it has asked
    except RetomaError as error:
        return f"Its node '{node.id}' cannot be shown: {error.message}"
    return ""


def _taken(edited: Flow, at: Position, *, gone: bool, locale: str, secrets: Secrets | None) -> Edited:
    """Return the edited flow taken up: back at its entry, waiting at the node, or passing it when it waits no more."""
    if gone:
        step = restart(edited, at, locale=locale, secrets=secrets)
        return Edited(flow=edited, at=at, sentence="", step=step)
    if edited.nodes[at.node or edited.entry].waits:
        waiting = msgspec.structs.replace(at, status="waiting_for_input")
        return Edited(flow=edited, at=waiting, sentence="")
    active = msgspec.structs.replace(at, status="active")
    content, _ = show(edited, active, locale=locale, secrets=secrets)
    step = proceed(edited, active, locale=locale, secrets=secrets)
    passed = (Visit(node=at.node or edited.entry, content=content),)
    return Edited(flow=edited, at=active, sentence="", step=step, passed=passed)
