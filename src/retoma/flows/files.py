"""A flow's directory on the disk: which files define the flow, what they hold, and whether one of them changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from retoma.errors import Invalid, NotFound
from retoma.flows import tools
from retoma.flows.model import EXTENSIONS, Problem

MAX_FILE = 1 << 20
MAX_FILES = 10_000
MAX_SIZE = 64 << 20
MAX_DEPTH = 50
_TOOLS = tools.FILES

Stamp: TypeAlias = tuple[int, int, int, int]
"""Inode, size, and when content and inode changed last: what no write leaves as it was."""


class Look(msgspec.Struct, frozen=True):
    """A flow's directory as one look found it. Two that are equal saw the same files, unless one is being written."""

    files: dict[str, Stamp]
    problems: tuple[Problem, ...] = ()


class Unsettled(Exception):
    """A file is not any more what a look saw."""


def look(path: str | os.PathLike[str]) -> Look:
    """Return what defines the flow in the directory `path`, by each file's path below it, and what is in the way.

    Raises NotFound when there is no such directory, and Invalid when it is a file.
    """
    root = Path(path)
    try:
        mode = root.stat().st_mode
    except (OSError, ValueError) as error:
        raise NotFound(
            f"There is no flow at {str(path)!r}.",
            code="flow_not_found",
            hint="Give a directory that holds nodes.",
        ) from error
    if not stat.S_ISDIR(mode):
        raise Invalid(
            f"{str(path)!r} is a file; a flow is a directory.",
            code="flow_invalid",
            hint=f"Run {str(root.parent)!r} instead.",
            problems=[],
        )
    walk = _Walk(root)
    walk.directory(str(root), "", 0)
    return Look(walk.files, tuple(walk.problems))


def read(
    path: str | os.PathLike[str],
    seen: Look,
    *,
    before: Look | None = None,
    kept: Mapping[str, bytes] | None = None,
) -> tuple[dict[str, bytes], list[Problem]]:
    """Return the content of the files that a look has `seen`, and what is in the way of the rest.

    With a look `before` and what was `kept` from it, only files that changed since are read, and each of them has to be
    as it was seen: Unsettled says that one is not.
    """
    stamps = before.files if before is not None else {}
    files = {below: content for below, content in (kept or {}).items() if below in seen.files}
    problems = list(seen.problems)
    changed = [one for one in seen.files.items() if stamps.get(one[0]) != one[1] or one[0] not in files]
    root = os.fspath(path)
    for below, stamp in changed:
        try:
            files[below] = _content(f"{root}/{below}", stamp, unchanged=before is not None)
        except OSError as error:
            if before is not None and isinstance(error, FileNotFoundError):
                raise Unsettled from error
            files.pop(below, None)
            problems.append(_problem(below, f"This file cannot be read: {error.strerror}."))
    return files, problems


def is_node(below: str) -> bool:
    """Return whether the file at the path `below` a flow's directory is a node."""
    return below.endswith(EXTENSIONS) and below.rpartition("/")[2] not in _NO_NODES and not _hidden(below)


_NO_NODES = ("README.md", *_TOOLS, *EXTENSIONS)


def _hidden(below: str) -> bool:
    return below.startswith(".") or "/." in below


def _defines(below: str) -> bool:
    return below in _TOOLS or is_node(below)


def _content(path: str, stamp: Stamp, *, unchanged: bool) -> bytes:
    """Return the file's content, at most one byte more than a file may have."""
    # A pipe that took the file's place in between must not make us wait for whoever writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if unchanged and _stamp(os.fstat(descriptor)) != stamp:
            raise Unsettled
        room = MAX_FILE + 1
        data = os.read(descriptor, min(stamp[1] + 1, room))
        while data and len(data) < room and (more := os.read(descriptor, room - len(data))):
            data += more
        if unchanged and _stamp(os.fstat(descriptor)) != stamp:
            raise Unsettled
        return data
    finally:
        os.close(descriptor)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Walk:
    """Looks at a directory and what is below it; links are followed only while they stay inside it."""

    def __init__(self, root: Path) -> None:
        self._real = root.resolve()
        self.files: dict[str, Stamp] = {}
        self.problems: list[Problem] = []
        self._size = 0
        self._full = False

    def directory(self, path: str, below: str, depth: int) -> None:
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=_name)
        except OSError as error:
            self._wrong(below or ".", f"This directory cannot be read: {error.strerror}.")
            return
        for entry in entries:
            if not entry.name.startswith("."):
                self._entry(entry, f"{below}/{entry.name}" if below else entry.name, depth + 1)

    def _entry(self, entry: os.DirEntry[str], below: str, depth: int) -> None:
        try:
            is_directory = entry.is_dir()
        except OSError as error:
            if _defines(below):
                self._wrong(below, f"This link cannot be followed: {error.strerror}.", "Remove it.")
            return
        if not is_directory and not _defines(below):
            return
        if entry.is_symlink() and not self._inside(entry, below, is_directory):
            return
        if is_directory and depth > MAX_DEPTH:
            self._wrong(below, f"This directory is nested more than {MAX_DEPTH} deep.")
        elif is_directory:
            self.directory(entry.path, below, depth)
        elif entry.is_file():
            self._file(entry, below)

    def _inside(self, entry: os.DirEntry[str], below: str, is_directory: bool) -> bool:
        target = Path(entry.path).resolve()
        if not target.is_relative_to(self._real):
            self._wrong(
                below, "This link leads out of the flow's directory.", "Copy what it points to into the flow."
            )
            return False
        if is_directory and Path(entry.path).parent.resolve().is_relative_to(target):
            self._wrong(below, "This link leads back to a directory that holds it.", "Remove the link.")
            return False
        return True

    def _file(self, entry: os.DirEntry[str], below: str) -> None:
        if not below.isprintable() and any(letter < " " for letter in below):
            self._wrong(ascii(below), "The name of this file holds a control character.", "Rename it.")
            return
        try:
            below.encode()
            status = entry.stat()
        except UnicodeEncodeError:
            self._wrong(ascii(below), "The name of this file is not UTF-8.", "Rename it.")
        except OSError as error:
            self._wrong(below, f"This file cannot be read: {error.strerror}.")
        else:
            if self._has_room(below, status.st_size):
                self.files[below] = _stamp(status)

    def _has_room(self, below: str, size: int) -> bool:
        room = len(self.files) < MAX_FILES and self._size < MAX_SIZE
        if room:
            self._size += min(size, MAX_FILE + 1)
        elif not self._full:
            self._full = True
            limits = f"{MAX_FILES:,} files and {MAX_SIZE >> 20} MiB"
            self._wrong(
                below, f"A flow has at most {limits}, and this file is past that.", "Is this the directory?"
            )
        return room

    def _wrong(self, below: str, message: str, hint: str = "") -> None:
        self.problems.append(_problem(below, message, hint))


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _problem(below: str, message: str, hint: str = "") -> Problem:
    return Problem(below, 1, "error", message, hint)
