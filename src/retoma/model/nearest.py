"""The names nearest to one that was mistyped: verbs, ids, keys."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(word: str, names: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """Return at most `limit` of `names` that `word` may have meant, the likeliest first.

    A third of the word's letters may be wrong (at least one), or the word may be the beginning of the name.
    """
    meant = word.casefold()
    allowed = max(1, len(meant) // 3)
    found: list[tuple[int, str]] = []
    for name in dict.fromkeys(names):
        folded = name.casefold()
        if len(meant) >= 2 and folded.startswith(meant):
            found.append((0, name))
        elif (edits := distance(meant, folded, at_most=allowed)) <= allowed and edits < len(meant):
            found.append((edits, name))
    return tuple(name for _, name in sorted(found)[:limit])


def did_you_mean(word: str, names: Iterable[str], otherwise: str = "", *, limit: int = 1) -> str:
    """Return `Did you mean 'a' or 'b'?` with at most `limit` of `names`, or `otherwise` when no name is near."""
    found = nearest(word, names, limit=limit)
    return f"Did you mean {' or '.join(map(repr, found))}?" if found else otherwise


def distance(one: str, other: str, *, at_most: int) -> int:
    """Return how many letters to insert, delete, replace or swap with a neighbour; above `at_most`, any larger number.

    Optimal string alignment; it stops at the first row that is wholly above the bound.
    """
    beyond = at_most + 1
    if abs(len(one) - len(other)) > at_most:
        return beyond
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > at_most:
            return beyond
    return row[-1]
