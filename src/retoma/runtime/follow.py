"""A journal as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from retoma.model.event import Event
from retoma.model.session import FINAL, Status

POLL_S = 0.25


def pause() -> None:
    """Wait for the next look."""
    time.sleep(POLL_S)


def follow(
    read: Callable[[int], Sequence[Event]],
    status: Callable[[], Status],
    *,
    since: int,
    wait: Callable[[], None] = pause,
) -> Iterator[Event]:
    """Yield the events behind `since`, and those that come, until the session is completed or failed."""
    while True:
        # Asked before reading: what was written before the end is read after it.
        over = status() in FINAL
        while page := read(since):
            yield from page
            since = page[-1].seq
        if over:
            return
        wait()
