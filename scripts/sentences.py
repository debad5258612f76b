#!/usr/bin/env python3
"""Draw sentences that users read, from help, errors and docs, to be judged by somebody who does not know the code.

The draw is seeded by the commit, so that it can be repeated and not chosen.
Usage: scripts/sentences.py [COUNT, default 50] [COMMIT, default HEAD]
"""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`'])")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    name = sys.argv[2] if len(sys.argv) > 2 else "HEAD"
    commit = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", name], check=True, capture_output=True, text=True
    ).stdout.strip()
    found = sorted({*_documented(), *_said()})
    print(f"{count} of {len(found)} sentences, drawn by {commit[:12]}")
    for number, (place, text) in enumerate(random.Random(commit).sample(found, count), start=1):
        print(f"{number:3}  {text}\n     {place}")


def _documented() -> Iterator[tuple[str, str]]:
    """Yield the sentences of README and docs, without code and tables' rules."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = re.sub(
            r"^```.*?^```", "\n\n", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        for block in re.split(r"\n\s*\n|\n(?=[|#-])|\|", text):
            yield from _sentences(str(path.relative_to(ROOT)), block)


def _said() -> Iterator[tuple[str, str]]:
    """Yield the sentences of help (docstrings of verbs) and of errors and notices (texts with a full stop)."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        shown = "cli" in path.parts
        alone = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and (shown or id(node) not in alone)
            ):
                yield from _sentences(f"{path.relative_to(ROOT)}:{node.lineno}", node.value)


def _sentences(place: str, text: str) -> Iterator[tuple[str, str]]:
    for one in _SENTENCE.split(" ".join(text.split())):
        if one.endswith((".", "!", "?")) and one.count(" ") >= 3 and one[0].isupper():
            yield place, one


if __name__ == "__main__":
    main()
