"""PostgreSQL killed in the middle of writes, and networks cut: nothing acknowledged is lost, nothing is there twice.

The full count is 500 (`make crash`); a plain run does ten and prints the seed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.calls import Calls, client_at
from tests.crash.test_kill import Run, flow, journal  # noqa: F401 (a fixture)
from tests.postgres import Server
from tests.proxy import Proxy

from retoma.config import StorePlace
from retoma.errors import RetomaError, Unavailable
from retoma.model.lease import Holder
from retoma.model.session import NewSession
from retoma.service import leases
from retoma.stores.postgres.changes import PostgresChanges

FULL = bool(os.environ.get("RETOMA_CRASH_FULL"))
SEED = int(os.environ.get("RETOMA_CRASH_SEED", "0")) or random.randrange(1 << 30)
TRIALS = 500 if FULL else 10
SESSIONS = 200 if FULL else 40
WRITERS = 4


def place(url: str) -> StorePlace:
    return StorePlace(kind="postgresql", url=url, given=True, source="test")


@pytest.fixture
def own() -> Iterator[Server]:
    """A server that may be killed."""
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.close()


class Writer(threading.Thread):
    """Writes without end: messages, a session now and then, and a lease; notes what was acknowledged."""

    def __init__(self, client: Calls, number: int) -> None:
        super().__init__(daemon=True)
        self.client, self.name = client, f"w{number}"
        self.acknowledged: list[str] = []
        self.perhaps: list[str] = []
        self.wrong: list[str] = []
        self.done = threading.Event()

    def run(self) -> None:
        count = 0
        while not self.done.is_set():
            count += 1
            for name, write in (("message", self._append), ("session", self._create), ("lease", self._hold)):
                if name == "message" or count % 5 == 0:
                    self._try(f"{name} {self.name} {count}", write)

    def _try(self, what: str, write: Callable[[str], None]) -> None:
        try:
            write(what)
        except Unavailable:
            self.perhaps.append(what)
        except RetomaError as error:
            self.wrong.append(f"{what}: {error.code}")
        else:
            self.acknowledged.append(what)

    def _append(self, what: str) -> None:
        self.client.append(self.name, "user", what)

    def _create(self, what: str) -> None:
        self.client.create(NewSession(id=what.replace(" ", "-"), title=what))

    def _hold(self, what: str) -> None:
        holder = Holder("host", "boot", os.getpid(), 1, what)
        who, session, store = self.client._who, f"held-{self.name}", self.client._store
        lease = store.write(lambda tx: leases.acquire(tx, who, session, holder))
        try:
            store.write(lambda tx: leases.release(tx, who, session, lease.token))
        except Unavailable:
            # It runs out in half a minute: for this test at once.
            while self._lost(session, lease.token):
                pass

    def _lost(self, session: str, token: int) -> bool:
        try:
            self.client._store.write(lambda tx: leases.release(tx, self.client._who, session, token))
        except Unavailable:
            return True
        return False


def test_no_acknowledged_write_is_lost_or_doubled_when_the_server_is_killed(
    own: Server, tell: Callable[[str], None]
) -> None:
    chance = random.Random(SEED)
    with client_at(place(own.url())) as client:
        writers = [Writer(client, number) for number in range(WRITERS)]
        for writer in writers:
            client.create(NewSession(id=writer.name))
            client.create(NewSession(id=f"held-{writer.name}"))
            writer.start()
        for trial in range(TRIALS):
            time.sleep(chance.uniform(0, 0.2))
            own.kill() if trial % 2 else own.stop("immediate")
            own.start()
        time.sleep(0.2)
        for writer in writers:
            writer.done.set()
        for writer in writers:
            writer.join()
        lost = doubled = unasked = 0
        for writer in writers:
            there = Counter(event.value()["content"] for event in client.events(writer.name, since=1))
            there.update(name.replace("-", " ") for name in _made(client, writer))
            kept = [what for what in writer.acknowledged if not what.startswith("lease")]
            lost += sum(there[what] == 0 for what in kept)
            doubled += sum(count - 1 for count in there.values())
            unasked += len(set(there) - set(kept) - set(writer.perhaps))
    acknowledged = sum(len(writer.acknowledged) for writer in writers)
    perhaps = sum(len(writer.perhaps) for writer in writers)
    tell(
        f"postgresql: {TRIALS} hard stops, seed {SEED}, {acknowledged:,} writes acknowledged, {lost} lost, {doubled} "
        f"doubled; {perhaps} writers told that the server was gone"
    )
    assert (lost, doubled, unasked) == (0, 0, 0)
    assert [what for writer in writers for what in writer.wrong] == []
    assert acknowledged > TRIALS


def _made(client: Calls, writer: Writer) -> list[str]:
    with psycopg.connect(client._store._url) as other:
        rows = other.execute("SELECT id FROM session_name WHERE id LIKE %s", (f"session-{writer.name}-%",))
        return [name for (name,) in rows]


def test_run_goes_on_when_the_server_is_back(own: Server, flow: Path) -> None:  # noqa: F811
    run = Run(own.url(), flow)
    assert run.until_asked()
    run.send("one")
    assert run.until_asked()
    own.kill()
    starting = threading.Timer(1, own.start)
    starting.start()
    run.send("two")
    assert run.until_asked(), "it waited for the server"
    starting.join()  # the run is served before the one who starts the server has looked whether it is up
    own.kill()
    began = time.monotonic()
    run.send("three")
    assert not run.until_asked()
    assert run.process.wait(10) == 1
    assert time.monotonic() - began < 6
    run.end()
    own.start()
    again = Run(own.url(), flow)
    assert again.until_asked()
    again.send("four")
    assert again.until_asked()
    again.end()
    assert journal(own.url()) in (["one", "two", "four"], ["one", "two", "three", "four"])


@pytest.fixture
def network(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def through(database: str, server: Server, network: Proxy) -> str:
    """The URL of this test's store through a network that can be cut."""
    return database.replace(f":{server.port}/", f":{network.port}/")


