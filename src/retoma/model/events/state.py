"""Changes of the state, by whoever holds the session or by an import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from retoma.model import event as kinds
from retoma.model.events.kind import Data, Kind, Names, Values, as_deleted, as_set
from retoma.model.state import SYS

if TYPE_CHECKING:
    from retoma.model.fold import Folded


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`state`, and what else changes keys of the state. Imported sessions have their last input in it, under `sys`."""

    set: Values = {}
    delete: Names = ()


def change(folded: Folded, data: Data) -> None:
    """Change the keys of the state as the event says."""
    sets, removed = data.get("set"), data.get("delete")
    if isinstance(sets, dict):
        folded.state |= sets
    for key in removed if isinstance(removed, list) else ():
        folded.state.pop(str(key), None)


def _changed(folded: Folded, data: Data) -> None:
    change(folded, data)
    # An import has the last input among the state's keys.
    system = folded.state.pop(SYS, None)
    if isinstance(system, dict):
        folded.ans = system.get("ans")


KINDS: Final = (Kind(name=kinds.STATE, payload=State, fold=_changed, sets=as_set, deletes=as_deleted),)
