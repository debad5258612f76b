"""`python -m benchmarks.peers`: prints a table of what each store that is installed takes for the same work."""

from __future__ import annotations

import statistics
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.append import raw
from benchmarks.harness import Watch, emptied, memory_place
from benchmarks.peers.stores import PEERS, Peer
from benchmarks.stores import TEXT

_MESSAGES = 2_000
_SESSIONS = 1_000
_ROUNDS = 5
_PACKAGES = ("openai-agents", "agno", "google-adk", "langgraph", "langgraph-checkpoint-sqlite")


def main() -> int:
    """Measure every peer that can be imported; one that cannot is named."""
    print(", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    columns = (
        "store",
        "append, CPU µs",
        "× raw",
        f"read {_MESSAGES:,}, ms",
        f"list 50 of {_SESSIONS:,}, ms",
        "MB",
    )
    print(f"\n{_MESSAGES:,} messages, in memory\n\n| {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=memory_place()) as place:
        base = (
            statistics.median(raw(Path(place) / "raw", _MESSAGES).cpu_s for _ in range(_ROUNDS)) / _MESSAGES
        )
        print(f"| raw sqlite3 | {1e6 * base:.1f} | 1 | | | |")
        for kind in PEERS:
            directory = emptied(Path(place) / kind.__name__)
            try:
                peer = kind(directory)
            except ImportError as error:
                print(f"{kind.name}: not here ({error.name}).", file=sys.stderr)
                continue
            print(_measured(peer, base), flush=True)
            peer.close()
    return 0


def _measured(peer: Peer, base: float) -> str:
    with Watch() as appending:
        for _ in range(_MESSAGES):
            peer.append(TEXT)
    append = appending.cpu_s / _MESSAGES
    size = sum(file.stat().st_size for file in peer.directory.rglob("*") if file.is_file()) / 1e6
    reading = []
    for _ in range(_ROUNDS):
        with Watch() as watch:
            assert peer.read() >= _MESSAGES
        reading.append(watch.wall_s)
    listing = f"{1e3 * _list(peer):.2f}" if peer.lists else "–"
    cells = (
        peer.name, f"{1e6 * append:,.1f}", f"{append / base:.1f}", f"{1e3 * statistics.median(reading):.1f}",
        listing, f"{size:.1f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _list(peer: Peer) -> float:
    for n in range(_SESSIONS):
        peer.make(f"session-{n:04}")
    taken = []
    for _ in range(_ROUNDS):
        with Watch() as watch:
            assert peer.listed() == 50
        taken.append(watch.wall_s)
    return statistics.median(taken)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not here)"


if __name__ == "__main__":
    sys.exit(main())
