"""What a store says of itself."""

from __future__ import annotations

import msgspec

__all__ = ["Facts", "Witnessed"]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a store says of itself, for `doctor` and `version`."""

    kind: str
    place: str
    format: int
    engine: str
    journal_mode: str
    synchronous: str
    size_bytes: int
    free_bytes: int | None
    weak: str = ""
    """Why what was acknowledged could be lost; empty when it could not."""
    commits: int | None = None
    """How many transactions changed something, since the store was made; None where that is not counted."""


class Witnessed(msgspec.Struct, frozen=True, kw_only=True):
    """The commits that a store knows of, and those that the file outside of it has seen.

    `seen` is None where no such file is kept. `lost`: the file has seen a commit that the store does not know.
    """

    counter: int
    seen: int | None = None
    lost: bool = False
