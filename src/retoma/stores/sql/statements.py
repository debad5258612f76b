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

_HEAD = re.compile(r"^-- (name|fragment|postgresql): (\w+)\n", re.MULTILINE)
_NOTE = re.compile(r"^-- (locks|alone|kept|grouped): (.+)$", re.MULTILINE)


class Texts(dict[str, str]):
    """Texts by name, each made of its lines when it is first asked for: a command needs few of them.

    `whole()` has all of them.
    """

    def __init__(self, lines: Mapping[str, str], fragments: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._lines = lines
        self._fragments = fragments

    def __missing__(self, name: str) -> str:
        if name == "searched_types":
            # No command needs them but the check: the declarations are not loaded before.
            from retoma.model.events import known

            return ", ".join(f"'{kind.name}'" for kind in known().values() if kind.searched is not None)
        kept = (line for line in self._lines[name].splitlines() if not line.startswith("--"))
        text = " ".join(" ".join(kept).split())
        if self._fragments is not None and "{" in text:
            text = text.format_map(self._fragments)
        self[name] = text
        return text

    def whole(self) -> dict[str, str]:
        """Return all of them, made."""
        return {name: self[name] for name in self._lines}

    def noted(self, kind: str) -> dict[str, str]:
        """Return what the comments of statements say PostgreSQL does with them, by name (see `postgres/statements`)."""
        found = ((name, dict(_NOTE.findall(lines))) for name, lines in self._lines.items())
        return {name: notes[kind] for name, notes in found if kind in notes}


def read(folder: str) -> tuple[Texts, Texts, Texts]:
    """Return the statements of a folder's files, the fragments, and what PostgreSQL runs instead, each by its name."""
    texts: dict[str, dict[str, str]] = {"name": {}, "fragment": {}, "postgresql": {}}
    for file in sorted((Path(__file__).parent / folder).glob("*.sql")):
        _, *parts = _HEAD.split(file.read_text(encoding="utf-8"))
        for kind, name, lines in zip(parts[0::3], parts[1::3], parts[2::3], strict=True):
            texts[kind][name] = lines
    known = Texts(texts["fragment"])
    return Texts(texts["name"], known), known, Texts(texts["postgresql"], known)


STATEMENTS, FRAGMENTS, ON_POSTGRESQL = read("queries")


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
