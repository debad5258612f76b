"""The statements' one home in Python: named SQL from queries/*.sql, whole and bound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

Value: TypeAlias = "int | str | bytes | None"
Row: TypeAlias = tuple[Any, ...]
Run: TypeAlias = Callable[..., "list[Row]"]
"""Runs one statement with its values (a tuple for `?`, a mapping for `:name`) and returns all its rows."""

Values: TypeAlias = "Sequence[Value] | Mapping[str, Value]"

MANY = 64
"""How many numbers the fragment `many` has places for."""

_HEAD = re.compile(r"^-- (name|fragment): (\w+)\n", re.MULTILINE)


def read(folder: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the statements and the fragments of a folder's files, each by its name."""
    statements: dict[str, str] = {}
    fragments: dict[str, str] = {}
    for file in sorted((Path(__file__).parent / folder).glob("*.sql")):
        _, *parts = _HEAD.split(file.read_text(encoding="utf-8"))
        for kind, name, text in zip(parts[0::3], parts[1::3], parts[2::3], strict=True):
            lines = (line for line in text.splitlines() if not line.startswith("--"))
            (statements if kind == "name" else fragments)[name] = " ".join(" ".join(lines).split())
    for name, text in statements.items():
        if "{" in text:
            statements[name] = text.format_map(fragments)
    return statements, fragments


STATEMENTS, FRAGMENTS = read("queries")


def in_chunks(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield `numbers` in tuples for `many`; the last one is filled up with a number of its own."""
    for start in range(0, len(numbers), MANY):
        chunk = tuple(numbers[start : start + MANY])
        yield chunk + chunk[:1] * (MANY - len(chunk))


def of_several(run: Run, fragment: str, keys: Sequence[int]) -> list[Row]:
    """Run a statement over several sessions. There are three texts of each, however many sessions a page has."""
    if not keys:
        return []
    places = next((size for size in (8, 64) if len(keys) <= size), len(keys))
    filled = [*keys, *[keys[-1]] * (places - len(keys))]
    return run(FRAGMENTS[fragment].format(keys=", ".join("?" * places)), tuple(filled))
