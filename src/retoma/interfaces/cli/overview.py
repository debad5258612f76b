"""The output of `retoma --help` and `retoma NOUN --help`: one screen, made from the table of verbs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retoma.interfaces.cli.table import GROUPS, TOPICS, VERBS, aliases_of, nouns, verbs_of
from retoma.interfaces.cli.verb import EVERYWHERE

__all__ = ["noun_help", "program_help"]

_WIDTH = 80
_INDENT = 13


def program_help() -> str:
    """Return at most 24 lines of 80 columns, the verbs under their headings."""
    lines = [
        "Usage: retoma [NOUN] VERB [OPTIONS]",
        "Durable sessions for agents, scripts and guided flows.",
        "",
    ]
    for heading, words in GROUPS:
        lines.append(heading)
        for word in words:
            lines.extend(_noun_lines(word) if word in nouns() else [_row(word, VERBS[word].summary)])
    lines += ["", f"Everywhere: {EVERYWHERE}"]
    lines.append("Help on a verb: retoma [NOUN] VERB --help. Start with: retoma init")
    return "\n".join(lines) + "\n"


def noun_help(noun: str) -> str:
    """Return the verbs of a noun with their other names: one per line, or grouped under headings."""
    lines = [f"Usage: retoma {noun} VERB [OPTIONS]", ""]
    for heading, words in TOPICS.get(noun, ()):
        lines.extend(_wrapped(heading, [_with_aliases(noun, word) for word in words]))
    for word in () if noun in TOPICS else verbs_of(noun):
        others = aliases_of(f"{noun} {word}")
        lines.append(_row(", ".join((word, *others)), VERBS[f"{noun} {word}"].summary, indent=20))
    lines += ["", f"Everywhere: {EVERYWHERE}", f"Help on a verb: retoma {noun} VERB --help"]
    return "\n".join(lines) + "\n"


def _noun_lines(noun: str) -> Iterator[str]:
    yield from _wrapped(noun, verbs_of(noun))


def _with_aliases(noun: str, word: str) -> str:
    others = aliases_of(f"{noun} {word}")
    return f"{word} ({', '.join(others)})" if others else word


def _wrapped(lead: str, words: Sequence[str]) -> Iterator[str]:
    line = ""
    for word in words:
        if line and _INDENT + len(line) + len(word) + 2 > _WIDTH:
            yield _row(lead, line)
            line, lead = "", ""
        line = f"{line}, {word}" if line else word
    yield _row(lead, line)


def _row(word: str, text: str, *, indent: int = _INDENT) -> str:
    return f"  {word}".ljust(indent) + text
