"""The former name of `retoma.types`. Each use of a name of it warns."""

from __future__ import annotations

from typing import TYPE_CHECKING
from warnings import warn

from retoma import types

if TYPE_CHECKING:
    from retoma.types import *  # noqa: F403


def __getattr__(name: str) -> object:
    found: object = getattr(types, name)
    warn(f"retoma.values.{name} is retoma.types.{name} now.", DeprecationWarning, stacklevel=2)
    return found
