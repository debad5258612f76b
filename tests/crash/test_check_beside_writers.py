"""`store check` beside two processes that create, change and delete sessions: it raises no false alarm."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.calls import Calls, client_at
from tests.crash.trials import SEED, quick_directory, record, trials

from retoma.config import StorePlace
from retoma.errors import RetomaError
from retoma.model.changes import Changes
from retoma.model.pattern import Pattern
from retoma.model.session import ARCHIVED, NewSession
from retoma.service.check.store import check
from retoma.service.forget.erasing import Selection
from retoma.stores.contract.store import Listing

CHECKS = 5_000
WRITERS = 2
_KEPT = 12
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def write(place: StorePlace, number: int, seed: int) -> None:
    """Create and delete sessions, and do what moves rows between them, until killed."""
    chance = random.Random(seed)
    made: list[str] = []
    with client_at(place) as client:
        while True:
            with contextlib.suppress(RetomaError):  # refused by what the other one did meanwhile
                _one(client, chance, made, f"w{number}")


def _one(client: Calls, chance: random.Random, made: list[str], who: str) -> None:
    if len(made) < _KEPT // 2 or chance.random() < 0.4:
        new = NewSession(tags=(who,), contexts=(("task", "7"),), parent=chance.choice((None, *made[-2:])))
        made.append(client.create(new, key=f"{who}-{chance.random()}"))
    name = chance.choice(made)
    match chance.randrange(10):
        case 0:
            made.append(client.fork(name).id)
        case 1:
            client.undo(name)
        case 2:
            client.reset(name, erase=chance.random() < 0.5)
        case 3:
            client.redact(name, Selection(wanted=Pattern("secret")))
        case 4:
            client.trash(name)
            client.restore(name)
        case 5:
            client.update(name, Changes(title=f"title {chance.random()}", pinned=chance.random() < 0.5))
        case _:
            client.append(name, "user", "a secret of " + who * chance.randrange(1, 5_000))
    while len(made) > _KEPT:
        client.delete(made.pop(chance.randrange(len(made))))
    if chance.random() < 0.1:
        # What the other one made, too, and the lines that an undo keeps.
        for one in client.list([Listing(), Listing(shelf=ARCHIVED)], limit=100).items[_KEPT * WRITERS :]:
            client.delete(one.id)
    if chance.random() < 0.2:
        client.work_due(within_s=0.005)


@contextmanager
def writing(place: StorePlace) -> Iterator[None]:
    """Two processes write to the store; they are killed at the end."""
    client_at(place).close()
    processes = [
        _context.Process(target=write, args=(place, number, SEED + number), daemon=True)
        for number in range(WRITERS)
    ]
    for one in processes:
        one.start()
    try:
        yield
    finally:
        for one in processes:
            assert one.is_alive(), "a writer ended by itself"
            one.kill()
            one.join()


def alarms(place: StorePlace, most: int, tell: Callable[[str], None]) -> Counter[str]:
    """Return what the checks beside the writers call damaged."""
    began, done, sessions = time.monotonic(), 0, 0
    said: Counter[str] = Counter()
    with writing(place), client_at(place) as client:
        while not client.list([Listing()], limit=1).items:
            os.sched_yield()
        for _ in trials(most):
            report = check(client._store, random=os.urandom)
            said.update(one.detail for one in report.damage)
            done += 1
            sessions += report.sessions
            client.contents()
            client.due()
    with client_at(place) as client:
        said.update(f"at rest: {one.detail}" for one in check(client._store, random=os.urandom).damage)
    line = f"{place.kind}: {done} checks of {sessions:,} sessions beside two writers, false alarms {said.total()}"
    tell(record("beside_writers", f"{line}, seed {SEED}", began))
    return said


def test_a_check_beside_writers_raises_no_false_alarm(tell: Callable[[str], None]) -> None:
    with quick_directory() as directory:
        file = directory / "retoma.db"
        place = StorePlace(kind="sqlite", path=file, url=str(file), given=True, source="test")
        assert alarms(place, CHECKS, tell) == Counter()


def test_a_check_of_a_database_beside_writers_raises_no_false_alarm(
    database: str, tell: Callable[[str], None]
) -> None:
    place = StorePlace(kind="postgresql", url=database, given=True, source="test")
    assert alarms(place, CHECKS // 10, tell) == Counter()
