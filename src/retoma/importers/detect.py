"""Which format a file is: told by what is in it, and by its name only where that says nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

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
# A list of sessions that a tool keeps beside them: a version, and entries that quote what the sessions have.
_INDEX = re.compile(rb'\s*\{\s*(?:"\w+"\s*:\s*(?:"[^"\\]*"|[\w.-]+)\s*,\s*)*"entries"\s*:\s*\[')
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DATABASES: Final = (".db", ".sqlite", ".sqlite3")


def format_of(head: bytes, path: Path | None = None) -> Format | None:
    """Return the format of a file that begins with `head`; None when nothing says it."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _OURS.match(head):
        return "retoma"
    if head.startswith(MAGIC):
        return "openai-agents"
    if _INDEX.match(head):
        return None
    found = {tool: len(sign.findall(head)) for tool, sign in _SIGNS.items()}
    most = max(found, key=lambda tool: found[tool])
    if found[most]:
        return most
    return by_name(path) if path is not None else None


def by_name(path: Path) -> Format | None:
    """Return the format that a file has by its name and place; None when they say nothing."""
    name, ending = path.name, path.suffix.lower()
    if name == "events.jsonl":
        return "copilot"
    if ending == ".jsonl" and (_UUID.fullmatch(path.stem) or name.startswith("agent-")):
        return "claude-code"
    if ending == ".jsonl" and name.startswith("rollout-"):
        return "codex"
    if ending == ".json" and path.parent.name == "sessions" and path.parent.parent.name == ".trellis":
        return "trellis"
    return "openai-agents" if ending in DATABASES else None
