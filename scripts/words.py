#!/usr/bin/env python3
"""Find words that this project does not use, in what its users read: help, errors, notices, README and docs.

Prints each as FILE:LINE, the word and what to write instead; exit status 1 when there is one.
Names of columns and keys (a word in backticks, a list of columns, a key of JSON) are code and not judged.
Usage: scripts/words.py
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTEAD = {
    r"\banew\b": "again, restarted",
    r"\b(go|goes|going|gone|went) on\b(?! (the|its|this|a|stdout|standard))": "continue",
    r"\bmend(s|ed|ing)?\b|\bto look at\b": "fix; warning",
    r"\b(behind|ahead of) (the |an |that |its |this )?(seq|event|cursor)\b|\bwhat is behind\b": "after, before",
    r"\bheld against\b": "compared with",
    r"\bread over\b|\btaken along\b|\bbrought\b": "ignored, included, imported",
    r"\b(is|are) (?-i:none)\b|\bis no cursor\b": "there is no …",
    r"\bsaid of\b": "a session's properties",
    r"\b(who|what) drives\b": "the driver",
    r"\b(a|one|same|no) moment\b|\ba look\b|\bone look\b|\ba word for\b": "an instant, a check, a name for",
    r"\bunique beginning\b": "prefix",
    r"\bthoughts?\b(?! of)": "reasoning",
    r"\bshelf\b|\bdeeds?\b|\bdoor\b|\btold\b|\bbell\b": "archived, trash; action; handle; notified; wake-up",
    r"\bNothing of this was written\b": "Nothing was written.",
    r"\bbegins more than one\b|\bWrite one more letter\b": "'x' matches N sessions: … Type more of the id.",
    r"\bNearest: ": "Did you mean 'y'? (only when there is a y)",
    r"\bThere is an? (session|file|store|flow) .{1,40} already\b": "Session 'x' already exists.",
    r"\bWhat was acknowledged is safe\b": "Everything saved so far is safe.",
    r"\bWhat was typed was not kept\b": "Your last answer was not saved:",
    r"\bso many\b|\bif not said\b|\bunless said\b|\bno options of its own\b": "Show the last N; default 50",
    r"\b[Ww]hoever\b|\b[Ww]homever\b": "the noun",
    r"\bthat was (not )?to be\b|\bof nobody\b|\bto nobody\b": "the plain sentence",
}
_EVERY = re.compile("|".join(INSTEAD), re.IGNORECASE)
_CODE = re.compile(r"`\w+`|\"\w+\":|^ ?[a-z_]+( [a-z_]+){4,} ?$")
_ANY = [(re.compile(pattern, re.IGNORECASE), instead) for pattern, instead in INSTEAD.items()]


def main() -> int:
    found = [*_in_source(), *_in_docs()]
    for place, word, instead in found:
        print(f"{place}: {word!r}: write {instead}")
    print(f"{len(found)} found", file=sys.stderr)
    return 1 if found else 0


def _in_docs() -> Iterator[tuple[str, str, str]]:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            yield from _judged(f"{path.relative_to(ROOT)}:{number}", line)


def _in_source() -> Iterator[tuple[str, str, str]]:
    """Judge the help of verbs (the docstrings in interfaces/cli) and every other text of more than one word."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        shown = "cli" in path.parts
        documented = {} if shown else _docstrings(tree)
        for node in ast.walk(tree):
            text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if text and " " in node.value.strip() and id(node) not in documented:
                yield from _judged(f"{path.relative_to(ROOT)}:{node.lineno}", node.value)


def _docstrings(tree: ast.AST) -> dict[int, ast.Constant]:
    """Return the texts that stand alone as a statement: docstrings, and those of attributes."""
    alone = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    return {id(text): text for text in alone if isinstance(text, ast.Constant)}


def _judged(place: str, text: str) -> Iterator[tuple[str, str, str]]:
    text = _CODE.sub("``", text)
    if not _EVERY.search(text):
        return
    for pattern, instead in _ANY:
        for match in pattern.finditer(text):
            yield place, match[0], instead


if __name__ == "__main__":
    sys.exit(main())
