"""A file that somebody named, opened to be read: never a pipe or a device, which could keep us waiting for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["OPEN_ALREADY", "is_open_already", "open_file"]

OPEN_ALREADY: Final = ("/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/null", "/dev/fd/", "/proc/self/fd/")
"""What the caller has opened, and does with as it likes: `<(command)` of a shell is one of them."""


def is_open_already(path: Path) -> bool:
    """Return whether the path names a stream that the caller opened."""
    return str(path).startswith(OPEN_ALREADY)


def open_file(path: Path) -> BinaryIO:
    """Open a file to be read. Raises OSError, for a pipe or a device, too, unless the caller opened it already."""
    # Without O_NONBLOCK the opening of a pipe would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            if not is_open_already(path):
                raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
            os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")
