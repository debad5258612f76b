"""This process and others on this machine: who drives, and whether it still lives."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from retoma.model.lease import Holder, Ticks

_PROC = Path("/proc")


def this_holder(user: str) -> Holder:
    """Return who this process is, for a lease."""
    name = Path(sys.argv[0]).name
    command = " ".join(["retoma" if name == "__main__.py" else name, *_verb(sys.argv[1:])])
    pid = os.getpid()
    return Holder(os.uname().nodename, _boot(), pid, _started(pid) or 0, command[:60], user)


def ticks() -> Ticks | None:
    """Return what this machine's monotonic clock says, which counts while it sleeps, too; None where it has none."""
    boot = _ticking_since()
    return Ticks(boot, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000) if boot else None


@cache
def _ticking_since() -> str:
    """Return which start of the machine its clock counts from; empty when that cannot be told."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return ""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        shifted = _PROC / "self/ns/time"  # a namespace may have its own beginning of time
        return f"{boot}/{shifted.readlink() if shifted.is_symlink() else ''}"
    except OSError:
        return ""


def _verb(words: Sequence[str]) -> Sequence[str]:
    """Return the first word that is no option, alone: an option's value may be a password."""
    while words and words[0].startswith("-"):
        words = words[2 if words[0] == "--store" else 1 :]
    return words[:1]


def is_gone(holder: Holder) -> bool:
    """Return whether the holder's process certainly ended: it was on this host and boot, and is no more.

    A process of another machine, or of another start of this one's containers, is not known to be gone.
    """
    if holder.host != os.uname().nodename or holder.boot != _boot():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    started = _started(holder.pid)
    return started is None if holder.started == 0 else started != holder.started


def _boot() -> str:
    """Return what identifies this start of the machine and this space of process numbers."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when there is none, or it is a zombie."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None if _PROC.is_dir() and (_PROC / "self").exists() else 0
    # The command's name stands in parentheses and may hold anything, so fields are counted from its end.
    fields = stat.rpartition(b")")[2].split()
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])
