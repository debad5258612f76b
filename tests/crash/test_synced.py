"""Stores that import later exports while the source erases: whole after each import, and a third store too."""

from __future__ import annotations

import io
import random
import time
from collections import Counter
from contextlib import suppress

from tests.calls import Calls
from tests.crash.sessions import Maker
from tests.crash.trials import SEED, client_at, record, trials

from retoma.errors import Conflict, Refused, RetomaError
from retoma.model.ids import SessionId
from retoma.model.pattern import Pattern
from retoma.service import entries
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import Clock

FULL = 2_000
PATTERNS = ("one|text", "plain", "a", "long|Ana", "k|ß", "tag|ref|high", "x")


class Synced:
    """A session that lives in one store, and three stores that import it: one keeps, one erases too, one by chance."""

    def __init__(self, seed: int, outcomes: Counter[str]) -> None:
        self.chance = random.Random(seed)
        self.clock = Clock()
        self.source = client_at(None, self.clock)
        self.receivers = [client_at(None, self.clock) for _ in range(3)]
        self.outcomes = outcomes
        self._maker = Maker(self.source, self.clock, seed)
        self.name = self._maker.make()

    def live(self) -> None:
        """Let some things happen to the session in its own store."""
        maker = self._maker
        actions = (
            *(maker._say, maker._say, maker._set, maker._pause, maker._change, maker._change, maker._reset),
            *(maker._flow, maker._flow, maker._erase, maker._erase, self._batch, self._redact, self._redact),
        )
        for _ in range(self.chance.randrange(1, 5)):
            self.clock.now += self.chance.randrange(1_000)
            with suppress(RetomaError):
                self.chance.choice(actions)(self.name)

    def _batch(self, name: SessionId) -> None:
        source = self.source
        many = [
            entries.Changed({"one": self.chance.random(), "two": ["text"]}),
            entries.Said("user", "in a batch"),
            entries.Changed({"one": 2}, ("two",)),
        ]
        operation = source._operation(None, "", None)
        source._store.write(lambda tx: entries.write(tx, source._who, name, many, operation=operation))

    def _redact(self, name: SessionId) -> None:
        self.source.redact(name, Selection(wanted=Pattern(self.chance.choice(PATTERNS))))

    def carry(self, number: int) -> None:
        """Let one receiver import the session, mostly from the source, and a third store from the receiver."""
        receiver = self.receivers[number]
        origin = self.source if self.chance.random() < 0.75 else self.chance.choice(self.receivers)
        if origin is receiver or origin.get(self.name) is None:
            return
        erase_too = number == 1 or (number == 2 and self.chance.random() < 0.3)
        data = exported(origin, self.name)
        try:
            done = receiver.import_(io.BytesIO(data), erase_too=erase_too)
        except (Conflict, Refused) as error:
            self.outcomes[error.code] += 1
            assert_whole(receiver)
            return
        self.outcomes[f"{done.outcome}{', kept' * bool(done.kept)}{', erased' * bool(done.erased)}"] += 1
        assert_whole(receiver)
        if erase_too and origin is self.source and done.outcome != "unchanged":
            assert exported(receiver, self.name) == data
        with client_at(None, self.clock) as third:
            third.import_(io.BytesIO(exported(receiver, self.name)))
            assert_whole(third)
        if self.chance.random() < 0.15:
            with suppress(RetomaError):
                receiver.fork(self.name, at=self.chance.randint(1, done.events))

    def close(self) -> None:
        for client in (self.source, *self.receivers):
            client.close()


def exported(client: Calls, name: SessionId) -> bytes:
    return b"".join(client.export(name, "jsonl"))


def assert_whole(client: Calls) -> None:
    assert [one.detail for one in client.check().damage] == []


def test_stores_that_import_from_each_other(tell) -> None:
    began, outcomes, done = time.monotonic(), Counter[str](), 0
    for number in trials(FULL):
        synced = Synced(SEED + number, outcomes)
        for _ in range(8):
            synced.live()
            for receiver in range(3):
                if synced.chance.random() < 0.5:
                    synced.carry(receiver)
        synced.close()
        done += 1
    told = ", ".join(f"{many:,} {what}" for what, many in outcomes.most_common())
    seconds = time.monotonic() - began
    tell(
        record(
            "synced", f"{done:,} sessions among stores (seed {SEED}, {done / seconds:.1f}/s): {told}", began
        )
    )
