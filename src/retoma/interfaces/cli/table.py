"""All verbs: their modules, summaries and headings. Listing them imports nothing."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ALIASES", "GROUPS", "TOPICS", "VERBS", "Entry", "aliases_of", "nouns", "resolve", "verbs_of"]

_CLI = "retoma.interfaces.cli"


class Entry(NamedTuple):
    """`target` is `module:attribute`, a click command made by `verb`; `summary` is a short text for lists."""

    target: str
    summary: str


VERBS: dict[str, Entry] = {
    "run": Entry(f"{_CLI}.run:run", "start or resume a flow in a session"),
    "flow validate": Entry(f"{_CLI}.flow:validate", "report problems in a flow, without running it"),
    "flow graph": Entry(f"{_CLI}.flow:graph", "draw a flow, and a session's place in it"),
    "flow test": Entry(f"{_CLI}.flow_test:test", "test a flow with scripts, without its tools"),
    "flow new": Entry(f"{_CLI}.flow_new:new", "create a small flow to start from"),
    "flow schema": Entry(f"{_CLI}.flow:schema", "print the JSON Schema of a node"),
    "session create": Entry(f"{_CLI}.session:create", "make a session, print its id"),
    "session ls": Entry(f"{_CLI}.session_list:ls", "list sessions, newest first"),
    "session show": Entry(f"{_CLI}.session:show", "show a session's properties"),
    "session inspect": Entry(f"{_CLI}.session_read:inspect", "print a session's state as JSON"),
    "session read": Entry(f"{_CLI}.session_read:read", "print the conversation"),
    "session log": Entry(f"{_CLI}.session_read:log", "print the journal, one event per line"),
    "session search": Entry(f"{_CLI}.session_search:search", "search messages, notes and titles"),
    "session append": Entry(f"{_CLI}.session_read:append", "append a message"),
    "session pick": Entry(f"{_CLI}.session_pick:pick", "find a session on the full screen"),
    "session tree": Entry(f"{_CLI}.session_read:tree", "show its children and forks as a tree"),
    "session fork": Entry(f"{_CLI}.session_branch:fork", "branch off a new session at any event"),
    "session undo": Entry(f"{_CLI}.session_branch:undo", "undo the last message or input"),
    "session diff": Entry(f"{_CLI}.session_branch:diff", "compare two sessions"),
    "session pause": Entry(f"{_CLI}.session:pause", "active → suspended"),
    "session resume": Entry(f"{_CLI}.session:resume", "suspended → active"),
    "session end": Entry(f"{_CLI}.session:end", "→ completed, read-only"),
    "session fail": Entry(f"{_CLI}.session:fail", "→ failed, with the reason, read-only"),
    "session signal": Entry(f"{_CLI}.session_signal:signal", "send a signal to its flow"),
    "session rename": Entry(f"{_CLI}.session_change:rename", "change the title"),
    "session describe": Entry(f"{_CLI}.session_change:describe", "set the description"),
    "session set-id": Entry(f"{_CLI}.session_change:set_id", "change the id"),
    "session tag": Entry(f"{_CLI}.session_change:tag", "add and remove tags"),
    "session link": Entry(f"{_CLI}.session_change:link", "link it: repository=…, task=…"),
    "session unlink": Entry(f"{_CLI}.session_change:unlink", "remove a link"),
    "session meta": Entry(f"{_CLI}.session_change:meta", "set metadata"),
    "session note": Entry(f"{_CLI}.session_change:note", "add a note"),
    "session set-agent": Entry(f"{_CLI}.session_change:set_agent", "set the agent of later turns"),
    "session set-model": Entry(f"{_CLI}.session_change:set_model", "set the model of later turns"),
    "session set-thinking": Entry(f"{_CLI}.session_change:set_thinking", "set the thinking level"),
    "session set-channel": Entry(f"{_CLI}.session_change:set_channel", "set where replies are sent"),
    "session pin": Entry(f"{_CLI}.session_shelf:pin", "show first in lists"),
    "session unpin": Entry(f"{_CLI}.session_shelf:unpin", "undo pin"),
    "session archive": Entry(f"{_CLI}.session_shelf:archive", "hide from lists"),
    "session unarchive": Entry(f"{_CLI}.session_shelf:unarchive", "show in lists again"),
    "session reset": Entry(f"{_CLI}.session_forget:reset", "start a new epoch; --erase deletes earlier ones"),
    "session redact": Entry(f"{_CLI}.session_forget:redact", "erase content, keep the events"),
    "session export": Entry(f"{_CLI}.session_transfer:export", "write a file: json, jsonl, csv, md, html"),
    "session import": Entry(f"{_CLI}.session_transfer:import_", "read exports and sessions of other tools"),
    "session trash": Entry(f"{_CLI}.session_shelf:trash", "hide for seven days, then delete"),
    "session restore": Entry(f"{_CLI}.session_shelf:restore", "take out of the trash"),
    "session prune": Entry(f"{_CLI}.session_prune:prune", "trash inactive sessions"),
    "session rm": Entry(f"{_CLI}.session_forget:rm", "delete sessions permanently"),
    "store check": Entry(f"{_CLI}.store_check:check", "verify the whole store"),
    "store backup": Entry(f"{_CLI}.store_backup:backup", "write a consistent copy to a file"),
    "store restore": Entry(f"{_CLI}.store_backup:restore", "make a backup the store"),
    "store copy": Entry(f"{_CLI}.store_copy:copy", "copy every session to another store"),
    "store quarantine": Entry(
        f"{_CLI}.store_quarantine:quarantine", "list, export, restore, delete damaged sessions"
    ),
    "store info": Entry(f"{_CLI}.store:info", "show formats, sizes, largest sessions"),
    "store migrate": Entry(f"{_CLI}.store:migrate", "upgrade to this version's format"),
    "store gc": Entry(f"{_CLI}.store:gc", "do all due work now"),
    "store log": Entry(f"{_CLI}.store_log:log", "show what was deleted automatically, and why"),
    "template ls": Entry(f"{_CLI}.template:ls", "list session templates"),
    "template show": Entry(f"{_CLI}.template:show", "show what a template sets"),
    "init": Entry(f"{_CLI}.init:init", "make a .retoma/ store in this directory"),
    "doctor": Entry(f"{_CLI}.doctor:doctor", "check the installation"),
    "config": Entry(f"{_CLI}.config:config", "show settings and their sources"),
    "trust": Entry(f"{_CLI}.trust:trust", "trust a retoma.toml to name commands"),
    "version": Entry(f"{_CLI}.version:version", "show the versions of Retoma, Python, SQLite"),
    "completion": Entry(f"{_CLI}.completion:completion", "print the completion script of a shell"),
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
    ("Sessions", ("session", "template")),
    ("Store and program", ("store", "init", "doctor", "config", "trust", "version", "completion")),
)

# What `retoma NOUN --help` shows of a noun with many verbs: under what people come for, each once.
TOPICS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "session": (
        ("Find", ("ls", "search", "pick", "show", "tree")),
        ("Converse", ("create", "read", "append", "log", "inspect")),
        ("Its life", ("pause", "resume", "end", "fail", "signal", "reset")),
        ("Branches", ("fork", "undo", "diff")),
        ("Its name", ("rename", "describe", "set-id")),
        ("Labels", ("tag", "link", "unlink", "meta", "note")),
        ("Settings", ("set-agent", "set-model", "set-thinking", "set-channel")),
        ("Put away", ("pin", "unpin", "archive", "unarchive", "trash", "restore", "prune")),
        ("Carry", ("export", "import")),
        ("Forget", ("redact", "rm")),
    ),
}


def resolve(path: str) -> str:
    """Return the path for an alias, or `path` itself: `sessions list` is `session ls`."""
    noun, space, verb = path.partition(" ")
    noun = ALIASES.get(noun, noun)
    full = f"{noun}{space}{verb}"
    return ALIASES.get(full, full)


def nouns() -> tuple[str, ...]:
    """Return the nouns, in the table's order."""
    return tuple(dict.fromkeys(path.partition(" ")[0] for path in VERBS if " " in path))


def verbs_of(noun: str) -> tuple[str, ...]:
    """Return the words that may follow `noun`, in the table's order; for the empty noun, those that may follow
    `retoma`."""
    if not noun:
        return tuple(dict.fromkeys(path.partition(" ")[0] for path in VERBS))
    return tuple(path.removeprefix(f"{noun} ") for path in VERBS if path.startswith(f"{noun} "))


def aliases_of(path: str) -> tuple[str, ...]:
    """Return the other names of the same verb."""
    return tuple(alias.rpartition(" ")[2] for alias, meant in ALIASES.items() if meant == path)
