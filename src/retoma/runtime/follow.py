"""How often a journal is read again by who follows it."""

from __future__ import annotations

import time

POLL_S = 0.25


def pause() -> None:
    """Wait until it is time to read again."""
    time.sleep(POLL_S)
