"""Row 13: `retoma session ls` and a completed id as a person waits for them, against a Python that does nothing."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks.harness import Child, Figure, Run, child, compile_sources, emptied, interleaved
from benchmarks.stores import fill_labelled, fill_list, place_in

ROW = 13


def measure(run: Run) -> list[Figure]:
    """Measure whole processes, from start to end."""
    compile_sources()
    directory = emptied(run.disk / "listed")
    fill_list(place_in(directory), run.scale.sessions)
    listing = partial(child, *_command(), "session", "ls", "--quiet", "--store", directory)
    typed = f"retoma --store {directory} session show session-00"
    completing = partial(
        child, *_command(), _RETOMA_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD="5"
    )
    starts, offers, nothing = interleaved(2 * run.rounds, listing, completing, partial(child, "-c", "pass"))
    assert "session-00000" in starts[0].said or run.scale.sessions > 50
    assert "plain,session-00000" in offers[0].said
    what = f"`session ls` of {run.scale.sessions:,}, against `python -c pass`"
    offered = f"an id completed, of {run.scale.sessions:,}"
    return [
        Figure(ROW, f"{what}, wall", "ms", _wall(starts), _wall(nothing), 8),
        Figure(ROW, f"{what}, CPU", "ms", _cpu(starts), _cpu(nothing), 8),
        Figure(ROW, f"{offered}, against `python -c pass`, wall", "ms", _wall(offers), _wall(nothing), 7),
        Figure(ROW, f"{offered}, time", "ms", _wall(offers), target=100),
        *_sizes(run),
    ]


def _sizes(run: Run) -> list[Figure]:
    """Measure the same list of few and of very many sessions."""
    arms = []
    for count in (run.scale.sessions, run.scale.listed):
        directory = emptied(run.disk / f"listed-{count}")
        fill_labelled(place_in(directory), count)
        arms.append(partial(child, *_command(), "session", "ls", "--store", directory))
    few, many = interleaved(2 * run.rounds, *arms)
    what = f"`session ls` of {run.scale.listed:,}, against {run.scale.sessions:,}"
    return [
        Figure(ROW, f"{what}, wall", "ms", _wall(many), _wall(few), 1.2),
        Figure(ROW, f"{what}, CPU", "ms", _cpu(many), _cpu(few), 1.2),
    ]


def _command() -> list[str | Path]:
    """Return the installed command, or the module where there is none."""
    script = Path(sys.executable).with_name("retoma")
    return [script] if script.is_file() else ["-m", "retoma"]


def _wall(children: list[Child]) -> list[float]:
    return [1e3 * one.wall_s for one in children]


def _cpu(children: list[Child]) -> list[float]:
    return [1e3 * one.cpu_s for one in children]
