"""What became of a file that was imported."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from retoma.model.ids import SessionId
from retoma.model.plain import Mapped

Outcome: TypeAlias = Literal["imported", "extended", "unchanged"]


class Imported(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """What became of a file: the session's id here, its events here, and how many of them were new.

    `without_parent` is the session that it belonged to, when that one is not here. `kept` events are here that the
    source erased since the last import; `erased` were here until now.
    """

    id: SessionId
    events: int
    added: int
    outcome: Outcome
    without_parent: str | None = None
    kept: int = 0
    erased: int = 0
