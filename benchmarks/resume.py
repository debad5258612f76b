"""Row 4: a session taken up again: the store opened, its state and last 50 messages read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.harness import PEAK, Child, Figure, Run, Watch, child, compile_sources, emptied, interleaved
from benchmarks.stores import SESSION, fill, opened, place_in

ROW = 4
_LAST = 50
_RANGE = """SELECT k & 4294967295, type, at, actor, cause, operation, request, salt, data, digest, hash, blob
FROM event WHERE k > ? AND k < ? ORDER BY k DESC LIMIT ?"""

_OURS = f"""
import sys
import retoma

with retoma.open(sys.argv[1]) as client:
    session = client.session("{SESSION}")
    session.state.copy()
    assert len(session.messages(last={_LAST})) == {_LAST}
"""
_RAW = f"""
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
rows = connection.execute({_RANGE!r}, (1 << 32, 2 << 32, {_LAST})).fetchall()
assert len(rows) == {_LAST}
connection.close()
"""


def measure(run: Run) -> list[Figure]:
    """Measure both lengths in this process, and the longer one in new ones."""
    compile_sources()
    lengths = run.scale.resumed
    for length in lengths:
        fill(place_in(emptied(run.disk / f"resumed-{length}")), length)
    short, long = (run.disk / f"resumed-{length}" for length in lengths)
    return _here(run, short, long) + _new_process(run, place_in(long).path)


def _here(run: Run, short: Path, long: Path) -> list[Figure]:
    arms = [_repeated(run, arm, directory) for directory in (short, long) for arm in (ours, raw)]
    short_ours, short_raw, long_ours, long_raw = (
        [1e6 * watch.wall_s / run.scale.resumes for watch in watches]
        for watches in interleaved(run.rounds, *arms)
    )
    low, high = run.scale.resumed
    return [
        Figure(ROW, f"resume at {low:,} events, in process", "µs", short_ours, short_raw, 4),
        Figure(ROW, f"resume at {high:,} events, in process", "µs", long_ours, long_raw, 4),
        Figure(ROW, f"resume at {high:,} events, against {low:,}", "µs", long_ours, short_ours, 1.1),
    ]


def _new_process(run: Run, path: Path | None) -> list[Figure]:
    assert path is not None
    arms = [partial(child, "-c", script + PEAK, path) for script in (_OURS, _RAW)]
    mine, bare = interleaved(run.rounds, *arms)

    def cpu(children: list[Child]) -> list[float]:
        return [1e3 * one.cpu_s for one in children]

    def peak(children: list[Child]) -> list[float]:
        return [float(one.said) for one in children]

    return [
        Figure(ROW, "resume in a new process, CPU", "ms", cpu(mine), target=200),
        Figure(ROW, "the same in raw sqlite3", "ms", cpu(bare)),
        Figure(ROW, "resume in a new process, peak memory", "MiB", peak(mine), target=35 * 1e6 / (1 << 20)),
        Figure(ROW, "the same in raw sqlite3", "MiB", peak(bare)),
    ]


def _repeated(run: Run, arm: Callable[[Path], None], directory: Path) -> Callable[[], Watch]:
    def watched() -> Watch:
        with Watch() as watch:
            for _ in range(run.scale.resumes):
                arm(directory)
        return watch

    return watched


def ours(directory: Path) -> None:
    """Open the store, read the session's state and its last messages, close."""
    with opened(place_in(directory)) as client:
        session = client.session(SESSION)
        session.state.copy()
        assert len(session.messages(last=_LAST)) == _LAST


def raw(directory: Path) -> None:
    """Open the same file with Python's sqlite3 and read the same rows as a range."""
    with closing(sqlite3.connect(directory / "retoma.db", isolation_level=None)) as connection:
        assert len(connection.execute(_RANGE, (1 << 32, 2 << 32, _LAST)).fetchall()) == _LAST
