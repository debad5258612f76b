"""Row 11: 16 callers append to PostgreSQL, a session each; against the same statements by hand in psycopg.

Callers of one store share transactions; callers that have a store each do not.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from functools import partial

import psycopg
from tests.postgres import Server

import retoma
from benchmarks.harness import Figure, Run, Watch, interleaved
from benchmarks.stores import MESSAGE, TEXT

ROW = 11
CALLERS = 16
_WARM = 10

_HEAD = """SELECT pk, id, status, epoch, epoch_seq, head_seq, head_hash, fence, listed_at, messages, labels,
  shelf, base_seq
FROM session WHERE pk = (SELECT session FROM session_name WHERE tenant = %s AND id = %s) AND tenant = %s FOR UPDATE"""
_LEASE = "SELECT token, expires_at FROM lease WHERE session = %s"
_INSERT = """INSERT INTO event (k, type, at, actor, cause, operation, request, salt, data, blob, digest, hash)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
_UPDATE = "UPDATE session SET head_seq = %s, head_hash = %s, messages = %s, updated_at = %s WHERE pk = %s"

_SCRIPT = r"""\set n random(1, 16)
BEGIN;
SELECT head_seq, pk FROM session WHERE pk = :n FOR UPDATE \gset
SELECT token, expires_at FROM lease WHERE session = :n;
INSERT INTO event (k, type, at, actor, operation, salt, data, digest, hash)
  VALUES (((:n)::bigint << 32) + :head_seq + 1, 'message', 0, 'local', decode(md5(random()::text), 'hex'),
    decode(repeat('00', 16), 'hex'), decode(repeat('78', 330), 'hex'), decode(repeat('00', 32), 'hex'),
    decode(repeat('00', 32), 'hex'));
UPDATE session SET head_seq = head_seq + 1, messages = messages + 1, updated_at = 0 WHERE pk = :n;
COMMIT;
"""


def measure(run: Run) -> list[Figure]:
    """Measure the rate of 16 callers, with a store each and with one for all, of the same by hand, and of pgbench."""
    count = max(run.scale.appends // CALLERS, 4)
    server = Server(fsync="on")
    try:
        server.start()
        apart = partial(ours, server, count, stores=CALLERS)
        mine, grouped, by_hand = interleaved(
            run.rounds, apart, partial(ours, server, count, stores=1), partial(raw, server, count)
        )
        bench = [pgbench(server, 2 if count > 100 else 1) for _ in range(3)]
    finally:
        server.close()
    total = CALLERS * count
    plain = [total / watch.wall_s for watch in by_hand]
    plain_cpu = [1e6 * watch.cpu_s / total for watch in by_hand]
    figures = []
    for name, watches, target in (("a store each", mine, 0.9), ("one store", grouped, 2.0)):
        rate = [total / watch.wall_s for watch in watches]
        cpu = [1e6 * watch.cpu_s / total for watch in watches]
        said = f"PostgreSQL, append, 16 callers, {name}"
        figures += [
            Figure(ROW, f"{said}: rate", "/s", rate, plain, target, at_least=True),
            Figure(ROW, f"{said}: CPU of the client", "µs", cpu, plain_cpu),
        ]
    return [*figures, Figure(ROW, "the same statements by pgbench, 16 clients, no chain", "/s", bench)]


def ours(server: Server, count: int, *, stores: int) -> Watch:
    """Append through one store, as a server's threads do, or through one for each caller."""
    url = server.schema()
    clients = [retoma.open(url) for _ in range(stores)]
    try:
        for n in range(CALLERS):
            clients[0].create(f"s{n}")
        sessions = [clients[n % stores].session(f"s{n}") for n in range(CALLERS)]

        def append(n: int, times: int) -> None:
            for _ in range(times):
                sessions[n].append("user", TEXT)

        return _timed(append, count)
    finally:
        for client in clients:
            client.close()


def raw(server: Server, count: int) -> Watch:
    """Run the statements of an append, one after the other, on a connection for each caller."""
    url = server.schema()
    with retoma.open(url) as client:
        for n in range(CALLERS):
            client.create(f"s{n}")
    connections = [psycopg.connect(url, prepare_threshold=0) for _ in range(CALLERS)]
    chance = random.Random(1)
    salt, hashed = b"s" * 16, b"h" * 32

    def append(n: int, times: int) -> None:
        connection = connections[n]
        cursor = connection.cursor(binary=True)
        for _ in range(times):
            now = time.time_ns() // 1_000_000
            head = cursor.execute(_HEAD, (1, f"s{n}", 1)).fetchone()
            assert head is not None
            key, seq = head[0], head[5] + 1
            cursor.execute(_LEASE, (key,)).fetchall()
            operation = now.to_bytes(6) + chance.randbytes(10)
            row = (
                key << 32 | seq,
                "message",
                now,
                "local",
                None,
                operation,
                None,
                salt,
                MESSAGE,
                None,
                hashed,
                hashed,
            )
            cursor.execute(_INSERT, row)
            cursor.execute(_UPDATE, (seq, hashed, seq, now, key))
            connection.commit()

    try:
        return _timed(append, count)
    finally:
        for connection in connections:
            connection.close()


def pgbench(server: Server, seconds: int) -> float:
    """Return the transactions a second that PostgreSQL's own program reaches with such statements."""
    url = server.schema()
    with retoma.open(url) as client:
        for n in range(CALLERS):
            client.create(f"s{n}")
    script = server.directory / "append.sql"
    script.write_text(_SCRIPT)
    said = server.pgbench(
        url, "-n", "-M", "prepared", "-c", str(CALLERS), "-j", "2", "-T", str(seconds), "-f", str(script)
    )
    found = re.search(r"tps = ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def _timed(append: Callable[[int, int], None], count: int) -> Watch:
    """Let each caller append, in a thread of its own, and return what all of them took."""
    _together(append, _WARM)
    with Watch() as watch:
        _together(append, count)
    return watch


def _together(append: Callable[[int, int], None], times: int) -> None:
    threads = [threading.Thread(target=append, args=(n, times)) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
