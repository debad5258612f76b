"""The garbage collector, kept away from work that makes much and drops little."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# The next object that is made has all young ones looked at, however many they are. From so many on they are put with
# the old instead: frozen and thawed at once, which looks at none. What a program froze itself stays so.
_MUCH = 25_000


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector away: of a flow that is read nearly all stays, and it would look at it again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            if gc.get_count()[0] > _MUCH and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
