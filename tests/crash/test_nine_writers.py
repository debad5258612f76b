"""Nine processes that write to one store without a pause: none of them is kept waiting."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.calls import Calls

from retoma.model.ids import TenantKey
from retoma.model.principal import Principal
from retoma.model.session import NewSession
from retoma.stores.conformance.store import Clock
from retoma.stores.sqlite.store import SqliteStore

PROCESSES, SECONDS, LONGEST_MS = 9, 2.0, 250

WRITER = """
import sys, time
from pathlib import Path
from tests.calls import Calls
from retoma.model.ids import TenantKey
from retoma.model.principal import Principal
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import SYSTEM
import pytest

pytestmark = pytest.mark.alone

store = SqliteStore(Path(sys.argv[1]), now=SYSTEM.now, random=SYSTEM.random)
with Calls(store, Principal(TenantKey(1), "local")) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.perf_counter() + float(sys.argv[3])
    count, longest = 0, 0.0
    while (began := time.perf_counter()) < end:
        client.append(sys.argv[2], "user", "x" * 300)
        longest = max(longest, time.perf_counter() - began)
        count += 1
    print(count, longest)
"""


def test_nobody_waits_longer_than_a_quarter_of_a_second(tmp_path: Path, tell: Callable[[str], None]) -> None:
    """The machine may be busy with other things, so the best of three counts."""
    for _ in range(3):
        counts, longest_ms = race(tmp_path)
        tell(
            f"{PROCESSES} processes writing for {SECONDS:.0f} s: {sum(counts)} appends, "
            f"each {min(counts)} to {max(counts)}, the longest wait {longest_ms:.0f} ms"
        )
        if longest_ms <= LONGEST_MS:
            break
    assert longest_ms <= LONGEST_MS
    assert min(counts) * 4 > max(counts)


def race(directory: Path) -> tuple[list[int], float]:
    path = directory / "retoma.db"
    clock = Clock()
    with Calls(SqliteStore(path, now=clock, random=clock.bytes), Principal(TenantKey(1), "local")) as client:
        before = client.facts().commits
        names = [client.create(NewSession()) for _ in range(PROCESSES)]
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(path), name, str(SECONDS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in names
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        said = [writer.communicate()[0].split() for writer in writers]
        counts = [int(count) for count, _ in said]
        for name, count in zip(names, counts, strict=True):
            session = client.get(name)
            assert session is not None
            assert session.messages == count
        # The index is built behind the writers, in steps of some hundred events.
        steps = client.facts().commits - before - PROCESSES - sum(counts)
        assert 0 <= steps <= sum(counts) // 50
    return counts, 1_000 * max(float(longest) for _, longest in said)
