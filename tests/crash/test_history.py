"""Histories: what many asked of shared sessions and heard, compared with the journals that are left.

Processes with threads and tasks write, read, hold, pause and undo; they are killed, stopped for longer than a lease
holds, and cut off from the server. Nothing that was acknowledged is lost or doubled, what was refused is not there, no
read is stale, the order is that of the calls, and nobody writes under a lease whose lapse was used.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import pytest
from tests.calls import Calls
from tests.crash.history import LEASED, PAUSED, UNDONE
from tests.crash.trials import FULL, SEED, count, quick_directory, record
from tests.postgres import Server
from tests.proxy import Proxy

import retoma

OPERATIONS = 100_000
PROCESSES = 3
UNSURE = {"Unavailable"}
"""What a caller may hear of a write that was done all the same: the answer was lost."""


class Call(NamedTuple):
    """A call, with when it began and ended (ns); `end` is None when nothing was heard, or nothing that says."""

    asked: Mapping[str, Any]
    end: int | None
    ok: Any
    refused: bool

    @property
    def at(self) -> int:
        return int(self.asked["at"])


class Worker:
    """A process that works in the sessions, and its log."""

    def __init__(self, place: str, directory: Path, number: int) -> None:
        self.log = directory / f"{number}.log"
        command = [sys.executable, "-m", "tests.crash.history", place, str(self.log), str(number)]
        self.errors = (directory / f"{number}.err").open("wb")
        self.process = subprocess.Popen(command, stderr=self.errors, stdout=self.errors)

    def stop_for(self, seconds: float) -> None:
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def end(self, *, hard: bool) -> None:
        if hard:
            self.process.kill()
        code = self.process.wait(timeout=120)
        self.errors.close()
        assert hard or code == 0, Path(self.errors.name).read_text(encoding="utf-8")[-2_000:]


def calls_of(log: Path) -> list[Call]:
    """Return the calls in the log of a process; the last line of one that was killed may be cut off."""
    asked: dict[int, dict[str, Any]] = {}
    heard: dict[int, dict[str, Any]] = {}
    for line in log.read_bytes().splitlines() if log.exists() else ():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        (heard if "end" in said else asked)[said["c"]] = said
    return [_call(one, heard.get(number)) for number, one in asked.items()]


def _call(asked: Mapping[str, Any], heard: Mapping[str, Any] | None) -> Call:
    if heard is None or heard.get("family") in UNSURE:
        return Call(asked, None, None, refused=False)
    return Call(asked, heard["end"], heard.get("ok"), refused="error" in heard)


# What is proved


class Journal:
    """The journals of a session: its own, and those of the lines that undoing left. `rows` are by their hashes."""

    def __init__(self, client: retoma.Client, session: str) -> None:
        lines = [session, *(name for name in _archived(client) if name.partition("~")[0] == session)]
        self.events = list(client.session(session).events())
        read = [list(client.session(name).events()) for name in lines]
        self.rows = {event.hash: event for events in read for event in events}
        self.seqs = {e.data["content"]: e.seq for e in self.rows.values() if e.type == "message"}
        self.counts = Counter(e.data["content"] for e in self.rows.values() if e.type == "message")
        # What was undone may be written again, under the key that it had: in another line.
        self.in_a_line = Counter[str]()
        for events in read:
            self.in_a_line |= Counter(e.data["content"] for e in events if e.type == "message")


def _archived(client: retoma.Client) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = client.list(archived=True, limit=1_000, cursor=cursor)
        yield from (one.id for one in page)
        if not page.more:
            return
        cursor = page.next


def faults(client: retoma.Client, calls: Iterable[Call]) -> Iterator[str]:
    """Yield what the calls heard that the journals do not bear out."""
    by_session = defaultdict(list)
    for call in calls:
        by_session[call.asked["session"]].append(call)
    for session, own in by_session.items():
        journal = Journal(client, session)
        yield from _kept(journal, own)
        if session not in UNDONE:
            yield from _in_order(journal, own)
            yield from _fenced(journal, own)
        yield from _paused(journal)


def _kept(journal: Journal, calls: Iterable[Call]) -> Iterator[str]:
    answers: dict[str, set[int]] = defaultdict(set)
    for call in calls:
        words = call.asked.get("words", ())
        again = "key" in call.asked and call.asked["session"] in UNDONE
        for word in words:
            there = (journal.in_a_line if again else journal.counts)[word]
            if there > 1:
                yield f"doubled: {word} is there {there} times"
            if call.ok is not None and not there:
                yield f"lost: {word}"
            if call.refused and there and "key" not in call.asked:
                yield f"refused and there: {word}"
        if call.ok is not None and words and not again:
            said = call.ok if isinstance(call.ok, list) else [call.ok]
            if [journal.seqs.get(word) for word in words] != said:
                yield f"answered with other seqs: {words} {said}"
            if "key" in call.asked:
                answers[call.asked["key"]].add(call.ok)
    yield from (
        f"a key with two answers: {key} {sorted(seqs)}" for key, seqs in answers.items() if len(seqs) > 1
    )


def _in_order(journal: Journal, calls: Iterable[Call]) -> Iterator[str]:
    """A call that began after another one ended comes behind it, and a read shows what was acknowledged before."""
    puts = {(e.actor, name, value): e.seq for e in journal.events if e.type == "state"
            for name, value in e.data.get("set", {}).items()}  # fmt: skip
    by_value = {(name, json.dumps(value)): seq for (_, name, value), seq in puts.items()}
    moments: list[tuple[int, int, Call, int]] = []
    first: dict[str, Call] = {}
    for call in sorted(calls, key=lambda one: one.at):
        if call.end is None or (call.ok is None and call.asked["verb"] != "put") or call.refused:
            continue
        verb = call.asked["verb"]
        if "key" in call.asked and first.setdefault(call.asked["key"], call) is not call:
            continue  # it has the first one's seq
        if verb == "read":
            seq = call.ok[0]
        elif verb == "put":
            seq = by_value.get((call.asked["actor"], json.dumps(call.asked["value"])), 0)
            if not seq:
                yield f"lost: state {call.asked['actor']} {call.asked['value']}"
        elif verb in {"append", "batch"}:
            seq = call.ok[0] if isinstance(call.ok, list) else call.ok
        else:
            continue
        moments += [(call.at, 1, call, seq), (call.end, 0, call, seq)]
    newest = 0
    values: dict[str, int] = {}
    for _, begins, call, seq in sorted(moments, key=lambda one: one[:2]):
        verb, actor = call.asked["verb"], call.asked["actor"]
        if not begins:
            newest = max(newest, seq)
            if verb == "put":
                values[actor] = call.asked["value"]
        elif verb == "read" and seq < newest:
            yield f"stale read: {actor} saw {seq}, after {newest} was acknowledged"
        elif verb == "read" and (call.ok[1] or 0) < values.get(actor, 0):
            yield f"stale state: {actor} read {call.ok[1]}, after {values[actor]} was acknowledged"
        elif verb != "read" and seq <= newest and "key" not in call.asked:
            yield f"out of order: {call.asked} is {seq}, after {newest} was acknowledged"


def _fenced(journal: Journal, calls: Iterable[Call]) -> Iterator[str]:
    """Between the first and the last that is written under a lease there is nothing of anybody else."""
    whose: dict[str, str] = {}
    over: dict[str, int] = {}
    for call in sorted(calls, key=lambda one: one.at):
        if call.asked["verb"] not in {"append", "put", "batch"}:
            continue
        lease = call.asked.get("lease") or call.asked["actor"] + " beside"
        keys = call.asked.get("words", ()) or (f"{call.asked['actor']}={call.asked.get('value')}",)
        whose |= dict.fromkeys(keys, lease)
        if call.refused and call.asked.get("lease"):
            over.setdefault(lease, call.at)
        elif call.asked.get("lease") and call.end is not None and call.at > over.get(lease, call.at):
            yield f"written under {lease} after it was fenced"
    ran: list[tuple[str, int]] = []
    for event in journal.events:
        if event.type == "message":
            words = [event.data["content"]]
        elif event.type == "state":
            words = [f"{name}={value}" for name, value in event.data.get("set", {}).items()]
        else:
            continue
        lease = next((whose[word] for word in words if word in whose), None)
        if lease is not None and (not ran or ran[-1][0] != lease):
            ran.append((lease, event.seq))
    times = Counter(lease for lease, _ in ran if not lease.endswith(" beside"))
    yield from (f"somebody wrote in the middle of lease {lease}" for lease, n in times.items() if n > 1)


def _paused(journal: Journal) -> Iterator[str]:
    status = "active"
    for event in journal.events:
        if event.type == "session.status":
            status = event.data["to"]
        elif status != "active" and event.type in {"message", "state"}:
            yield f"written while it was {status}: event {event.seq}"


# What is done


def disturb(
    workers: list[Worker], chance: random.Random, begin: Callable[[], Worker], proxy: Proxy | None
) -> list[Worker]:
    """Do something to one of the processes; return those that were killed."""
    at = chance.randrange(len(workers))
    what = chance.choice(("kill", "stop", "stop", "stop", "cut" if proxy is not None else "kill"))
    if what == "stop":
        workers[at].stop_for(chance.uniform(1.2, 1.8))
    elif what == "cut" and proxy is not None:
        proxy.after = chance.randrange(1, 40)
        time.sleep(chance.uniform(0.1, 0.5))
        proxy.mend()
    else:
        killed, workers[at] = workers[at], begin()
        killed.end(hard=True)
        return [killed]
    return []


def run(place: str, through: str, proxy: Proxy | None, tell: Callable[[str], None], what: str) -> None:
    """Let the processes work until there are enough operations, and compare what they heard with the journals."""
    wanted = int(os.environ.get("RETOMA_CRASH_COUNT", "0")) or count(OPERATIONS)
    began = time.monotonic()
    ends = None if FULL or "RETOMA_CRASH_COUNT" in os.environ else began + 10
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory() as name, retoma.open(place) as client:
        for session in (*LEASED, *PAUSED, *UNDONE):
            client.create(session)
        directory = Path(name)
        numbers = iter(range(1 << 20))

        def begin() -> Worker:
            number = next(numbers)
            return Worker(through if number % 2 else place, directory, number)

        workers, gone = [begin() for _ in range(PROCESSES)], list[Worker]()
        heard = 0
        while heard < wanted and (ends is None or time.monotonic() < ends):
            time.sleep(chance.uniform(0.5, 2.0))
            gone += disturb(workers, chance, begin, proxy)
            heard = sum(file.read_bytes().count(b'"end"') for file in directory.glob("*.log"))
        (directory / "stop").touch()
        worked = time.monotonic() - began
        for worker in workers:
            worker.end(hard=False)
        calls = [call for worker in (*gone, *workers) for call in calls_of(worker.log)]
        found = list(faults(client, calls))
        fenced = sum(
            call.refused and bool(call.asked.get("lease")) and call.asked["verb"] != "lease" for call in calls
        )
        line = (
            f"history on {what}: {len(calls):,} operations ({len(calls) / worked:,.0f} a second), seed {SEED}, "
            f"{len(gone)} processes killed, {fenced} refused under a lease, {len(found)} faults"
        )
        tell(record("history", line, began))
        assert found[:10] == []
        assert Calls.of(client._opened).check().whole


def test_a_history_in_a_file(tell: Callable[[str], None]) -> None:
    with quick_directory() as directory:
        place = str(directory / "store")
        run(place, place, None, tell, "sqlite")


@pytest.fixture
def cut(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


def test_a_history_on_a_server(database: str, cut: Proxy, tell: Callable[[str], None]) -> None:
    parts = urlsplit(database)
    near = parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{cut.port}")
    run(database, urlunsplit(near), cut, tell, "postgresql")
