"""Every verb: where it lives, what it does, and under which heading. Nothing is imported to list them."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ALIASES", "GROUPS", "TOPICS", "VERBS", "Entry", "aliases_of", "nouns", "resolve", "verbs_of"]

_CLI = "retoma.interfaces.cli"


class Entry(NamedTuple):
    """`target` is `module:attribute`, a click command made by `verb`; `summary` a few words for the lists."""

    target: str
    summary: str


VERBS: dict[str, Entry] = {
    "run": Entry(f"{_CLI}.run:run", "start or resume a flow in a session"),
    "flow validate": Entry(f"{_CLI}.flow:validate", "say what is wrong in a flow, without running it"),
    "flow graph": Entry(f"{_CLI}.flow:graph", "a flow drawn, with where a session stands"),
    "flow test": Entry(f"{_CLI}.flow_test:test", "run a flow by scripts, without its tools"),
    "flow new": Entry(f"{_CLI}.flow_new:new", "a small flow to begin from"),
    "flow schema": Entry(f"{_CLI}.flow:schema", "of a node's front matter, for editors"),
    "session create": Entry(f"{_CLI}.session:create", "make a session, print its id"),
    "session ls": Entry(f"{_CLI}.session_list:ls", "list sessions, newest first"),
    "session show": Entry(f"{_CLI}.session:show", "all of one session, for people"),
    "session inspect": Entry(f"{_CLI}.session_read:inspect", "its state as JSON"),
    "session read": Entry(f"{_CLI}.session_read:read", "the conversation"),
    "session log": Entry(f"{_CLI}.session_read:log", "the journal, one event a line"),
    "session search": Entry(f"{_CLI}.session_search:search", "find what was said"),
    "session append": Entry(f"{_CLI}.session_read:append", "a message, no turn"),
    "session pick": Entry(f"{_CLI}.session_pick:pick", "look for one on the full screen"),
    "session tree": Entry(f"{_CLI}.session_read:tree", "a session, its children and its forks"),
    "session fork": Entry(f"{_CLI}.session_branch:fork", "another way from any of its events"),
    "session undo": Entry(f"{_CLI}.session_branch:undo", "back to before what was said last"),
    "session diff": Entry(f"{_CLI}.session_branch:diff", "what two sessions have alone"),
    "session pause": Entry(f"{_CLI}.session:pause", "active → suspended"),
    "session resume": Entry(f"{_CLI}.session:resume", "suspended → active"),
    "session end": Entry(f"{_CLI}.session:end", "→ completed, read-only"),
    "session fail": Entry(f"{_CLI}.session:fail", "→ failed, with the reason, read-only"),
    "session signal": Entry(f"{_CLI}.session_signal:signal", "send its flow a signal"),
    "session rename": Entry(f"{_CLI}.session_change:rename", "another title"),
    "session describe": Entry(f"{_CLI}.session_change:describe", "say at length what it is"),
    "session set-id": Entry(f"{_CLI}.session_change:set_id", "another id; history stays"),
    "session tag": Entry(f"{_CLI}.session_change:tag", "add and take away tags"),
    "session link": Entry(f"{_CLI}.session_change:link", "what it is about: repository=…, task=…"),
    "session unlink": Entry(f"{_CLI}.session_change:unlink", "take a context away"),
    "session meta": Entry(f"{_CLI}.session_change:meta", "set metadata"),
    "session note": Entry(f"{_CLI}.session_change:note", "add a note"),
    "session set-agent": Entry(f"{_CLI}.session_change:set_agent", "who answers from the next turn on"),
    "session set-model": Entry(f"{_CLI}.session_change:set_model", "which model is asked"),
    "session set-thinking": Entry(f"{_CLI}.session_change:set_thinking", "how hard it thinks"),
    "session set-channel": Entry(f"{_CLI}.session_change:set_channel", "where replies go"),
    "session pin": Entry(f"{_CLI}.session_shelf:pin", "show first"),
    "session unpin": Entry(f"{_CLI}.session_shelf:unpin", "show in its turn"),
    "session archive": Entry(f"{_CLI}.session_shelf:archive", "hide from lists, keep whole"),
    "session unarchive": Entry(f"{_CLI}.session_shelf:unarchive", "show in lists again"),
    "session reset": Entry(f"{_CLI}.session_forget:reset", "a new epoch, empty; --erase deletes the earlier"),
    "session redact": Entry(f"{_CLI}.session_forget:redact", "take content out, in place"),
    "session export": Entry(f"{_CLI}.session_transfer:export", "as a file: json, jsonl, csv, md, html"),
    "session import": Entry(f"{_CLI}.session_transfer:import_", "exports, and sessions of other tools"),
    "session trash": Entry(f"{_CLI}.session_shelf:trash", "hide for seven days, then delete"),
    "session restore": Entry(f"{_CLI}.session_shelf:restore", "out of the trash"),
    "session prune": Entry(f"{_CLI}.session_prune:prune", "trash what was left alone for long"),
    "session rm": Entry(f"{_CLI}.session_forget:rm", "delete sessions for good"),
    "store check": Entry(f"{_CLI}.store_check:check", "is all there as it was written"),
    "store backup": Entry(f"{_CLI}.store_backup:backup", "one moment of it as a file, while others write"),
    "store restore": Entry(f"{_CLI}.store_backup:restore", "a backup becomes the store"),
    "store info": Entry(f"{_CLI}.store:info", "sizes by kind and by session"),
    "store migrate": Entry(f"{_CLI}.store:migrate", "to this Retoma's format"),
    "store gc": Entry(f"{_CLI}.store:gc", "take what is due to go"),
    "store log": Entry(f"{_CLI}.store_log:log", "what went without anybody's hand, and why"),
    "template ls": Entry(f"{_CLI}.template:ls", "templates for sessions, by name"),
    "template show": Entry(f"{_CLI}.template:show", "what one gives to a session"),
    "init": Entry(f"{_CLI}.init:init", "make a .retoma/ store in this directory"),
    "doctor": Entry(f"{_CLI}.doctor:doctor", "is all well here, and what to do if not"),
    "config": Entry(f"{_CLI}.config:config", "what holds, and where each value came from"),
    "trust": Entry(f"{_CLI}.trust:trust", "what a retoma.toml that was found may do"),
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
