"""A flow's directory on the disk: which files define the flow, what they hold, and whether one of them changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from retoma.errors import Invalid, NotFound
from retoma.flows.garbage import uncollected
from retoma.flows.model import EXTENSIONS
from retoma.programs import allow_list
from retoma.trees.problem import Problem

MAX_FILE = 1 << 20
MAX_FILES = 10_000
MAX_SIZE = 64 << 20
MAX_DEPTH = 50
MAX_ENTRIES = 50_000
_TOOLS = allow_list.FILES

Stamp: TypeAlias = tuple[int, int, int, int]
"""Inode, size, and when content and inode changed last: what no write leaves as it was."""


class Look(msgspec.Struct, frozen=True):
    """A flow's directory as one look found it. Two that are equal saw the same files, unless one is being written."""

    files: dict[str, Stamp]
    problems: tuple[Problem, ...] = ()
    size: int = 0
    """How large the files are together, in bytes."""
    links: bool = False
    """Whether some are links, or below links."""


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
    with uncollected():
        walk.directory(str(root), "", 0)
    return Look(walk.files, tuple(walk.problems), walk.size, walk.links)


def again(path: str | os.PathLike[str], before: Look, told: Collection[str]) -> Look | None:
    """Return what a look would find if, since the one `before`, only the files `told` (below `path`) have changed.

    None when they are not all files that it saw, or cannot concern it: then look at everything.
    """
    if before.links:
        return None  # one file may be there under two names
    root, seen, changed, size = os.fspath(path), before.files, dict[str, Stamp](), before.size
    for below in told:
        if below.startswith("/"):
            return None  # the system knows the directory by another id
        if _hidden(below):
            continue
        try:
            status = os.lstat(f"{root}/{below}")
        except OSError:
            if below in seen or any(file.startswith(f"{below}/") for file in seen):
                return None
            continue
        if not stat.S_ISREG(status.st_mode) or (below not in seen and _defines(below)):
            return None
        if below in seen:
            changed[below] = _stamp(status)
            size += _counted(status.st_size) - _counted(seen[below][1])
    if size >= MAX_SIZE:
        return None
    return Look(seen | changed, before.problems, size)


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
    files = dict(kept or {})
    for gone in files.keys() - seen.files.keys():
        del files[gone]
    problems = list(seen.problems)
    root = os.fspath(path)
    for below in _changed(before.files if before is not None else {}, seen.files, files):
        stamp = seen.files[below]
        try:
            files[below] = _content(f"{root}/{below}", stamp, unchanged=before is not None)
        except OSError as error:
            if before is not None and isinstance(error, FileNotFoundError):
                raise Unsettled from error
            files.pop(below, None)
            problems.append(_problem(below, f"This file cannot be read: {error.strerror}."))
    return files, problems


def _changed(before: dict[str, Stamp], now: dict[str, Stamp], kept: Mapping[str, bytes]) -> list[str]:
    """Return which files are to be read: all but those that are kept, and are as they were before."""
    if kept and list(before) == list(now) and len(kept) == len(now):
        # The same files, as nearly always: both looks have them in the same order.
        return [
            below
            for (below, stamp), known in zip(now.items(), before.values(), strict=True)
            if stamp != known
        ]
    return [below for below, stamp in now.items() if before.get(below) != stamp or below not in kept]


def is_node(below: str) -> bool:
    """Return whether the file at the path `below` a flow's directory is a node."""
    return below.endswith(EXTENSIONS) and below.rpartition("/")[2] not in _NO_NODES and not _hidden(below)


_NO_NODES = frozenset(("README.md", *_TOOLS, *EXTENSIONS))


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
        if len(data) != stamp[1]:  # one byte more was asked for, so what is as long as it was seen is whole
            while data and len(data) < room and (more := os.read(descriptor, room - len(data))):
                data += more
        if unchanged and _stamp(os.fstat(descriptor)) != stamp:
            raise Unsettled
        return data
    finally:
        os.close(descriptor)


