"""`python -m benchmarks [ROW…]`: runs the measures and prints a table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import (
    append,
    concurrent,
    export,
    flows,
    forking,
    growth,
    listing,
    loading,
    postgres,
    resume,
    search,
    startup,
)
from benchmarks.harness import QUICK, Figure, Row, Run, Scale, emptied, memory_place
from benchmarks.report import json, markdown, surroundings

MEASURES: dict[Row, Callable[[Run], list[Figure]]] = {
    module.ROW: module.measure
    for module in (
        append,
        concurrent,
        growth,
        resume,
        listing,
        search,
        flows,
        forking,
        loading,
        postgres,
        startup,
        export,
    )
}


def main(args: Sequence[str] | None = None) -> int:
    """Run what `args` asks for, print the table, and return 0: a target that is missed is a figure, not a failure."""
    asked = _asked(args)
    disk = Path(asked.out) if asked.out else Path("/var/tmp")  # /tmp is often in memory
    with (
        tempfile.TemporaryDirectory(dir=disk, prefix="retoma-bench-") as on_disk,
        tempfile.TemporaryDirectory(dir=memory_place() or disk, prefix="retoma-bench-") as in_memory,
    ):
        run = Run(
            memory=emptied(Path(in_memory) / "m"),
            disk=emptied(Path(on_disk) / "d"),
            rounds=asked.rounds,
            scale=QUICK if asked.quick else Scale(),
        )
        figures = [figure for row in asked.rows or MEASURES for figure in _measured(row, run)]
        about = surroundings(run)
    if memory_place() is None:
        about["in memory"] += " (no tmpfs here: this is the disk too)"
    print(markdown(about, figures))
    if asked.json:
        Path(asked.json).write_bytes(json(about, figures) + b"\n")
    return 0


def _measured(row: Row, run: Run) -> list[Figure]:
    print(f"row {row} …", file=sys.stderr, flush=True)
    return MEASURES[row](run)


def _row(text: str) -> Row:
    return int(text) if text.isdecimal() else text


def _asked(args: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Retoma.")
    parser.add_argument(
        "rows", nargs="*", type=_row, metavar="ROW", help=f"of {', '.join(map(str, MEASURES))}; all"
    )
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (7)")
    parser.add_argument("--out", metavar="DIR", help="a directory on the disk to measure (/var/tmp)")
    parser.add_argument("--json", metavar="FILE", help="write every round there too")
    parser.add_argument(
        "--quick", action="store_true", help="only show that it runs; the figures mean nothing"
    )
    asked = parser.parse_args(args)
    if unknown := set(asked.rows) - set(MEASURES):
        parser.error(f"no measure of row {', '.join(map(str, unknown))}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
