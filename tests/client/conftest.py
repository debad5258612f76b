"""The public client, on both faces and both databases: `client`, and `again` for another one on the same store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from tests.calls import Calls
from tests.client.waiting import Waiting

from retoma import Client, Session
from retoma.aio import AsyncClient
from retoma.commands.opened import Opened
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Store
from retoma.stores.postgres.store import PostgresStore
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request, tmp_path, clock) -> Callable[[], Store]:
    """Open the store of this test, as often as is called."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "retoma.db", now=clock, random=clock.bytes)
    database = request.getfixturevalue("database")
    return lambda: PostgresStore(database, shown="test", now=clock, random=clock.bytes)


@pytest.fixture(params=["waits", "is awaited"])
def another(request, opened, clock) -> Iterator[Callable[..., Client]]:
    """Return a function that opens a client on the store of this test; all are closed after it."""
    clients = []
    with asyncio.Runner() as loop:

        def open_one(user: str = "ana") -> Client:
            door = Opened(opened(), Principal(LOCAL_TENANT, user), sources=Sources(clock, clock.bytes))
            clients.append(Client(door) if request.param == "waits" else Waiting(AsyncClient(door), loop))
            return clients[-1]

        yield open_one
        for client in clients:
            client.close()


@pytest.fixture
def plain(opened, clock) -> Iterator[Calls]:
    """What the command line goes through, on the same store."""
    with Calls(opened(), Principal(LOCAL_TENANT, "eva"), sources=Sources(clock, clock.bytes)) as calls:
        yield calls


@pytest.fixture
def client(another) -> Client:
    return another()


@pytest.fixture
def session(client) -> Session:
    return client.create("demo", title="A demonstration")
