"""A bar on a terminal's standard error, for work that lasts over a second."""

from __future__ import annotations

import sys
import time

from retoma.interfaces.cli.output import Output

__all__ = ["Bar"]

_SHOWN_AFTER_S = 1.0
_EVERY_S = 0.1
_WIDTH = 24


class Bar:
    """`with Bar(out, "checking", "events") as bar: work(progress=bar)`; the bar disappears when the work is done."""

    def __init__(self, out: Output, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._on = sys.stderr.isatty() and not out.quiet
        self._next = time.monotonic() + _SHOWN_AFTER_S
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        """Draw the progress, unless it was drawn a short time ago."""
        if not self._on or (now := time.monotonic()) < self._next:
            return
        self._next = now + _EVERY_S
        self._drawn = True
        full = _WIDTH * min(done, total) // max(total, 1)
        bar = "█" * full + "░" * (_WIDTH - full)
        sys.stderr.write(f"\r{self._what}  {bar}  {done:,} of {total:,} {self._unit}\x1b[K")
        sys.stderr.flush()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
