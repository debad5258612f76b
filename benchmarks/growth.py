"""Row 3: what an append costs in a short session and in a very long one."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from benchmarks.harness import Figure, Run, Watch, emptied, interleaved
from benchmarks.stores import SESSION, TEXT, fill, opened, place_in

ROW = 3
_WARM = 50


def measure(run: Run) -> list[Figure]:
    """Measure processor time of an append at each length, in memory; the first length is the baseline."""
    count = run.scale.grown_by
    arms = []
    for length in run.scale.growth:
        made = emptied(run.memory / f"grown-{length}")
        fill(place_in(made), length)
        # A short session is taken anew for each round: it would be ten times as long after the first.
        arms.append(partial(_append, made, count, anew=length < 100 * count))
    first, *longer = interleaved(run.rounds, *arms)
    baseline = [1e6 * watch.cpu_s / count for watch in first]
    lengths = run.scale.growth
    return [
        Figure(
            ROW,
            f"append at {length:,} events, against {lengths[0]:,}, CPU, in memory",
            "µs",
            [1e6 * watch.cpu_s / count for watch in watches],
            baseline,
            1.1,
        )
        for length, watches in zip(lengths[1:], longer, strict=True)
    ]


def _append(directory: Path, count: int, *, anew: bool) -> Watch:
    if anew:
        copy = directory.with_name(f"{directory.name}-copy")
        shutil.rmtree(copy, ignore_errors=True)
        directory = Path(shutil.copytree(directory, copy))
    with opened(place_in(directory)) as client:
        append = client.session(SESSION).append
        for _ in range(_WARM):
            append("user", TEXT)
        with Watch() as watch:
            for _ in range(count):
                append("user", TEXT)
    return watch
