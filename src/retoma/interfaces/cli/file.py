"""Write a file completely or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from retoma.config.opened import is_open_already
from retoma.errors import Conflict, Unavailable

__all__ = ["write_file"]


def write_file(path: Path, pieces: Iterator[bytes], *, force: bool) -> int:
    """Write the pieces to `path` and return their size in bytes. The file is durable when the function returns.

    Raises Conflict when the file or link exists and `force` is not given, and Unavailable when it cannot be written or
    is a pipe or a device. When a file is replaced, either the old or the new file exists at every time. A link is
    replaced itself, not its target. A file that the caller has open already (/dev/stdout, /dev/null) is written to
    directly.
    """
    named, path = path, path.parent.resolve() / path.name
    if is_open_already(named):
        return _into(named, pieces)
    there = path.exists() or path.is_symlink()
    if there and not (path.is_symlink() or path.is_file() or path.is_dir()):
        raise _special(named)
    if there and not force:
        raise _taken(named)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(named, error) from error
    beside = Path(name)
    try:
        written = _write(handle, pieces)
        os.fsync(handle)
        if not _put(beside, path, force=force):
            raise _taken(named)
    except OSError as error:
        raise _unwritable(named, error) from error
    finally:
        os.close(handle)
        beside.unlink(missing_ok=True)
    _sync(path.parent)
    return written


def _into(path: Path, pieces: Iterator[bytes]) -> int:
    try:
        with path.open("wb") as opened:
            return _write(opened.fileno(), pieces)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(handle: int, pieces: Iterator[bytes]) -> int:
    written = 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            count = os.write(handle, rest)
            rest = rest[count:]
            written += count
    return written


def _put(beside: Path, path: Path, *, force: bool) -> bool:
    """Give the file its name; return whether that succeeded."""
    if not force:
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            return False
        except OSError:
            pass  # a file system without hard links: the look from before has to do
        else:
            return True
    beside.replace(path)
    return True


def _sync(directory: Path) -> None:
    # Without this the new name can vanish in a power cut. Some systems cannot, and do not need it.
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _taken(path: Path) -> Conflict:
    return Conflict(f"The file {path} already exists.", code="file_exists", hint="Replace it with --force.")


def _special(path: Path) -> Unavailable:
    return Unavailable(
        f"{path} is a pipe or a device, not a file.",
        code="unwritable_file",
        hint="Nothing was written. Leave out -o and redirect standard output there.",
    )


def _unwritable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{path} cannot be written: {error.strerror}.",
        code="unwritable_file",
        hint="Nothing was written. Give another path with -o.",
    )
