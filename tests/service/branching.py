"""What the tests of branches share: a client on either database, and a session with something in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.calls import Calls

from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession
from retoma.stores.conformance.store import Clock
from retoma.stores.postgres.store import PostgresStore
from retoma.stores.sqlite.store import SqliteStore
from retoma.wiring import Sources

FLOW = {
    "start": "---\ntype: question\nsave_to: word\nto: said\n---\nWhat is the word?\n",
    "said": "---\ntype: question\nsave_to: other\nto: end\n---\nYou said {{ .word }}. And now?\n",
    "end": "Bye, {{ .word }} and {{ .other }}.\n",
}


@pytest.fixture(params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Calls]:
    if request.param == "sqlite":
        store = SqliteStore(None, now=clock, random=clock.bytes)
    else:
        url = request.getfixturevalue("database")
        store = PostgresStore(url, shown="test", now=clock, random=clock.bytes)
    with Calls(store, Principal(LOCAL_TENANT, "ana"), sources=Sources(clock, clock.bytes)) as client:
        yield client


def talk(client: Calls, name: str, *said: str, **facts: object) -> None:
    """Make a session, and let the user and an assistant say something in turn."""
    client.create(NewSession(id=name, **facts))
    say(client, name, *said)


def say(client: Calls, name: str, *said: str) -> None:
    for n, text in enumerate(said):
        client.append(name, ("user", "assistant")[n % 2], text)


def texts(client: Calls, name: str) -> list[str]:
    return [message.text for message in client.messages(name)]


def whole(client: Calls) -> None:
    """Assert that every journal is proved, and every row agrees with its own."""
    assert [one.detail for one in client.check().damage] == []
