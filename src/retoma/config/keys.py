"""Every key of a `retoma.toml`: what it takes, what it means, and whether this version acts on it.

The reader checks by this table, `retoma config` shows by it, and the JSON Schema for editors is made from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

__all__ = ["BACKENDS", "GUIDE", "KNOWN", "MEANT", "NAME", "Key", "Kind", "Table"]

Kind: TypeAlias = Literal[
    "text", "texts", "count", "bytes", "duration", "seconds", "flag", "backend", "table", "tools", "any"
]


class Key(NamedTuple):
    """`used` False: the key is checked and shown, and nothing acts on it in this version."""

    kind: Kind
    says: str
    used: bool = True


Table: TypeAlias = Mapping[str, "Key | Table"]
"""Keys by their names; `*` stands for any name that a person chooses."""

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a person may name an agent, a template or a provider."""

BACKENDS: Final = {"memory": ":memory:", "sled": "", "sqlite": ""}
"""The artifact guide's kinds of store: which store of ours each means, the usual one being empty."""


def _later(kind: Kind, says: str) -> Key:
    return Key(kind, says, used=False)


_OF_ONE: Final[dict[str, Key | Table]] = {
    "events_per_session": Key("count", "How many events a session may have."),
    "artifacts_per_session": _later("count", "How many artifacts a session may have."),
    "artifact_size": _later("bytes", "How many bytes an artifact may have."),
    "waiting_prompts": _later("count", "How many prompts may wait in a session."),
}
"""Limits that hold for each session by itself."""

_GUIDE_SESSIONS: Final[Table] = {
    "enabled": _later("flag", "Whether sessions are managed; they always are."),
    "max_sessions": Key("count", "As limits.sessions_active."),
    "max_artifacts_per_session": _later("count", "As limits.artifacts_per_session."),
    "artifact_compression_threshold": _later("bytes", "As artifacts.compress_above."),
    "session_timeout_seconds": Key("seconds", "As retention.idle_timeout, in seconds."),
    "storage_backend": Key("backend", "memory: as store = ':memory:'. sled, sqlite: the file."),
}

KNOWN: Final[Table] = {
    "store": Key(
        "text",
        "The store: a directory, a file, :memory: or postgresql://. A relative path starts at this file.",
    ),
    "limits": {
        "sessions": Key("count", "How many sessions there may be, archived and trashed ones not counted."),
        "sessions_active": Key("count", "How many of them may be active."),
        **_OF_ONE,
    },
    "retention": {
        "idle_timeout": Key("duration", "Active sessions without an event for so long are failed."),
        "completed_after": Key("duration", "Sessions that are over for so long are put in the trash."),
    },
    "templates": {
        "*": {
            "title_prefix": Key("text", "What the title begins with."),
            "tags": Key("texts", "Tags that the session has besides its own."),
            "metadata": Key("table", "Metadata, under what is given."),
            "agent": Key("text", "The agent, unless another is given."),
            "model": Key("text", "The model, unless another is given."),
            "ttl": Key("duration", "When the session expires, unless it is said otherwise."),
            "limits": _OF_ONE,
        },
    },
    "agents": {
        "*": {
            "model": _later("text", "PROVIDER:MODEL, or a bare name."),
            "instructions": _later("text", "What the model is told first."),
            "tools": _later("tools", "Names of tools, or tables with name and command."),
            "limits": _later("table", "What a turn may take."),
        },
    },
    "artifacts": {
        "compress_above": _later("bytes", "Content above this many bytes is compressed."),
        "inline_below": _later("bytes", "Content below this many bytes is kept in the database."),
        "store": _later("text", "Where larger content is kept."),
    },
    "providers": {"*": _later("any", "A provider of models.")},
    "runtime": {"sessions": _GUIDE_SESSIONS},
}

GUIDE: Final[Table] = {"runtime": {"sessions": {**_GUIDE_SESSIONS, "*": _later("any", "Not known here.")}}}
"""What is read of an llmspell.toml, whatever else that table may come to hold."""

MEANT: Final = {
    "runtime.sessions.max_sessions": "limits.sessions_active",
    "runtime.sessions.max_artifacts_per_session": "limits.artifacts_per_session",
    "runtime.sessions.artifact_compression_threshold": "artifacts.compress_above",
    "runtime.sessions.session_timeout_seconds": "retention.idle_timeout",
    "runtime.sessions.storage_backend": "store",
}
"""What the artifact guide calls it → what it is here. A file's own key for the same thing goes before."""
