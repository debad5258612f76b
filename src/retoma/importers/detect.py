"""Which format a file is: told by what is in it, and by its name only where that says nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from retoma.config.opened import open_file
from retoma.errors import NotFound
from retoma.service.transfer.foreign import Tool
from retoma.stores.other_sqlite import MAGIC

Format: TypeAlias = Literal["retoma"] | Tool
Source: TypeAlias = Literal["auto"] | Format
SOURCES: Final[tuple[str, ...]] = ("auto", "retoma", *get_args(Tool))

HEAD_BYTES: Final = 256 << 10
"""How much of a file is looked at."""

_OURS = re.compile(rb'\s*\{\s*"(?:type"\s*:\s*"session"|format_version")')
# Each stands in a file as a key of its own: within a text its quotes would be escaped.
_SIGNS: Final[dict[Tool, re.Pattern[bytes]]] = {
    "copilot": re.compile(
        rb'(?<!\\)"type"\s*:\s*"(?:session|user|assistant|tool|system|subagent|hook)\.[a-z_]+"'
    ),
    "claude-code": re.compile(rb'(?<!\\)"(?:parentUuid|leafUuid|isSidechain)"\s*:'),
    "codex": re.compile(rb'(?<!\\)"type"\s*:\s*"(?:session_meta|response_item|turn_context|event_msg)"'),
    "trellis": re.compile(rb'(?<!\\)"(?:current_node_id|CurrentNodeID)"\s*:'),
}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DATABASES: Final = (".db", ".sqlite", ".sqlite3")
_ENDINGS: Final = (".json", ".jsonl", *_DATABASES)
_ENTERED: Final = (".trellis", ".claude", ".copilot", ".codex")
_DEEPEST: Final = 5
_APPLICATION: Final = slice(68, 72)  # where SQLite has the application's id


def format_of(head: bytes, path: Path | None = None) -> Format | None:
    """Return the format of a file that begins with `head`; None when nothing says it."""
    if _OURS.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "retoma"
    if head.startswith(MAGIC):
        return "openai-agents"
    found = {tool: len(sign.findall(head)) for tool, sign in _SIGNS.items()}
    most = max(found, key=lambda tool: found[tool])
    if found[most]:
        return most
    return _by_name(path) if path is not None else None


def _by_name(path: Path) -> Format | None:
    name, ending = path.name, path.suffix.lower()
    if name == "events.jsonl":
        return "copilot"
    if ending == ".jsonl" and (_UUID.fullmatch(path.stem) or name.startswith("agent-")):
        return "claude-code"
    if ending == ".jsonl" and name.startswith("rollout-"):
        return "codex"
    if ending == ".json" and path.parent.name == "sessions" and path.parent.parent.name == ".trellis":
        return "trellis"
    return "openai-agents" if ending in _DATABASES else None


def sessions_in(directory: Path, source: Source = "auto") -> list[tuple[Path, Format]]:
    """Return the files below a directory that hold sessions, in order, and their formats; others are ignored.

    Raises NotFound when there is none.
    """
    found = [(path, format) for path in _files(directory) if (format := _wanted(path, source)) is not None]
    if not found:
        what = "session of a tool that Retoma can import" if source == "auto" else f"session of {source}"
        raise NotFound(
            f"There is no {what} in '{directory}'.",
            code="no_session_file",
            hint="Give the file itself, and its format with --from.",
        )
    # What belongs to another session comes behind it.
    return sorted(found, key=lambda one: (one[0].name.startswith("agent-"), str(one[0])))


def _wanted(path: Path, source: Source) -> Format | None:
    try:
        with open_file(path) as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return None
    # A store of Retoma may lie there, too: it is not to be imported.
    format = None if head[_APPLICATION] == b"RTMA" else format_of(head, path)
    return format if source in ("auto", format) else None


def _files(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        here = Path(folder)
        depth = len(here.relative_to(directory).parts)
        folders[:] = sorted(name for name in folders if _enters(here, name, depth))
        for name in sorted(names):
            if name.lower().endswith(_ENDINGS) and not name.endswith(".meta.json"):
                yield here / name


def _enters(folder: Path, name: str, depth: int) -> bool:
    if depth >= _DEEPEST or name == "node_modules" or (name.startswith(".") and name not in _ENTERED):
        return False
    # The files of sub-agents are read with that of their session, if it is there.
    return not (name == "subagents" and folder.with_name(folder.name + ".jsonl").exists())
