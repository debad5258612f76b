"""What the crash tests share: how many trials, by which seed, on which stores."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.calls import Calls

from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.service.upgrade import upgrade
from retoma.stores.conformance.store import Clock
from retoma.stores.sql.migrate import Upgrades
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

FULL = bool(os.environ.get("RETOMA_CRASH_FULL"))
_CHANCE = FULL or "RETOMA_CRASH_COUNT" in os.environ
SEED = int(os.environ.get("RETOMA_CRASH_SEED", "0")) or (random.randrange(1 << 30) if _CHANCE else 20_261_130)
"""A plain run repeats its trials, so that a failure belongs to its change; a counted one looks for new ones."""


def count(full: int) -> int:
    """Return how many trials to do: all of them, or a twentieth, at least ten, in a plain run."""
    return full if FULL else max(10, full // 20)


def trials(full: int) -> Iterator[int]:
    """Number the trials: `RETOMA_CRASH_COUNT` of them, or all in a full run; else a twentieth, for at most 20 s."""
    wanted = int(os.environ.get("RETOMA_CRASH_COUNT", "0")) or count(full)
    bounded = not FULL and "RETOMA_CRASH_COUNT" not in os.environ
    ends = time.monotonic() + 20
    for number in range(wanted):
        if bounded and number >= 10 and time.monotonic() > ends:
            return
        yield number


def record(name: str, line: str, began: float) -> str:
    """Return `line`; in a full or counted run also append it to docs/proof/NAME.txt with seed, seconds and commit.

    `began` is the time.monotonic() at which the trials began.
    """
    if FULL or "RETOMA_CRASH_COUNT" in os.environ:
        root = Path(__file__).parents[2]
        git = ["git", "-C", str(root), "describe", "--always", "--dirty"]
        commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
        seconds = time.monotonic() - began
        with (root / "docs" / "proof" / f"{name}.txt").open("a", encoding="utf-8") as file:
            file.write(
                f"{time.strftime('%Y-%m-%d', time.gmtime())}  {commit}  seed {SEED}  {seconds:.0f} s  {line}\n"
            )
    return line


def client_at(path: Path | None, clock: Clock | None = None) -> Calls:
    """Open the store at `path`, or one in memory, in a time of the test's own."""
    clock = clock or Clock()
    store = SqliteStore(path, now=clock, random=clock.bytes, upgrades=Upgrades(upgrade))
    return Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes))


@contextmanager
def quick_directory() -> Iterator[Path]:
    """Give a directory in memory where there is one: these tests open thousands of stores, and sync none for good."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as name:
        yield Path(name)