def test_a_cut_network_is_told_within_five_seconds(
    through: str, network: Proxy, tell: Callable[[str], None]
) -> None:
    took = []
    with client_at(place(through)) as client:
        client.create(NewSession(id="s"))
        client.append("s", "user", "before")
        for asked in (lambda: client.append("s", "user", "lost"), lambda: client.get("s")):
            network.cut()
            began = time.monotonic()
            with pytest.raises(Unavailable) as told:
                asked()
            took.append(time.monotonic() - began)
            assert told.value.code in {"silent_server", "no_server"}
            network.mend()
        assert [message.text for message in client.messages("s")] == ["before"]
        client.append("s", "user", "after")
    network.cut()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        client_at(place(through))
    took.append(time.monotonic() - began)
    tell(f"postgresql: network cut, told after {', '.join(f'{one:.1f} s' for one in took)}")
    assert max(took) <= 5


def test_a_network_cut_at_commit_leaves_it_open_and_the_key_settles_it(
    through: str, network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The notice to listeners is a piece, too, and comes a moment after a write.
    monkeypatch.setattr(PostgresChanges, "wrote", lambda changes: None)
    with client_at(place(through)) as client:
        client.create(NewSession(id="s"))
        before = network.pieces
        client.append("s", "user", "m0", key="k0")
        commit = network.pieces - before
        for number, (at, unsure) in enumerate([(commit - 1, False), (commit, True)], 1):
            network.after = at
            with pytest.raises(Unavailable) as told:
                client.append("s", "user", f"m{number}", key=f"k{number}")
            assert ("unknown whether" in told.value.hint) is unsure
            network.mend()
            client.append("s", "user", f"m{number}", key=f"k{number}")
        assert [message.text for message in client.messages("s")] == ["m0", "m1", "m2"]


def test_a_server_that_works_is_waited_for(database: str) -> None:
    with client_at(place(database)) as client, psycopg.connect(database) as other:
        client.create(NewSession(id="s"))
        other.execute("SELECT 1 FROM session FOR UPDATE")
        threading.Timer(2.8, other.commit).start()
        began = time.monotonic()
        assert client.append("s", "user", "hello") == 2
        assert time.monotonic() - began > 2.6
        other.execute("SELECT 1 FROM session FOR UPDATE")
        with pytest.raises(Unavailable, match="holds a lock"):
            client.append("s", "user", "again")


DRIVES = """
import random, sys, threading
from pathlib import Path
from tests.calls import client_at
from retoma.config import StorePlace
from retoma.errors import Busy
from retoma.runtime.drive import Request
url, flow, count, who = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
refused = 0

def drive(seed):
    global refused
    names = [f"s{n}" for n in range(count)]
    random.Random(seed).shuffle(names)
    for name in names:
        try:
            with client.drive(Request(directory=flow, session=name)) as held:
                held.send(f"{who} 1")
                held.send(f"{who} 2")
        except Busy:
            refused += 1

with client_at(StorePlace(kind="postgresql", url=url, given=True, source="test"), user=who) as client:
    threads = [threading.Thread(target=drive, args=(f"{who}{n}",)) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
print(refused)
"""


def test_two_process_groups_drive_sessions_and_none_is_driven_twice(
    database: str,
    flow: Path,  # noqa: F811
    tell: Callable[[str], None],
) -> None:
    groups = [
        subprocess.Popen(
            [sys.executable, "-c", DRIVES, database, str(flow), str(SESSIONS), who],
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        for who in ("left", "right")
    ]
    said = [group.communicate(timeout=300)[0] for group in groups]
    assert [group.returncode for group in groups] == [0, 0]
    drives = broken = 0
    with client_at(place(database)) as client:
        for number in range(SESSIONS):
            events = [event for event in client.events(f"s{number}") if event.type == "flow.input"]
            pairs = [
                (first.value()["input"], second.value()["input"])
                for first, second in zip(events[::2], events[1::2], strict=True)
            ]
            drives += len(pairs)
            broken += sum(pair not in {("left 1", "left 2"), ("right 1", "right 2")} for pair in pairs)
    refused = sum(map(int, said))
    tell(
        f"postgresql: two process groups, {SESSIONS} sessions, {drives} drives, {refused} refused as driven, "
        f"{broken} with two drivers"
    )
    assert broken == 0
    assert drives >= SESSIONS
