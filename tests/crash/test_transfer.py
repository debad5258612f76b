"""Out of a store and into another: the same to the byte, once, also when the import is killed.

The full count is 500 sessions (`make crash`); a plain run does a seeded twentieth and prints the seed.
"""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.stores import SESSION, fill, place_in
from tests.calls import Calls, client_at
from tests.crash.sessions import Maker

from retoma.flows import ConditionError
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.runtime.drive import Request
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

SESSIONS = 500
KILLS = 100
FULL = bool(os.environ.get("RETOMA_CRASH_FULL"))
SEED = int(os.environ.get("RETOMA_CRASH_SEED", "0")) or random.randrange(1 << 30)


def client(clock: Clock) -> Calls:
    store = SqliteStore(None, now=clock, random=clock.bytes)
    return Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes))


def exported(source: Calls, name: str, format: str = "jsonl") -> bytes:
    return b"".join(source.export(name, format))


def test_what_is_exported_comes_back_to_the_byte(tell: Callable[[str], None]) -> None:
    clock = Clock()
    count = SESSIONS if FULL else SESSIONS // 20
    with client(clock) as source, client(clock) as by_lines, client(clock) as by_document:
        maker = Maker(source, clock, SEED)
        events = went_on = 0
        for _ in range(count):
            name = maker.make()
            lines = exported(source, name)
            document = exported(source, name, "json")
            for target, data in ((by_lines, lines), (by_document, document)):
                done = target.import_(io.BytesIO(data))
                assert done.outcome == "imported"
                assert exported(target, name) == lines, f"seed {SEED}, session {name}"
                assert exported(target, name, "json") == document
                assert target.notes(name) == source.notes(name)
                again = target.import_(io.BytesIO(data))
                assert (again.outcome, again.added) == ("unchanged", 0)
            events += done.added
        for name in maker.made:
            went_on += goes_on(source, by_lines, name)
        tell(
            f"export and import: {count} sessions, seed {SEED}, {events} events, all equal to the byte, "
            f"{went_on} flows went on at their node"
        )
        assert went_on


def goes_on(source: Calls, target: Calls, name: str) -> bool:
    """Return whether the session's flow waits; then it asks in `target` what it asks in `source`, and is answered."""
    before = source.position(name)
    if before.session.flow_path is None or before.session.status != "active":
        return False
    request = Request(directory=Path(before.session.flow_path), session=name)
    try:
        source.drive(request).close()
    except ConditionError:
        return False  # a number that a condition orders was redacted
    with source.drive(request) as there, target.drive(request) as here:
        assert (here.prompt, here.position, here.history) == (there.prompt, there.position, there.history)
        assert here.resumed
        if here.call is not None:
            here.deny("not here")
        else:
            here.send("1")
    assert target.position(name).session.seq > before.session.seq
    return True


def command(store: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "retoma", "--store", str(store), *args]


def test_an_import_killed_at_any_moment_shows_nothing_and_is_taken_up(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    chance = random.Random(SEED)
    kills = KILLS if FULL else KILLS // 20
    fill(place_in(tmp_path / "source"), 20_000)
    file = tmp_path / "file.jsonl"
    with client_at(place_in(tmp_path / "source")) as source:
        whole = exported(source, SESSION)
    file.write_bytes(whole)
    begun = killed = ended = 0
    for trial in range(kills):
        store = tmp_path / f"store{trial}"
        for _ in range(3):
            process = subprocess.Popen(
                command(store, "session", "import", str(file)), stdout=subprocess.DEVNULL
            )
            timer = threading.Timer(chance.uniform(0.1, 0.4), process.send_signal, [signal.SIGKILL])
            timer.start()
            if process.wait() == 0:
                ended += 1
                timer.cancel()
                break
            killed += 1
            if (store / "retoma.db").exists():
                with client_at(place_in(store)) as client:
                    assert listed(client) == ([SESSION] if client.get(SESSION) else [])
                    begun += bool(hidden(client))
        with client_at(place_in(store)) as client:
            client.import_(io.BytesIO(whole))
            assert exported(client, SESSION) == whole
            assert hidden(client) == 0
    tell(
        f"kill -9 while importing: {killed} kills, seed {SEED}, {begun} of them in the middle, {ended} had ended"
    )


def coming(store: Path) -> bool:
    """Return whether rows of an import are on their way into the store: its tables alone take less."""
    try:
        return (store / "retoma.db-wal").stat().st_size > 300_000
    except FileNotFoundError:
        return False


def test_another_tools_file_killed_at_any_moment_shows_nothing_and_comes_whole(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    chance = random.Random(SEED)
    kills = KILLS if FULL else KILLS // 50
    name = "11111111-2222-4333-8444-555555555555"
    file = tmp_path / f"{name}.jsonl"
    with file.open("w") as out:
        for number in range(3_000):
            above = f'"m{number - 1}"' if number else "null"
            out.write(
                f'{{"type":"user","uuid":"m{number}","parentUuid":{above},"sessionId":"{name}",'
                f'"timestamp":"2026-01-01T00:00:00.000Z","message":{{"role":"user","content":"text {number}"}}}}\n'
            )
    begun = killed = 0
    for trial in range(kills):
        store = tmp_path / f"store{trial}"
        for _ in range(3):
            process = subprocess.Popen(
                command(store, "session", "import", str(file)), stdout=subprocess.DEVNULL
            )
            # Half of the kills come while the rows do, the others at any moment.
            if trial % 2 == 0:
                while process.poll() is None and not coming(store):
                    time.sleep(0.001)
            timer = threading.Timer(
                chance.uniform(0, 0.04 if trial % 2 == 0 else 0.5), process.send_signal, [signal.SIGKILL]
            )
            timer.start()
            if process.wait() == 0:
                timer.cancel()
                break
            killed += 1
            if (store / "retoma.db").exists():
                with client_at(place_in(store)) as client:
                    if listed(client):  # it was done, and killed before it ended
                        assert client.get(name).messages == 3_000
                    else:
                        begun += bool(hidden(client))
        with client_at(place_in(store)) as client:
            client.bring(file)
            assert client.get(name).messages == 3_000
            assert client.bring(file).sessions[0].imported.added == 0
            assert (listed(client), hidden(client)) == ([name], 0)
            assert client.check().damage == []
    tell(f"kill -9 while importing another tool's file: {killed} kills, seed {SEED}, {begun} in the middle")


def listed(client: Calls) -> list[str]:
    return [session.id for shelf in range(3) for session in client.list([Listing(shelf=shelf)]).items]


def hidden(client: Calls) -> int:
    run = client._store._open_reader().run
    return run("SELECT count(*) FROM session WHERE shelf > 2")[0][0]
