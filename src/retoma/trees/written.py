"""What a scalar as it was written says, and how a sentence names it."""

from __future__ import annotations

from retoma.trees.tree import Mapping, Scalar, Sequence, Tree


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
