"""Exports that contradict themselves: refused with what differs, or imported and whole; no raw error in any read."""

from __future__ import annotations

import io
import random
import time
from collections import Counter
from contextlib import suppress

import pytest
from tests.calls import Calls
from tests.crash.mutants import mutant
from tests.crash.sessions import Maker
from tests.crash.trials import SEED, client_at, record, trials

from retoma.errors import RetomaError
from retoma.interfaces.problems import exit_status
from retoma.model.ids import SessionId
from retoma.model.pattern import Pattern
from retoma.model.veil import Veil
from retoma.service import entries
from retoma.service.forget.erasing import Selection
from retoma.service.search.found import Asked
from retoma.service.search.indexing import step
from retoma.stores.conformance.store import Clock
from retoma.stores.contract.store import Listing

FULL = 10_000
POOL = 40
"""How many sessions one pool of exports is of; a new pool after each 500 mutants."""
FORMATS = ("json", "jsonl", "csv", "md", "html")


class Made:
    """A client with sessions that were lived in, branches of them, and their exports in lines."""

    def __init__(self, seed: int) -> None:
        self.clock = Clock()
        self.client = client_at(None, self.clock)
        self.chance = random.Random(seed)
        maker = Maker(self.client, self.clock, seed)
        for _ in range(POOL):
            name = maker.make()
            with suppress(RetomaError):
                self._branch(name)
        assert self.client.check().damage == []
        names = [one.id for one in self.client.list([Listing(), Listing(shelf=1)], limit=1_000).items]
        self.files = [self._export(name) for name in names]

    def _branch(self, name: SessionId) -> None:
        client, chance = self.client, self.chance
        self._batch(name)
        head = client.show(name).session.seq
        match chance.randrange(4):
            case 0:
                client.fork(name, at=chance.randint(1, head))
            case 1:
                client.undo(name)
            case 2:
                fork = client.fork(name, at=head).id
                client.append(fork, "user", "in the fork")
                client.redact(name, Selection(wanted=Pattern("text|one")))
            case _:
                client.note(name, "a note")
                client.reset(name, erase=chance.random() < 0.5)
                client.append(name, "user", "again")

    def _batch(self, name: SessionId) -> None:
        many = [
            entries.Changed({"one": 1, "two": ["text"]}),
            entries.Said("user", "in a batch", ""),
            entries.Changed({"one": 2}, ("two",)),
        ]
        client = self.client
        with suppress(RetomaError):
            client._store.write(
                lambda tx: entries.write(
                    tx, client._who, name, many, operation=client._operation(None, "", None)
                )
            )

    def _export(self, name: SessionId) -> bytes:
        veil = Veil((), ("text",)) if self.chance.random() < 0.15 else None
        with suppress(RetomaError):
            return b"".join(self.client.export(name, "jsonl", veil=veil))
        return b"".join(self.client.export(name, "jsonl"))


def read_all(client: Calls, name: SessionId) -> None:
    """Read the session in every way; what is refused is no error."""
    session = client.show(name).session
    list(client.conversation(name, epochs=True))
    list(client.events(name))
    client.messages(name, last=5)
    client.position(name)
    client.notes(name)
    client.tree(name)
    client.forks(name)
    for at in {1, session.seq // 2, session.seq - 1, session.seq}:
        with suppress(RetomaError):
            client.position(name, at=at)
        with suppress(RetomaError):
            client.diff(name, name, at=at)
    for listing in (Listing(), Listing(shelf=1), Listing(status=session.status), Listing(sort="id")):
        client.list([listing], limit=10)
    for format in FORMATS:
        b"".join(client.export(name, format))
    with suppress(RetomaError):
        b"".join(client.export(name, "jsonl", veil=Veil((), ("text",))))
    step(client._store, client._who, everything=True)
    client.search(Asked(text="text"))
    for act in (
        lambda: client.fork(name, at=max(session.seq // 2, 1)),
        lambda: client.fork(name, at=session.seq),
        lambda: client.undo(name),
        lambda: client.append(name, "user", "more"),
        lambda: client.redact(name, Selection(wanted=Pattern("text|one"))),
        lambda: client.reset(name, erase=True),
    ):
        with suppress(RetomaError):
            act()


def tried(data: bytes) -> str:
    """Import `data` into an empty store, and return what came of it. Fails for a raw error, and for damage."""
    with client_at(None) as client:
        try:
            done = client.import_(io.BytesIO(data))
        except RetomaError as error:
            assert exit_status(error) == 6 or error.code in ALLOWED, (error.code, str(error))
            assert client.check().damage == []
            return error.code
        assert [one.detail for one in client.check().damage] == []
        read_all(client, done.id)
        assert [one.detail for one in client.check().damage] == []
        return done.outcome


ALLOWED = ("not_an_export", "newer_export")
"""What cannot be read as an export at all is no damage: exit 2, and 5 for a later format."""


def test_the_exports_themselves_come_in() -> None:
    made = Made(SEED)
    assert {tried(data) for data in made.files} == {"imported"}


def test_mutants(tell) -> None:
    began, outcomes = time.monotonic(), Counter[str]()
    made = Made(SEED)
    for number in trials(FULL):
        if number and number % 500 == 0:
            made = Made(SEED + number)
        chance = random.Random(f"{SEED} {number}")
        data, done = mutant(chance.choice(made.files), chance)
        try:
            outcomes[tried(data)] += 1
        except Exception as error:
            pytest.fail(f"seed {SEED}, mutant {number} ({done}): {error!r}")
    count, seconds = sum(outcomes.values()), time.monotonic() - began
    told = ", ".join(f"{many:,} {what}" for what, many in outcomes.most_common())
    tell(
        record(
            "mutants", f"{count:,} mutants of exports (seed {SEED}, {count / seconds:.0f}/s): {told}", began
        )
    )
