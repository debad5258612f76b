"""Row 2: 32 callers that append at the same time, threads and tasks; against one caller that puts in the same by hand.

For the second half of the figures a sync takes 2 ms, on both sides, as on a disk that has no cache to sync into.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import apsw

from benchmarks.append import put_by_hand, raw, raw_store
from benchmarks.harness import Figure, Run, Watch, emptied, interleaved
from benchmarks.stores import TEXT, opened, place_in
from retoma import Client, Session, aio

ROW = 2
CALLERS = 32
SYNC_S = 0.002


@dataclass
class Crowd:
    """What the callers did, all together."""

    count: int
    wall_s: float = 0.0
    commits: int = 0
    waits_s: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.count / self.wall_s

    @property
    def p99_ms(self) -> float:
        return 1e3 * sorted(self.waits_s)[int(len(self.waits_s) * 0.99)]


Act = Callable[[Client, list[Session], int], tuple[float, list[float]]]
"""Lets one caller for each session append so often; returns how long all took, and how long each append."""


def measure(run: Run) -> list[Figure]:
    """Measure rate, syncs and waits on the disk as it is, then rates with slow syncs."""
    count = run.scale.appends // CALLERS * CALLERS
    arms: list[tuple[str, Act, bool]] = [
        ("threads, each in its session", threads, False),
        ("threads, all in one", threads, True),
        ("tasks, each in its session", tasks, False),
        ("tasks, all in one", tasks, True),
    ]
    crowds = [partial(crowd, run.disk / "crowd", act, count, same=same) for _, act, same in arms]
    plain, *kept = interleaved(run.rounds, partial(_raw, run.disk / "crowd-raw", count), *crowds)
    figures = []
    for (name, _, _), rounds in zip(arms, kept, strict=True):
        rates = [one.rate for one in rounds]
        figures += [
            Figure(
                ROW,
                f"{CALLERS} {name}: rate, on disk",
                "/s",
                rates,
                [one.rate for one in plain],
                1.3,
                at_least=True,
            ),
            Figure(ROW, "commits an append", "", [one.commits / one.count for one in rounds], target=1 / 8),
            Figure(ROW, "wait, p99", "ms", [one.p99_ms for one in rounds], target=10),
        ]
    with syncs_take(SYNC_S):
        # As many as above: of fewer, the first and the last commits, which no crowd shares, are a tenth.
        crowds = [partial(crowd, run.memory / "slow", act, count, same=same) for _, act, same in arms]
        few = max(count // 8, 1)
        plain, *kept = interleaved(run.rounds, partial(_raw_slow, run.memory / "slow-raw", few), *crowds)
    for (name, _, _), rounds in zip(arms, kept, strict=True):
        figures.append(
            Figure(
                ROW,
                f"{CALLERS} {name}: rate, syncs of 2 ms",
                "/s",
                [one.rate for one in rounds],
                [one.rate for one in plain],
                15,
                at_least=True,
            )
        )
    return figures


def crowd(directory: Path, act: Act, count: int, *, same: bool) -> Crowd:
    """Let 32 callers append `count` messages together."""
    with opened(place_in(emptied(directory))) as client:
        sessions = [client.create(f"session-{n}") for n in range(CALLERS)]
        act(client, sessions, 2)
        store = client._opened.store
        before = store.facts().commits or 0
        wall_s, waits = act(client, sessions[:1] * CALLERS if same else sessions, count // CALLERS)
        return Crowd(count, wall_s, (store.facts().commits or 0) - before, waits)


def threads(client: Client, sessions: list[Session], each: int) -> tuple[float, list[float]]:
    """Append from one thread for each session; the time begins when all of them are there."""
    waits, watch = list[float](), Watch()

    def all_there() -> None:
        watch.__enter__()

    begin = threading.Barrier(len(sessions), all_there)

    def caller(session: Session) -> None:
        begin.wait()
        own = []
        for _ in range(each):
            began = time.perf_counter()
            session.append("user", TEXT)
            own.append(time.perf_counter() - began)
        waits.extend(own)

    callers = [threading.Thread(target=caller, args=(session,)) for session in sessions]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    watch.__exit__()
    return watch.wall_s, waits


def tasks(client: Client, sessions: list[Session], each: int) -> tuple[float, list[float]]:
    """Append from one task for each session, all on one thread."""
    waits = []

    async def caller(session: aio.AsyncSession) -> None:
        for _ in range(each):
            began = time.perf_counter()
            await session.append("user", TEXT)
            waits.append(time.perf_counter() - began)

    async def main() -> float:
        awaited = aio.AsyncClient(client._opened)
        found = [await awaited.session(one.id) for one in sessions]
        with Watch() as watch:
            await asyncio.gather(*map(caller, found))
        return watch.wall_s

    return asyncio.run(main()), waits


def _raw(directory: Path, count: int) -> Crowd:
    return Crowd(count, raw(directory, count).wall_s)


def _raw_slow(directory: Path, count: int) -> Crowd:
    """Do as `raw` does, through apsw: its file system is the one whose syncs are slow."""
    with closing(apsw.Connection(str(emptied(directory) / "raw.db"))) as connection:
        execute = connection.cursor().execute
        raw_store(execute, lambda script: execute(script).fetchall())
        chance = random.Random(1)
        with Watch() as watch:
            put_by_hand(execute, [chance.randbytes(10) for _ in range(count)], 1)
    return Crowd(count, watch.wall_s)


@contextmanager
def syncs_take(seconds: float) -> Generator[None]:
    """Make each sync of the connections that apsw opens inside take so much longer."""
    base = apsw.vfs_names()[0]

    class File(apsw.VFSFile):
        def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
            super().xSync(flags)
            time.sleep(seconds)

    class System(apsw.VFS):
        def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> File:  # noqa: N802 - apsw's name
            return File(base, name, flags)

    system = System("retoma-slow", base, makedefault=True)
    try:
        yield
    finally:
        system.unregister()
