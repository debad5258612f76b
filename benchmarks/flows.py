"""Row 10: steps of a flow that asks, each durable with the input that led to it; against row 1's commits by hand."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.append import Counted, counting, raw
from benchmarks.harness import Figure, Run, Watch, emptied, interleaved
from benchmarks.stores import SESSION, opened, place_in

ROW = 10
_WARM = 50
_NODES = {
    "start": "---\ntype: question\nsave_to: name\nto: second\n---\nWho? You said {{ .colour }}.\n",
    "second": "---\ntype: question\nsave_to: colour\nto: start\n---\nHello {{ .name }}, which colour?\n",
}


def measure(run: Run) -> list[Figure]:
    """Measure rate on disk and processor time in memory, and count what one step does."""
    count = run.scale.appends // 2
    kept, plain = interleaved(
        run.rounds, partial(steps, run.disk / "steps", count), partial(raw, run.disk / "steps-raw", count)
    )
    free, bare = interleaved(
        run.rounds, partial(steps, run.memory / "steps", count), partial(raw, run.memory / "steps-raw", count)
    )
    counted = count_one(emptied(run.memory / "steps-counted"))
    return [
        Figure(
            ROW,
            "flow step with its input, rate, on disk",
            "/s",
            [count / watch.wall_s for watch in kept],
            [count / watch.wall_s for watch in plain],
            0.5,
            at_least=True,
        ),
        Figure(
            ROW,
            "flow step with its input, CPU, in memory",
            "µs",
            [1e6 * watch.cpu_s / count for watch in free],
            [1e6 * watch.cpu_s / count for watch in bare],
        ),
        Figure(ROW, "statements of one flow step", "", [len(counted.statements)]),
        Figure(ROW, "syncs of one flow step", "", [counted.syncs], target=1),
    ]


def steps(directory: Path, count: int) -> Watch:
    """Answer `count` questions: each is one input, one node entered, a key saved."""
    place = place_in(emptied(directory))
    flow = _flow(directory)
    with opened(place) as client, client.run_flow(flow, SESSION) as drive:
        for n in range(_WARM):
            drive.send(f"warm {n}")
        with Watch() as watch:
            for n in range(count):
                drive.send(f"answer {n}")
    return watch


def count_one(directory: Path) -> Counted:
    """Return the statements and syncs of one step."""
    flow = _flow(directory)
    with (
        counting() as counted,
        opened(place_in(directory)) as client,
        client.run_flow(flow, SESSION) as drive,
    ):
        for n in range(3):
            drive.send(f"warm {n}")
        counted.statements.clear()
        counted.syncs = 0
        drive.send("counted")
        return Counted(list(counted.statements), counted.syncs)


def _flow(directory: Path) -> Path:
    flow = directory / "flow"
    flow.mkdir(parents=True, exist_ok=True)
    for name, text in _NODES.items():
        (flow / f"{name}.md").write_text(text, encoding="utf-8")
    return flow
