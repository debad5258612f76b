"""Row 15: a session exported, and how much memory that takes whatever its length."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.harness import PEAK, Figure, Run, child, compile_sources, emptied, interleaved
from benchmarks.stores import SESSION, fill, place_in

ROW = 15
_MOST_MB = 64
_EACH_SECOND = 50_000

_EXPORT = f"""
import sys, time
import retoma

began = time.perf_counter()
with retoma.open(sys.argv[1]) as client, open(sys.argv[2], "wb") as file:
    for piece in client.export("{SESSION}", sys.argv[3]):
        file.write(piece)
print(time.perf_counter() - began)
"""


def measure(run: Run) -> list[Figure]:
    """Measure both formats that keep everything, at two lengths, each time in a new process."""
    compile_sources()
    lengths = run.scale.exported
    stores = [emptied(run.disk / f"exported-{length}") for length in lengths]
    for store, length in zip(stores, lengths, strict=True):
        fill(place_in(store), length)
    figures: list[Figure] = []
    for format in ("jsonl", "json"):
        arms = [partial(_export, store, format) for store in stores]
        short, long = interleaved(max(run.rounds // 2, 1), *arms)
        low, high = lengths
        rates = [high / seconds for seconds, _ in long]
        peaks = [peak for _, peak in long]
        most = _MOST_MB * 1e6 / (1 << 20)
        figures += [
            Figure(
                ROW, f"export {high:,} events as {format}", "events/s", rates, (), _EACH_SECOND, at_least=True
            ),
            Figure(ROW, f"its peak memory, {format}", "MiB", peaks, target=most),
            Figure(ROW, f"its peak memory at {low:,} events, {format}", "MiB", [peak for _, peak in short]),
        ]
    return figures


def _export(store: Path, format: str) -> tuple[float, float]:
    path = place_in(store).path
    assert path is not None
    said = child("-c", _EXPORT + PEAK, path, store / "out", format).said.split()
    return float(said[0]), float(said[1])
