"""Text → search terms: the one rule for what is indexed, what a query means, and what a snippet marks.

A run is a stretch of letters, digits, marks and underscores. It is folded: case, accents and forms of the same
character fall together. Its parts stand at places that count through the text, so that words in a row are a phrase:

- `snake_case`, `foo.bar` and paths are their words in a row;
- `getUserName`, `HTTPServer` and `utf8` are their parts in a row, and beside them the whole;
- writing without spaces between words (CJK, Thai …) is every pair of neighbouring characters, and the last one alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple
from unicodedata import combining, normalize

__all__ = ["BREAK", "VERSION", "Part", "Run", "fold", "index_text", "run_of", "runs"]

VERSION: Final = 1
"""Goes up with every change of what a text's terms are: an index of another version is built again."""

BREAK: Final = "\ue000"
"""Begins what is no term of a text, and stands between terms that are not in a row: no letter, so no term has it."""

TERM_LENGTH: Final = 64
_MOST_PARTS: Final = 8
_MOST_BY_DIGITS: Final = 4
"""A run with more changes between letters and digits is a hash or a key: nobody looks for its parts."""
_MOST_KNOWN: Final = 32_768

# Marks belong to the letter before them, and \w leaves them out. Scripts of India and its neighbours are named by their
# blocks; of the others the marks alone.
_MARKS = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7\u0610-\u061a\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0\u07eb-\u07f3\u0816-\u082d"
    "\u0859-\u085b\u0898-\u089f\u08ca-\u0963\u0966-\u0df3\u0e31-\u0e4e\u0eb1-\u0ece\u0f18-\u0f19\u0f35-\u0fbc"
    "\u102b-\u1049\u1050-\u109f\u135d-\u135f\u1712-\u1715\u17b4-\u17d3\u17dd\u180b-\u180f\u1a17-\u1a1b\u1ab0-\u1c37"
    "\u1cd0-\u1cf9\u1dc0-\u1dff\u200c-\u200d\u20d0-\u20f0\u302a-\u302f\u3099-\u309a\ua66f-\ua672\ua674-\ua67d"
    "\ua69e-\ua69f\ua802-\ua827\ua880-\ua8c5\ua8e0-\ua8f1\ua926-\ua92d\ua947-\ua953\ua980-\ua9c0\ua9e5\uaa29-\uaa4d"
    "\uaa7b-\uaa7d\uaab0-\uaac1\uaaeb-\uaaef\uaaf5-\uaaf6\uabe3-\uabea\uabec-\uabed\ufb1e\ufe00-\ufe0f\ufe20-\ufe2f"
)
_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1050-\u109f\u1100-\u11ff\u1780-\u17d3\u2e80-\u2fdf"
    "\u3005-\u3007\u3021-\u302f\u3031-\u3035\u3038-\u303c\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u318e"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff\uff66-\uffdc"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)

_ASCII_RUN = re.compile(r"\w+", re.ASCII)
_ASCII_WORD = re.compile(r"[^\W_]+", re.ASCII)
# Accents of Latin, Greek and Cyrillic; points of Hebrew and Arabic, and what only stretches or joins letters. Marks of
# other scripts change the word.
_DROPPED = (
    "\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8"
    "\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20f0\ufe00-\ufe0f\ufe20-\ufe2f"
)
# Letters that are a base letter to people, and have no decomposition.
_PLAIN = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ς": "σ"}
)  # fmt: skip


class _Patterns(NamedTuple):
    run: re.Pattern[str]
    chunk: re.Pattern[str]
    unspaced: re.Pattern[str]
    dropped: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    """Return what text beyond ASCII needs: made when there is some, for it takes milliseconds."""
    return _Patterns(
        run=re.compile(rf"[\w{_MARKS}]+"),
        chunk=re.compile(rf"[{_UNSPACED}]+|[^_{_UNSPACED}]+"),
        unspaced=re.compile(rf"[{_UNSPACED}]"),
        dropped=re.compile(rf"[{_DROPPED}]+"),
    )


class Part(NamedTuple):
    """A term in a run: `start` to `end` is its text there, `place` counts from the run's first part."""

    term: str
    start: int
    end: int
    place: int


class Run(NamedTuple):
    """What a run holds. `row` has a part for each of its places; `wholes` stand beside several of them.

    `alone` are the places that hold one character, where writing without spaces ends.
    """

    row: tuple[Part, ...]
    wholes: tuple[Part, ...]
    alone: frozenset[int]


def runs(text: str) -> re.Pattern[str]:
    """Return what finds the runs of `text`."""
    return _ASCII_RUN if text.isascii() else _patterns().run


