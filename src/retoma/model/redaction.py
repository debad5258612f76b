"""What a redaction takes: which values hold it, and what stands in their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from retoma.errors import Invalid
from retoma.model.codec import Json

REDACTED: Final = "[redacted]"
"""Stands in the state, and in what is said of a session, where something was taken out."""

Wanted: TypeAlias = Callable[[str], bool]


def pattern(text: str) -> Wanted:
    """Return whether a regular expression is found in a text. Raises Invalid when it is none."""
    made = compiled(text)
    return lambda said: made.search(said) is not None


def compiled(text: str) -> re.Pattern[str]:
    """Return a regular expression to look for. Raises Invalid when it is none, or finds nothing in particular."""
    try:
        made = re.compile(text)
    except re.error as error:
        raise Invalid(
            f"{text!r} is not a regular expression: {error}.",
            code="bad_pattern",
            hint="Put a \\ before . * + ? ( ) [ ] { } | ^ $ that mean themselves.",
        ) from error
    if made.search(""):
        raise Invalid(
            f"{text!r} is found in every text, the empty one too.",
            code="bad_pattern",
            hint="Write at least one character that must be there.",
        )
    return made


def holds(value: Json, wanted: Wanted) -> bool:
    """Return whether `value` has what is wanted in any text, number or key of it."""
    if isinstance(value, dict):
        return any(wanted(key) or holds(inner, wanted) for key, inner in value.items())
    if isinstance(value, list):
        return any(holds(inner, wanted) for inner in value)
    if isinstance(value, str):
        return wanted(value)
    return value is not None and not isinstance(value, bool) and wanted(str(value))
