"""Row 9: a long session forked: how long it takes, how much it adds; and what a thousand nested forks cost to read."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import retoma
from benchmarks.harness import Figure, Run, Watch, emptied, interleaved
from benchmarks.stores import SESSION, fill, opened, place_in

ROW = 9
_MOST_MS = 10
_MOST_BYTES = 8 << 10
_LAST = 50
_READS = 100


def measure(run: Run) -> list[Figure]:
    """Measure forks of a long session on the disk: at its end, in its middle, and of one another."""
    length, count = run.scale.forked, run.scale.forks
    place = run.disk / "forked"
    fill(place_in(emptied(place)), length)
    middle = length // 2 + 7
    with opened(place_in(place)) as client:
        client.fork(SESSION, at=middle)  # the first time, the way there is folded
    arms = [partial(_fork, place, count, at) for at in (None, middle)]
    ends, middles = interleaved(run.rounds, *arms)
    nested, one = _nested(run)
    return [
        Figure(ROW, f"fork at the end of {length:,} events", "ms", [ms for ms, _ in ends], target=_MOST_MS),
        Figure(ROW, "what it adds to the store", "bytes", [size for _, size in ends], target=_MOST_BYTES),
        Figure(ROW, "fork in the middle, asked for before", "ms", [ms for ms, _ in middles]),
        Figure(ROW, "what that adds", "bytes", [size for _, size in middles]),
        Figure(
            ROW, f"last {_LAST} messages of {run.scale.nested:,} nested forks, against one", "µs", nested, one
        ),
    ]


def _fork(place: Path, count: int, at: int | None) -> tuple[float, float]:
    """Make `count` forks; return milliseconds and bytes of each."""
    with opened(place_in(place)) as client:
        client.fork(SESSION, at=at)
        before = _size(client, place / "retoma.db")
        with Watch() as watch:
            for _ in range(count):
                client.fork(SESSION, at=at)
        added = _size(client, place / "retoma.db") - before
    return 1e3 * watch.wall_s / count, added / count


def _size(client: retoma.Client, database: Path) -> int:
    client._opened.store.forget()  # the log goes into the file
    return database.stat().st_size


def _nested(run: Run) -> tuple[list[float], list[float]]:
    """Return microseconds for reading the end of forks of forks of forks, and of a session with as many messages."""
    place = place_in(emptied(run.memory / "nested"))
    with opened(place) as client:
        plain, nested = client.create("plain"), client.create("nested-0")
        for n in range(run.scale.nested):
            plain.append("user", f"message {n}")
            nested.append("user", f"message {n}")
            nested = nested.fork(f"nested-{n + 1}")
        arms = [partial(_read, client.session(name)) for name in (f"nested-{run.scale.nested}", "plain")]
        deep, flat = interleaved(run.rounds, *arms)
    return deep, flat


def _read(session: retoma.Session) -> float:
    with Watch() as watch:
        for _ in range(_READS):
            session.messages(last=_LAST)
    return 1e6 * watch.wall_s / _READS