def fold(text: str) -> str:
    """Return `text` without case, accents, and forms of the same character."""
    if text.isascii():
        return text.lower()
    # Folding a case can bring marks to light (İ), and taking forms apart can bring capitals: hence twice.
    plain = normalize("NFKD", normalize("NFKD", text).casefold())
    return normalize("NFC", _patterns().dropped.sub("", plain).translate(_PLAIN))


def run_of(text: str) -> Run:
    """Return the parts of one run. Words come again and again, so those of usual length are kept."""
    return _kept_run(text) if len(text) <= TERM_LENGTH else _run(text)


@lru_cache(maxsize=4_096)
def _kept_run(text: str) -> Run:
    return _run(text)


def _run(text: str) -> Run:
    row: list[Part] = []
    wholes: list[Part] = []
    alone: set[int] = set()
    if text.isascii():
        for word in _ASCII_WORD.finditer(text):
            _take_word(word[0], word.start(), row, wholes)
    else:
        patterns = _patterns()
        for chunk in patterns.chunk.finditer(text):
            if patterns.unspaced.match(chunk[0]):
                _take_unspaced(chunk[0], chunk.start(), row, alone)
            else:
                _take_word(chunk[0], chunk.start(), row, wholes)
    return Run(tuple(row), tuple(wholes), frozenset(alone))


def index_text(text: str) -> str:
    """Return the terms of `text` as the index has them: separated by spaces, and side by side when they are in a row.

    A whole follows at the end, behind the term that it follows in the text.
    """
    found = runs(text).findall(text)
    words = " ".join(filter(None, map(_known.__getitem__, found)))
    return f"{words.replace(_HAS_WHOLES, '')} {' '.join(_wholes(found))}" if _HAS_WHOLES in words else words


def _wholes(found: Sequence[str]) -> Iterator[str]:
    before = ""
    for run in found:
        row, wholes, _ = run_of(run)
        for part in wholes:
            left = row[part.place - 1].term if part.place else before
            yield f"{BREAK} {left} {part.term}" if left else f"{BREAK} {part.term}"
        before = row[-1].term if row else before


_HAS_WHOLES: Final = "\n"


class _Indexed(dict[str, str]):
    """The row of each run as words, with a mark where it has wholes.

    A dictionary that fills itself is five times as fast as a cached function.
    """

    def __missing__(self, run: str) -> str:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        # Most runs are one word of ASCII letters, and their term is themselves in small letters.
        if run.isascii() and run.isalpha() and (run.islower() or run[1:].islower()):
            words = run.lower()[:TERM_LENGTH]
        else:
            row, wholes, _ = _run(run)
            words = " ".join(part.term for part in row) + (_HAS_WHOLES if wholes else "")
        if len(run) <= TERM_LENGTH:
            self[run] = words
        return words


_known = _Indexed()


def _words(folded: str) -> list[str]:
    """Return the runs of what was folded: ½ has become two."""
    return runs(folded).findall(folded)


def _take_unspaced(chunk: str, at: int, row: list[Part], alone: set[int]) -> None:
    """Add each pair of neighbours, and the last character alone."""
    folded = "".join(_words(fold(chunk)))
    aligned = len(folded) == len(chunk)
    for i in range(len(folded)):
        start, end = (i, min(i + 2, len(chunk))) if aligned else (0, len(chunk))
        row.append(Part(folded[i : i + 2], at + start, at + end, len(row)))
    if folded:
        alone.add(len(row) - 1)


def _take_word(chunk: str, at: int, row: list[Part], wholes: list[Part]) -> None:
    """Add a word, or its parts where it has several, and itself beside them."""
    first = len(row)
    for start, end in _split(chunk):
        for term in _words(fold(chunk[start:end])):
            row.append(Part(term[:TERM_LENGTH], at + start, at + end, len(row)))
    if len(row) - first > 1:
        whole = "".join(_words(fold(chunk)))
        wholes.append(Part(whole[:TERM_LENGTH], at, at + len(chunk), first))


def _split(word: str) -> list[tuple[int, int]]:
    """Return where the parts of a word begin and end: at a capital behind a small letter, at digits."""
    if word.islower() and word.isalpha():
        return [(0, len(word))]
    # An accent is of the letter before it.
    letters = [(at, letter) for at, letter in enumerate(word) if not combining(letter)]
    cuts, by_digits = [0], 0
    for number, (at, here) in enumerate(letters[1:], 1):
        before, after = letters[number - 1][1], letters[number + 1][1] if number + 1 < len(letters) else ""
        if before.isdigit() != here.isdigit():
            by_digits += 1
            cuts.append(at)
        elif here.isupper() and (before.islower() or (before.isupper() and after.islower())):
            cuts.append(at)
    if len(cuts) > _MOST_PARTS or by_digits > _MOST_BY_DIGITS:
        cuts = [0]
    return list(zip(cuts, [*cuts[1:], len(word)], strict=True))
