"""Row 13: `retoma session ls` as a person waits for it, against a Python that does nothing."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks.harness import Child, Figure, Run, child, compile_sources, emptied, interleaved
from benchmarks.stores import fill_list, place_in

ROW = 13


def measure(run: Run) -> list[Figure]:
    """Measure whole processes, from start to end."""
    compile_sources()
    directory = emptied(run.disk / "listed")
    fill_list(place_in(directory), run.scale.sessions)
    listing = partial(child, *_command(), "session", "ls", "--quiet", "--store", directory)
    starts, nothing = interleaved(2 * run.rounds, listing, partial(child, "-c", "pass"))
    assert "session-00000" in starts[0].said or run.scale.sessions > 50
    what = f"`session ls` of {run.scale.sessions:,}, against `python -c pass`"
    return [
        Figure(ROW, f"{what}, wall", "ms", _wall(starts), _wall(nothing), 8),
        Figure(ROW, f"{what}, CPU", "ms", _cpu(starts), _cpu(nothing), 8),
    ]


def _command() -> list[str | Path]:
    """Return the installed command, or the module where there is none."""
    script = Path(sys.executable).with_name("retoma")
    return [script] if script.is_file() else ["-m", "retoma"]


def _wall(children: list[Child]) -> list[float]:
    return [1e3 * one.wall_s for one in children]


def _cpu(children: list[Child]) -> list[float]:
    return [1e3 * one.cpu_s for one in children]
