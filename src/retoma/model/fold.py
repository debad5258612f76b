"""Events → state: what a session is, from its journal alone.

The store keeps the same facts as rows; they must agree at every moment, which the conformance suite asserts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from retoma.model.call import FLOW_TOOL, Pending, flow_call, of_flow, system_state
from retoma.model.codec import Json
from retoma.model.event import Event
from retoma.model.events import kind_of


class Folded(msgspec.Struct):
    """What a journal says. `state` holds the keys of the running epoch, `history` the nodes its flow visited.

    `partial`: events were erased, and what they changed beside the state is not known from here.
    """

    status: str = "active"
    reason: str = ""
    epoch: int = 1
    messages: int = 0
    state: dict[str, Json] = {}
    calls: dict[str, Pending] = {}
    flow: str | None = None
    flow_status: str | None = None
    history: list[str] = []
    ans: Json = None
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    came: str | None = None
    rollback: dict[str, Json] | None = None
    partial: bool = False

    @property
    def system(self) -> dict[str, Json]:
        """What the state keeps for the flow itself."""
        return system_state(self.ans, self.came, self.rollback)

    @property
    def call(self) -> dict[str, Json] | None:
        """The tool call that the flow waits for."""
        return flow_call(self.calls.values())

    @call.setter
    def call(self, call: dict[str, Json] | None) -> None:
        kept = {id: one for id, one in self.calls.items() if one.kind != FLOW_TOOL}
        if call is not None:
            one = of_flow(call)
            kept[one.id] = one
        self.calls = kept


def fold(events: Iterable[Event], start: Folded | None = None) -> Folded:
    """Return what `events`, in order, make of `start` (a new session when there is none)."""
    folded = start or Folded()
    for event in events:
        apply(folded, event, event.value())
    return folded


def apply(folded: Folded, event: Event, data: dict[str, Json]) -> None:
    """Change `folded` by one event, whose data is `data`."""
    kind = kind_of(event.type)
    if event.erased:
        kind.lost(folded)
    else:
        kind.fold(folded, data)


def deleted_by(event: Event) -> dict[str, int]:
    """Return the keys of the state that the event takes away, each with the event that did it first."""
    return kind_of(event.type).deletes(event, event.value())


def nodes_of(event: Event) -> dict[str, str]:
    """Return the nodes that the event says a flow entered, each under the seq of its step."""
    return kind_of(event.type).nodes(event, event.value())


def sets_of(event: Event) -> Mapping[str, Json]:
    """Return the keys of the state that the event sets, with their values."""
    return {} if event.erased else kind_of(event.type).sets(event.value())
