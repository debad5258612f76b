"""The files that lie beside a session of Claude Code: those of its sub-agents, and what each says of its start."""

from __future__ import annotations

import re
from pathlib import Path

from retoma.config.opened import open_file
from retoma.errors import Invalid
from retoma.model.codec import Json, decode
from retoma.service.transfer.foreign import mapping
from retoma.service.transfer.given import Given

_TIMESTAMP = re.compile(rb'"timestamp"\s*:\s*"(\d{4}-[^"]*)"')


def beside(given: Given) -> list[Path]:
    """Return the files of the sub-agents of a session's file, also of those in directories of their own."""
    if given.folder is None:
        return []
    return sorted((given.folder / given.stem / "subagents").rglob("*.jsonl"), key=_begun)


def _begun(path: Path) -> tuple[str, str]:
    """Return when a file begins, and its path: one that comes later stands behind those that are here."""
    try:
        with open_file(path) as stream:
            found = _TIMESTAMP.search(stream.read(64 << 10))
    except OSError:
        found = None
    return (found[1].decode() if found else "", str(path))


def launched(given: Given) -> dict[str, Json]:
    """Return what the file beside a sub-agent's says of it: what it is for, and which call started it."""
    if given.path is None:
        return {}
    try:
        with open_file(given.path.with_suffix(".meta.json")) as file:
            return mapping(decode(file.read(1 << 20)))
    except (OSError, Invalid):
        return {}
