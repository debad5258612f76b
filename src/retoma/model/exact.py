"""The one rule for values: JSON gives back what is kept, so what it would alter is refused."""

from __future__ import annotations

import json
from enum import Enum
from math import isfinite
from typing import Final

from retoma.errors import Invalid
from retoma.model.codec import Json, Name, decode

DEEPEST: Final = 100
_TOO_DEEP: Final = f"more than {DEEPEST} levels"
HINT: Final = (
    "JSON values are texts, finite numbers, true, false, null, lists, and mappings with text keys. "
    "An integer has at most 64 bits."
)


def check_value(value: object, place: str) -> None:
    """Raise Invalid unless JSON gives `value` back as it is. `place` says where it is: "The value of 'k'"."""
    if said := _unlike_json(value):
        code = "too_deep" if said.startswith(_TOO_DEEP) else "not_json"
        raise Invalid(f"{place} is not JSON: it holds {said}.", code=code, hint=HINT)


def decode_exact(text: str | bytes) -> Json:
    """Return what JSON says that a person or a program wrote. Raises Invalid for what would not be kept exactly:
    a key that stands twice, and what `check_value` refuses."""
    value = decode(text)
    if said := _unlike_json(value):
        raise Invalid(f"This JSON cannot be kept: it holds {said}.", code="not_json", hint=HINT)
    json.loads(text, object_pairs_hook=_once)
    return value


def is_text(value: str) -> bool:
    """Return whether UTF-8 can hold it: half of a surrogate pair it cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unlike_json(value: object, depth: int = 0) -> str:
    """Return what in `value` JSON has not; nothing when it has all of it."""
    if depth > DEEPEST:
        return _TOO_DEEP
    match value:
        case list():
            for at, one in enumerate(value):
                if said := _unlike_json(one, depth + 1):
                    return said if " at " in said or depth else f"{said} at [{at}]"
        case dict():
            for key, one in value.items():
                if _unlike_plain(key) or not isinstance(key, str):
                    return f"the key {key!r:.60}"
                if said := _unlike_json(one, depth + 1):
                    return said if " at " in said or depth else f"{said} at {key!r:.60}"
        case _:
            return _unlike_plain(value)
    return ""


def _unlike_plain(value: object) -> str:
    match value:
        case None | bool():
            said = ""
        case int() if not -(1 << 63) <= value < 1 << 64:
            said = "an integer of more than 64 bits"
        case float() if not isfinite(value):
            said = repr(value)
        case str() if not is_text(value):
            said = "a text that is not Unicode"
        case Name():
            said = "" if value else "an empty Name, which JSON has as null"
        # Of a number with a type of its own, such as numpy's, JSON would keep less, or nothing.
        case str() | int() | float() if type(value) in (str, int, float) or isinstance(value, Enum):
            said = ""
        case _:
            said = f"a {type(value).__name__}"
    return said


def _once(pairs: list[tuple[str, Json]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise Invalid(f"This JSON cannot be kept: the key {key!r:.60} stands twice.", code="not_json")
        seen.add(key)