def _counted(size: int) -> int:
    return min(size, MAX_FILE + 1)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Walk:
    """Looks at a directory and what is below it; links are followed only while they stay inside it."""

    def __init__(self, root: Path) -> None:
        self._real = root.resolve()
        self.files: dict[str, Stamp] = {}
        self.problems: list[Problem] = []
        self.size = 0
        self.links = False
        self._entries_seen = 0

    def directory(self, path: str, below: str, depth: int) -> None:
        try:
            # By the directory's descriptor the system finds each of its files at once, however long the path is.
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            self._unreadable(below, error)
            return
        try:
            self._entries(descriptor, path, below, depth)
        finally:
            os.close(descriptor)

    def _entries(self, descriptor: int, path: str, below: str, depth: int) -> None:
        try:
            with os.scandir(descriptor) as found:
                entries = sorted(found, key=_name)
        except OSError as error:
            self._unreadable(below, error)
            return
        under = f"{below}/" if below else ""
        self._entries_seen += len(entries)
        if self._entries_seen > MAX_ENTRIES:
            raise self._too_much(below or ".", f"{MAX_ENTRIES:,} files and directories around it")
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            defines = name.endswith(EXTENSIONS) and (name not in _NO_NODES or under + name in _TOOLS)
            try:
                plain = entry.is_file(follow_symlinks=False)
                if plain and defines:
                    self._file(entry, under + name)
                elif not plain:
                    self._other(entry, f"{path}/{name}", under + name, depth + 1, defines)
            except OSError as error:
                if defines:
                    self._wrong(
                        under + name, f"This link cannot be followed: {error.strerror}.", "Remove it."
                    )

    def _other(self, entry: os.DirEntry[str], path: str, below: str, depth: int, defines: bool) -> None:
        """Look at a directory or a link, or at what is neither and is not for us."""
        is_directory = entry.is_dir()
        if not is_directory and not defines:
            return
        if entry.is_symlink():
            self.links = True
            if not self._inside(path, below, is_directory):
                return
        if is_directory and depth > MAX_DEPTH:
            self._wrong(below, f"This directory is nested more than {MAX_DEPTH} deep.")
        elif is_directory:
            self.directory(path, below, depth)
        elif entry.is_file():
            self._file(entry, below)

    def _inside(self, path: str, below: str, is_directory: bool) -> bool:
        target = Path(path).resolve()
        if not target.is_relative_to(self._real):
            self._wrong(
                below, "This link leads out of the flow's directory.", "Copy what it points to into the flow."
            )
            return False
        if is_directory and Path(path).parent.resolve().is_relative_to(target):
            self._wrong(below, "This link leads back to a directory that holds it.", "Remove the link.")
            return False
        return True

    def _file(self, entry: os.DirEntry[str], below: str) -> None:
        if not below.isprintable() and self._misnamed(below):
            return
        try:
            status = entry.stat()
        except OSError as error:
            self._wrong(below, f"This file cannot be read: {error.strerror}.")
            return
        if len(self.files) < MAX_FILES and self.size < MAX_SIZE:
            self.size += _counted(status.st_size)
            self.files[below] = _stamp(status)
        else:
            raise self._too_much(below, f"{MAX_FILES:,} files and {MAX_SIZE >> 20} MiB")

    def _too_much(self, below: str, limits: str) -> Invalid:
        """Return why the walk ends here: what is walked through is a whole disk rather than a flow."""
        said = f"A flow has at most {limits}; this directory has more."
        problem = _problem(below, said, "Check that this is the right directory.")
        return Invalid(
            f"{str(self._real)!r} is too large to be a flow. {said}",
            code="flow_invalid",
            hint="Give the directory that holds the entry node.",
            problems=[problem],
        )

    def _misnamed(self, below: str) -> bool:
        if any(letter < " " for letter in below):
            self._wrong(ascii(below), "The name of this file holds a control character.", "Rename it.")
            return True
        try:
            below.encode()
        except UnicodeEncodeError:
            self._wrong(ascii(below), "The name of this file is not UTF-8.", "Rename it.")
            return True
        return False

    def _unreadable(self, below: str, error: OSError) -> None:
        self._wrong(below or ".", f"This directory cannot be read: {error.strerror}.")

    def _wrong(self, below: str, message: str, hint: str = "") -> None:
        self.problems.append(_problem(below, message, hint))


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _problem(below: str, message: str, hint: str = "") -> Problem:
    return Problem(below, 1, "error", message, hint)
