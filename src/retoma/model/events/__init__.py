"""The journal's vocabulary: one declaration for each type of events, in the file of its family.

The names are constants of `model/event.py`. A family's file is loaded when a declaration is first asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from retoma.model.events.kind import Kind, Said, as_deleted, as_set

__all__ = ["Kind", "Said", "is_extension", "kind_of", "known"]

_LATER: Final = Kind(name="", sets=as_set, deletes=as_deleted)
"""A type that a later version may write. An event of it is kept and shown. Erasing it takes what it set, too."""
_KEPT: Final = Kind(name="")
"""A type that is kept and shown, and never interpreted."""


@cache
def known() -> dict[str, Kind]:
    """Return the declarations of this version by the names of the types."""
    from retoma.model.events import flow, message, note, record, session, state, tool

    families = (session, note, message, state, flow, tool, record)
    return {kind.name: kind for family in families for kind in family.KINDS}


def kind_of(name: str) -> Kind:
    """Return the declaration of a type; for a type that this version does not know, one that says almost nothing."""
    kind = known().get(name)
    if kind is not None:
        return kind
    return _KEPT if is_extension(name) or name.startswith("session.") else _LATER


def is_extension(name: str) -> bool:
    """Return whether a type is another program's: `NAMESPACE:NAME`. No type of this project has a colon."""
    return ":" in name
