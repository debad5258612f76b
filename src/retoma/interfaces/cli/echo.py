"""Show the line being typed on a terminal that only prints: with text, spaces and backspaces, without sequences."""

from __future__ import annotations

import os
import sys

from retoma.interfaces.cli.text import clean, width_of

__all__ = ["Echo"]


class Echo:
    """The line after `label`, as it was shown last."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._text, self._at = "", 0

    def show(self, text: str, at: int) -> None:
        """Change the shown line to `text`, with the cursor at the index `at`."""
        text = clean(text, lines=False)
        pairs = enumerate(zip(self._text, text, strict=False))
        same = next((at for at, (old, new) in pairs if old != new), min(len(self._text), len(text)))
        back = "\b" * width_of(self._text[same : self._at])
        spare = max(0, width_of(self._text[same:]) - width_of(text[same:]))
        right = "\b" * (spare + width_of(text[at:]))
        out = f"{back}{self._text[self._at : same]}{text[same:]}{' ' * spare}{right}"
        if "\b" in out and width_of(self._label + max(self._text, text, key=len)) >= _columns():
            # A backspace does not go back to the row above.
            out = f"\n{self._label}{text}" + "\b" * width_of(text[at:])
        self._text, self._at = text, at
        sys.stdout.write(out)
        sys.stdout.flush()

    def again(self) -> None:
        """Show the line again on a row of its own."""
        text, at = self._text, self._at
        self._text, self._at = "", 0
        sys.stdout.write(f"\n{self._label}")
        self.show(text, at)


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80
