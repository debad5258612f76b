"""Notes: what somebody writes about a session, and not in its conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from retoma.model import event as kinds
from retoma.model.event import Event
from retoma.model.events.kind import Data, Kind, Said

if TYPE_CHECKING:
    from retoma.model.ledger import Ledger

ROLE: Final = "note"
"""The role in which notes are searched."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """`session.note`."""

    text: str


def _listed(ledger: Ledger, event: Event, _: Data | None = None) -> None:
    ledger.notes.append(event.seq)


def _searched(data: Data) -> Said:
    return Said(ROLE, str(data.get("text", "")))


KINDS: Final = (
    Kind(
        name=kinds.NOTE,
        payload=Note,
        learn=_listed,
        missed=_listed,
        searched=_searched,
        passing=True,
        beside=True,
    ),
)
