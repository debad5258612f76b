"""What a scalar as it was written says: a length of time, a text, and how a sentence names it."""

from __future__ import annotations

import re

from retoma.flows.tree import Mapping, Scalar, Sequence, Tree

MAX_DURATION_S = 10 * 365 * 86_400
MAX_DURATION_LETTERS = 60
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|w|d|h|m|s))")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def duration(text: str) -> float | None:
    """Return the seconds that `text` (`5s`, `1m30s`) means; None when it is no duration, or longer than ten years."""
    # Digits without a unit are looked at again from each of them: a long text would never be done.
    parts = _DURATION.findall(text) if len(text) <= MAX_DURATION_LETTERS else []
    seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
    whole = "".join(amount + unit for amount, unit in parts) == text
    return seconds if whole and 0 < seconds <= MAX_DURATION_S else None


def trimmed(text: str, line: int) -> tuple[str, int]:
    """Return `text` without blank lines around it, and the line at which it then begins."""
    kept = text.lstrip()
    blank = text[: len(text) - len(kept)]
    start = blank.rfind("\n") + 1
    return text[start:].rstrip(), line + blank.count("\n")


def is_null(tree: Tree) -> bool:
    return isinstance(tree, Scalar) and tree.value is None and tree.plain


def named(tree: Tree) -> str:
    match tree:
        case Scalar():
            return repr(tree.text[:40])
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
