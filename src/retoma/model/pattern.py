"""A user's regular expression: Python's syntax, and a bound on the time of each match.

`re` has no bound, and holds the interpreter as long as a match takes. `regex` reads what `re` reads, has a time-out and
lets other threads run. It knows more than `re`: `Pattern` takes only what `re` takes, and with the same meaning.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from retoma.errors import Invalid

if TYPE_CHECKING:
    import regex

PATIENCE_S: Final = 5.0
"""How much time of the processor the search through one text may take."""
_HURRY_S: Final = 0.005
_HURRIED: Final = 20
"""So many texts, each for so long, are searched through at most while other writers wait."""
_MOST_LETTERS: Final = 10_000
"""`regex` writes fixed repetitions out: a pattern may ask for this many characters."""
_TOKEN: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)|\{(?P<least>\d*),?\d*\}|.", re.DOTALL
)
_IN_CLASS: Final = re.compile(r"\\.|\[", re.DOTALL)
_BLANK: Final = r"\s\x1c-\x1f"
"""What `re` takes for `\\s`: `regex` leaves the separators of ASCII out."""


class Unjudged(Exception):
    """While other writers wait, there is no time to search through `text`."""

    def __init__(self, text: str) -> None:
        super().__init__("A text was not searched through yet.")
        self.text = text


class Pattern:
    """Says whether it is found in a text. Raises Invalid when the text takes longer than PATIENCE_S."""

    def __init__(self, text: str) -> None:
        """Raise Invalid when `text` is no regular expression, or finds nothing in particular."""
        self.source = text
        self._made = _compiled(text)
        self._verdicts: dict[bytes, bool] | None = None
        self._spare: int | None = None
        if self(""):
            raise Invalid(
                f"{text!r} matches every text, even the empty text.",
                code="bad_pattern",
                hint="Add at least one required character to the pattern.",
            )

    def __call__(self, text: str) -> bool:
        if self._verdicts is None:
            return self._search(text)
        from blake3 import blake3

        name = blake3(text.encode("utf-8", "surrogatepass")).digest()
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = self._verdicts[name] = self._search(text)
        return verdict

    def sub(self, mark: str, text: str) -> str:
        """Return `text` with `mark` wherever the pattern is found. Raises Invalid when it takes too long."""
        try:
            return self._made.sub(lambda found: mark, text, timeout=PATIENCE_S, concurrent=True)
        except TimeoutError:
            raise self._slow(text) from None

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Search through no text twice inside."""
        self._verdicts = {}
        try:
            yield
        finally:
            self._verdicts = None

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Raise Unjudged inside rather than keep others waiting for a text that was not searched through before."""
        self._spare = _HURRIED
        try:
            yield
        finally:
            self._spare = None

    def _search(self, text: str) -> bool:
        if self._spare is not None:
            self._spare -= 1
            if self._spare < 0:
                raise Unjudged(text)
        limit = PATIENCE_S if self._spare is None else _HURRY_S
        try:
            return self._made.search(text, timeout=limit, concurrent=True) is not None
        except TimeoutError:
            raise (self._slow(text) if self._spare is None else Unjudged(text)) from None

    def _slow(self, text: str) -> Invalid:
        return Invalid(
            f"{self.source!r} took more than {PATIENCE_S:g} s on a text of {len(text):,} characters.",
            code="slow_pattern",
            hint="The session is unchanged. Remove nested repetitions from the pattern.",
        )


def _compiled(text: str) -> regex.Pattern[str]:
    import regex

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of sets in sets, which `re` does not have
            ascii_ = bool(re.compile(text).flags & re.ASCII)
        ours, letters = _translated(text, r"\s" if ascii_ else _BLANK)
        if letters > _MOST_LETTERS:
            raise Invalid(
                f"{text!r} can match {letters:,} characters; the limit is {_MOST_LETTERS:,}.",
                code="bad_pattern",
                hint="Use fewer repetitions.",
            )
        return regex.compile(ours, cache_pattern=False)
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        raise Invalid(
            f"{text!r} is not a regular expression: {error}.",
            code="bad_pattern",
            hint="Put a \\ before . * + ? ( ) [ ] { } | ^ $ to match these characters literally.",
        ) from error


def _translated(text: str, blank: str) -> tuple[str, int]:
    """Return a valid pattern of `re` so that `regex` means the same, and how many characters it asks for, or more.

    `blank` is what stands for `\\s`.
    """
    parts: list[str] = []
    letters, last = [0], 0
    for token in _TOKEN.finditer(text):
        part = token[0]
        if part == "{":
            part = r"\{"  # it would allow mistakes: `a{e<=1}`
        elif part.startswith("[") and len(part) > 1:
            part = "[" + _IN_CLASS.sub(
                lambda found: {"[": r"\[", r"\s": blank}.get(found[0], found[0]), part[1:]
            )
        elif part in (r"\s", r"\S"):
            part = f"[{blank}]" if part == r"\s" else f"[^{blank}]"
        parts.append(part)
        if part == "(":
            letters.append(0)
        elif part == ")" and len(letters) > 1:
            last = letters.pop()
            letters[-1] += last
        elif token["least"] is not None:
            more = last * (int(token["least"] or 0) - 1)
            letters[-1] += more
            last += more
        else:
            last = 1
            letters[-1] += 1
    return "".join(parts), sum(letters)
