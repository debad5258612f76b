"""What options and arguments say: pairs of a name and a value, and values that are JSON or text."""

from __future__ import annotations

from collections.abc import Sequence

from retoma.errors import Invalid
from retoma.model.codec import Json

__all__ = ["moment", "pairs", "value"]


def pairs(values: Sequence[str], option: str) -> list[tuple[str, str]]:
    """Return `NAME=VALUE` texts as pairs. Raises Invalid naming the first that has no `=`."""
    found = []
    for value in values:
        name, mark, rest = value.partition("=")
        if not mark or not name:
            raise Invalid(
                f"{value!r} is not {option}.", code="bad_pair", hint=f"Write {option}, with an equals sign."
            )
        found.append((name, rest))
    return found


def moment(text: str | None, now_ms: int) -> int | None:
    """Return the instant that an option says, or None when it was not given. Raises Invalid."""
    if text is None:
        return None
    from retoma.model.times import instant

    return instant(text, now_ms=now_ms)


def value(text: str) -> Json:
    """Return what a metadata value says: JSON where it is that, else the text."""
    from retoma.model.codec import decode

    try:
        return decode(text)
    except Invalid:
        return text
