"""What every measure shares: how often and where it runs, interleaved rounds, children, and the places it works in."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from compileall import compile_dir
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import retoma

T = TypeVar("T")

Row: TypeAlias = int | str
"""A row of the targets by its number, or by a name what has none there."""


@dataclass(frozen=True)
class Scale:
    """How much each measure does. `QUICK` only shows that it runs: its figures mean nothing."""

    appends: int = 4_000
    growth: tuple[int, ...] = (100, 10_000, 1_000_000)
    grown_by: int = 1_000
    resumed: tuple[int, int] = (10_000, 1_000_000)
    exported: tuple[int, int] = (10_000, 1_000_000)
    resumes: int = 100
    sessions: int = 10_000
    listed: int = 1_000_000
    forked: int = 1_000_000
    forks: int = 100
    nested: int = 1_000
    nodes: int = 10_000
    searched: int = 200_000


QUICK = Scale(
    appends=20,
    growth=(5, 20, 40),
    grown_by=10,
    resumed=(60, 120),
    exported=(60, 120),
    resumes=2,
    sessions=20,
    listed=60,
    forked=60,
    forks=3,
    nested=10,
    nodes=60,
    searched=2_500,
)


@dataclass(frozen=True)
class Run:
    """One run: `memory` is a directory that no disk slows down, `disk` one whose syncs are real."""

    memory: Path
    disk: Path
    rounds: int
    scale: Scale


@dataclass(frozen=True)
class Figure:
    """What was measured, round by round. With a baseline it is judged by the ratio of each pair, else by its value."""

    row: Row
    measure: str
    unit: str
    ours: Sequence[float]
    baseline: Sequence[float] = ()
    target: float | None = None
    at_least: bool = False

    @property
    def judged(self) -> list[float]:
        """Return the ratio of each pair, or the values themselves where there is no baseline."""
        if not self.baseline:
            return list(self.ours)
        return [ours / raw for ours, raw in zip(self.ours, self.baseline, strict=True)]

    @property
    def met(self) -> bool | None:
        """Return whether the median reaches the target; None where the row names none."""
        if self.target is None:
            return None
        middle = statistics.median(self.judged)
        return middle >= self.target if self.at_least else middle <= self.target


def interleaved(rounds: int, *arms: Callable[[], T]) -> list[list[T]]:
    """Return each arm's results of `rounds` rounds, A B A B …; one more round goes first."""
    for arm in arms:
        arm()
    results: list[list[T]] = [[] for _ in arms]
    for _ in range(rounds):
        for arm, result in zip(arms, results, strict=True):
            result.append(arm())
    return results


@dataclass
class Watch:
    """Processor and wall time of what runs inside `with`, in seconds."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    _began: tuple[float, float] = field(default=(0.0, 0.0), repr=False)

    def __enter__(self) -> Watch:
        self._began = (time.process_time(), time.perf_counter())
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu_s = time.process_time() - self._began[0]
        self.wall_s = time.perf_counter() - self._began[1]


@dataclass(frozen=True)
class Child:
    """What a whole process took. `said` is what it printed."""

    cpu_s: float
    wall_s: float
    said: str


def child(*args: str | Path, **variables: str) -> Child:
    """Run this Python with `args` and `variables`; return what it took. Raises RuntimeError when it fails."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as out:
        began = time.perf_counter()
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, *map(str, args)],
            _environment() | variables,
            file_actions=[(os.POSIX_SPAWN_DUP2, write_end, 1), (os.POSIX_SPAWN_CLOSE, read_end)],
        )
        os.close(write_end)
        said = out.read()
        _, status, used = os.wait4(pid, 0)
        wall = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{' '.join(map(str, args))} ended with {os.waitstatus_to_exitcode(status)}")
    return Child(used.ru_utime + used.ru_stime, wall, said)


PEAK = """
try:
    lines = open("/proc/self/status").read().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
except FileNotFoundError:
    import resource, sys
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
print(peak / 1024)
"""
"""The end of a child's script: it prints its peak memory in MiB. (A parent's wait4 would count its own pages too.)"""


def _environment() -> dict[str, str]:
    """Return what children see: they may keep what they compile, and no store is named but by their arguments."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "RETOMA_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def compile_sources() -> None:
    """Compile Retoma now, as an installed one is."""
    compile_dir(next(iter(retoma.__path__)), quiet=2)


def emptied(directory: Path) -> Path:
    """Return `directory`, made anew."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def memory_place() -> Path | None:
    """Return where this machine keeps files in memory, or None."""
    shared = Path("/dev/shm")  # the place of tmpfs on Linux, not a temporary file of ours
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else None
