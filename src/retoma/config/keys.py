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
    "events_per_session": Key("count", "The most events a session may have."),
    "artifacts_per_session": _later("count", "The most artifacts a session may have."),
    "artifact_size": _later("bytes", "The most bytes an artifact may have."),
    "waiting_prompts": _later("count", "The most prompts that may wait in a session."),
}
"""Limits that hold for each session by itself."""

_GUIDE_SESSIONS: Final[Table] = {
    "enabled": _later("flag", "Accepted for compatibility; sessions are always managed."),
    "max_sessions": Key("count", "The same as limits.sessions_active."),
    "max_artifacts_per_session": _later("count", "The same as limits.artifacts_per_session."),
    "artifact_compression_threshold": _later("bytes", "The same as artifacts.compress_above."),
    "session_timeout_seconds": Key("seconds", "The same as retention.idle_timeout, in seconds."),
    "storage_backend": Key("backend", "memory means store = ':memory:'; sled and sqlite mean the file."),
}

KNOWN: Final[Table] = {
    "store": Key(
        "text",
        "The store: a directory, a file, :memory: or postgresql://. A relative path is relative to this file.",
    ),
    "limits": {
        "sessions": Key("count", "The most sessions, not counting archived and trashed sessions."),
        "sessions_active": Key("count", "The most active sessions."),
        **_OF_ONE,
    },
    "retention": {
        "idle_timeout": Key("duration", "Active sessions without an event for this duration are failed."),
        "completed_after": Key("duration", "Sessions that ended this long ago are put in the trash."),
    },
    "templates": {
        "*": {
            "title_prefix": Key("text", "The prefix of the title."),
            "tags": Key("texts", "Tags added to the session's own tags."),
            "metadata": Key("table", "Default metadata; values given for the session replace it."),
            "agent": Key("text", "The default agent."),
            "model": Key("text", "The default model."),
            "ttl": Key("duration", "The default time to live of the session."),
            "limits": _OF_ONE,
        },
    },
    "agents": {
        "*": {
            "model": _later("text", "PROVIDER:MODEL, or a bare name."),
            "instructions": _later("text", "The model's system instructions."),
            "tools": _later("tools", "Names of tools, or tables with name and command."),
            "limits": _later("table", "Limits of one turn."),
        },
    },
    "artifacts": {
        "compress_above": _later("bytes", "Content above this many bytes is compressed."),
        "inline_below": _later("bytes", "Content below this many bytes is kept in the database."),
        "store": _later("text", "Where larger content is stored."),
    },
    "providers": {"*": _later("any", "A model provider.")},
    "runtime": {"sessions": _GUIDE_SESSIONS},
}

GUIDE: Final[Table] = {
    "runtime": {"sessions": {**_GUIDE_SESSIONS, "*": _later("any", "Not used by Retoma.")}}
}
"""What is read of an llmspell.toml, whatever else that table may come to hold."""

MEANT: Final = {
    "runtime.sessions.max_sessions": "limits.sessions_active",
    "runtime.sessions.max_artifacts_per_session": "limits.artifacts_per_session",
    "runtime.sessions.artifact_compression_threshold": "artifacts.compress_above",
    "runtime.sessions.session_timeout_seconds": "retention.idle_timeout",
    "runtime.sessions.storage_backend": "store",
}
"""What the artifact guide calls it → what it is here. A file's own key for the same thing goes before."""
