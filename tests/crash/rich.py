"""A store with every kind of row in it, small enough to be copied often."""

from __future__ import annotations

import contextlib
from pathlib import Path
from unittest.mock import patch

from tests.calls import Calls
from tests.crash.sessions import EXAMPLES, Maker
from tests.crash.trials import client_at

from retoma.errors import RetomaError
from retoma.model.ids import Operation
from retoma.model.lease import Holder
from retoma.model.pattern import Pattern
from retoma.model.retention import Choice
from retoma.model.session import NewSession
from retoma.runtime.drive import Request
from retoma.service import leases, sessions
from retoma.service.branch import past
from retoma.service.forget.erasing import Selection
from retoma.service.search.indexing import step
from retoma.stores.conformance.store import Clock

DAY = 24 * 3_600_000


def rich_store(directory: Path, seed: int) -> bytes:
    """Make a store and return its file."""
    clock = Clock()
    file = directory / "retoma.db"
    with client_at(file, clock) as client:
        maker = Maker(client, clock, seed)
        for _ in range(10):
            maker.make()
        _flows(client)
        _family(client, maker)
        _forgotten(client, clock)
        _kept(client, clock)
        while step(client._store, client._who, everything=True):
            pass
        client.append("talk", "user", "not indexed yet")
    return file.read_bytes()


def _flows(client: Calls) -> None:
    for name, flow, answers in (
        ("tour", "tour", ("Ana", "2")),
        ("trip", "trip", ("yes",)),
        ("calls", "oncall", ()),
    ):
        request = Request(directory=EXAMPLES / flow, session=name, context={"pager": "x"})
        with contextlib.suppress(RetomaError), client.drive(request) as drive:
            for answer in answers:
                if drive.prompt is not None:
                    drive.send(answer)
    client.fork("tour", "tour-fork", at=4)
    client.fork("trip", "trip-fork")
    client.undo("tour")


def _family(client: Calls, maker: Maker) -> None:
    client.create(NewSession(id="old", title="A past", agent="main", tags=("x",)))
    client.append("old", "user", "long " * 5_000)
    for word in ("one", "two", "three"):
        client.append("old", "user", word)
    client.fork("old", "fork-1", at=3)
    client.append("fork-1", "assistant", "four")
    client.fork("fork-1", "fork-2")
    client.append("fork-2", "user", "five")
    client.undo("fork-2")
    client.delete("old")
    client.create(NewSession(id="child", parent="fork-2", ttl_ms=DAY))
    client.create(NewSession(id="keyed", tags=("y",), contexts=(("task", "7"),)), key="once")
    client.fork("keyed", "keyed-fork", key="twice")


def _forgotten(client: Calls, clock: Clock) -> None:
    client.create(NewSession(id="talk", title="secret title", parent="keyed", description="kept"))
    client.append("talk", "user", "a secret", key="said")
    client.append("talk", "user", "more")
    client.note("talk", "noted")
    client.redact("talk", Selection(wanted=Pattern("secret")))
    client.create(NewSession(id="cut", title="kept", ttl_ms=DAY))
    client.append("cut", "user", "gone")
    client.reset("cut", erase=True)
    client.append("cut", "user", "here")
    client.create(NewSession(id="again"))
    client.reset("again")
    client.create(NewSession(id="binned"))
    client.trash("binned")
    for name in ("left", "over"):
        client.create(NewSession(id=name))
    client.change("over", "completed")
    client.prune(Choice(before=clock.now + 1, statuses=("completed",)))
    client.delete("over")
    client.set_id("left", "renamed")


def _kept(client: Calls, clock: Clock) -> None:
    with patch.object(past, "EVERY", 2):
        past.prepare(client._store, client._who, "fork-1", 4)
    client.create(NewSession(id="half"))
    client.append("half", "user", "gone, but not swept yet")
    operation = Operation(clock.bytes(16))
    client._store.write(lambda tx: sessions.reset(tx, client._who, "half", erase=True, operation=operation))
    holder = Holder("host", "boot", 7, 1, "test")
    client._store.write(lambda tx: leases.acquire(tx, client._who, "renamed", holder))
    client.create(NewSession(id="broken"))
    key = client._store.read(lambda tx: tx.sessions.key(client._who.tenant, "broken"))
    client._store.write(lambda tx: tx.audit.quarantine(key, "broken", "a reason"))
