"""What of a text a user typed: a tool puts texts of its own into a conversation in the user's name, in tags."""

from __future__ import annotations

import re
from typing import Final


class Envelopes:
    """The tags that are a tool's own, by their names; a user may begin a prompt with any other."""

    def __init__(self, *names: str) -> None:
        either = "|".join(map(re.escape, names))
        self._opening: Final = re.compile(rf"\s*<({either})(?:\s[^>]*)?>")
        self._closing: Final = re.compile(rf"</(?:{either})(?:\s[^>]*)?>\s*\Z")

    def without(self, text: str) -> str:
        """Return a text without the envelopes that it begins with; empty when it is nothing else."""
        while opening := self._opening.match(text):
            if self._closing.search(text, max(opening.end(), len(text) - 200)):
                return ""
            _, closing, rest = text[opening.end() :].partition(f"</{opening[1]}>")
            if not closing:
                break  # the tool closes what it opens
            text = rest
        return text if text.strip() else ""
