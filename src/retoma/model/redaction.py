"""What a redaction takes: which values hold it, and what stands in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from retoma.model.codec import Json

REDACTED: Final = "[redacted]"
"""Stands in the state, and in what is said of a session, where something was taken out."""

Wanted: TypeAlias = Callable[[str], bool]


def holds(value: Json, wanted: Wanted) -> bool:
    """Return whether `value` has what is wanted in any text, number or key of it."""
    if isinstance(value, dict):
        return any(wanted(key) or holds(inner, wanted) for key, inner in value.items())
    if isinstance(value, list):
        return any(holds(inner, wanted) for inner in value)
    if isinstance(value, str):
        return wanted(value)
    return value is not None and not isinstance(value, bool) and wanted(str(value))
