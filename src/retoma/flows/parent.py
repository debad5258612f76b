"""A directory that holds flows and is none itself: told at once, without a walk through all that is below it."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Final

from retoma.errors import Invalid
from retoma.flows.files import MAX_ENTRIES, is_node
from retoma.flows.model import ENTRY_NAMES, EXTENSIONS

_MOST_NAMED: Final = 10


def refuse_parent(path: str | os.PathLike[str]) -> None:
    """Raise Invalid for a directory without nodes of its own in which there are flows, and name them."""
    root = Path(path)
    if any(is_node(name) for name in _names(root)):
        return
    below = [name for name in _names(root) if not name.startswith(".") and _has_entry(root / name)]
    if below:
        more = ", …" if len(below) > _MOST_NAMED else ""
        raise Invalid(
            f"There is no entry node in {str(root)!r}. Flows below it: {', '.join(below[:_MOST_NAMED])}{more}.",
            code="flow_invalid",
            hint=f"Name one of them: {root / below[0]}",
            problems=[],
        )


def _names(directory: Path) -> list[str]:
    """Return the names in a directory, sorted; of the first MAX_ENTRIES, and none of one that cannot be read."""
    try:
        with os.scandir(directory) as found:
            return sorted(entry.name for entry in islice(found, MAX_ENTRIES))
    except OSError:
        return []


def _has_entry(directory: Path) -> bool:
    return any(
        (directory / f"{name}{end}").is_file()
        for name in (*ENTRY_NAMES, directory.name)
        for end in EXTENSIONS
    )
