"""Rows that say nothing a reader can use: SQLite keeps any type in any column, and content can be damaged anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from retoma.errors import Integrity, Invalid, RetomaError

UNREADABLE: Final = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, msgspec.MsgspecError,
    Integrity, Invalid,
)  # fmt: skip
"""What reading damaged bytes raises, whatever they were meant to be."""


@contextmanager
def legible() -> Iterator[None]:
    """Read rows in a `with` of this. Raises Integrity for those that nothing can be made of."""
    try:
        yield
    except RetomaError:
        raise
    except UNREADABLE as error:
        raise Integrity(
            f"A part of the store cannot be read ({type(error).__name__}: {error}).",
            code="unreadable",
            hint="`retoma store check` shows whether the store is damaged, and where.",
        ) from error
