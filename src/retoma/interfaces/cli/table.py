"""Every verb: where it lives, what it does, and under which heading. Nothing is imported to list them."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ALIASES", "GROUPS", "VERBS", "Entry", "aliases_of", "nouns", "resolve", "verbs_of"]

_CLI = "retoma.interfaces.cli"


class Entry(NamedTuple):
    """`target` is `module:attribute`, a click command made by `verb`; `summary` a few words for the lists."""

    target: str
    summary: str


VERBS: dict[str, Entry] = {
    "run": Entry(f"{_CLI}.run:run", "start or resume a flow in a session"),
    "flow validate": Entry(f"{_CLI}.flow:validate", "say what is wrong in a flow, without running it"),
    "session create": Entry(f"{_CLI}.session:create", "make a session, print its id"),
    "session ls": Entry(f"{_CLI}.session_list:ls", "list sessions, newest first"),
    "session show": Entry(f"{_CLI}.session:show", "all of one session, for people"),
    "session inspect": Entry(f"{_CLI}.session_read:inspect", "its state as JSON"),
    "session read": Entry(f"{_CLI}.session_read:read", "the conversation"),
    "session log": Entry(f"{_CLI}.session_read:log", "the journal, one event a line"),
    "session pause": Entry(f"{_CLI}.session:pause", "active → suspended"),
    "session resume": Entry(f"{_CLI}.session:resume", "suspended → active"),
    "session end": Entry(f"{_CLI}.session:end", "→ completed, read-only"),
    "session fail": Entry(f"{_CLI}.session:fail", "→ failed, with the reason, read-only"),
    "session export": Entry(f"{_CLI}.session_transfer:export", "as a file: json, jsonl, csv, md"),
    "session import": Entry(f"{_CLI}.session_transfer:import_", "exported sessions, into this store"),
    "session rm": Entry(f"{_CLI}.session:rm", "delete sessions for good"),
    "init": Entry(f"{_CLI}.init:init", "make a .retoma/ store in this directory"),
    "doctor": Entry(f"{_CLI}.doctor:doctor", "is all well here, and what to do if not"),
    "config": Entry(f"{_CLI}.config:config", "what holds, and where each value came from"),
    "version": Entry(f"{_CLI}.version:version", "of Retoma, Python and SQLite"),
    "completion": Entry(f"{_CLI}.completion:completion", "of verbs, for bash, zsh and fish"),
}

ALIASES: dict[str, str] = {
    "sessions": "session",
    "session list": "session ls",
    "session info": "session show",
    "session suspend": "session pause",
    "session complete": "session end",
    "session delete": "session rm",
}

# What `retoma --help` shows, in its order. A noun is shown with its verbs.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Flows", ("run", "flow")),
    ("Sessions", ("session",)),
    ("Store", ("init", "doctor", "config")),
    ("This program", ("version", "completion")),
)


def resolve(path: str) -> str:
    """Return the path that an alias stands for, or `path` itself: `sessions list` is `session ls`."""
    noun, space, verb = path.partition(" ")
    noun = ALIASES.get(noun, noun)
    full = f"{noun}{space}{verb}"
    return ALIASES.get(full, full)


def nouns() -> tuple[str, ...]:
    """Return the nouns, in the table's order."""
    return tuple(dict.fromkeys(path.partition(" ")[0] for path in VERBS if " " in path))


def verbs_of(noun: str) -> tuple[str, ...]:
    """Return what may follow `noun`, in the table's order; for the empty noun, what may follow `retoma`."""
    if not noun:
        return tuple(dict.fromkeys(path.partition(" ")[0] for path in VERBS))
    return tuple(path.removeprefix(f"{noun} ") for path in VERBS if path.startswith(f"{noun} "))


def aliases_of(path: str) -> tuple[str, ...]:
    """Return the other last words that mean the same verb."""
    return tuple(alias.rpartition(" ")[2] for alias, meant in ALIASES.items() if meant == path)
