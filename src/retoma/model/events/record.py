"""Records of other tools, which an import keeps as they are."""

from __future__ import annotations

from typing import Final

import msgspec

from retoma.model import event as kinds
from retoma.model.events.kind import Kind


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`import.record`: any object."""


KINDS: Final = (Kind(name=kinds.RECORD, payload=Record),)
