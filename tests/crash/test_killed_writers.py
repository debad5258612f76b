"""A process that writes as fast as it can, killed with SIGKILL: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

from tests.crash.trials import SEED, client_at, count, quick_directory
from tests.crash.writers import Writer, lost

from retoma.service.check.store import check

KILLS = 10_000
PER_STORE = 50
CI = 200


def test_nothing_acknowledged_is_lost_to_kills(tell: Callable[[str], None]) -> None:
    kills = count(KILLS) if count(KILLS) == KILLS else CI
    chance = random.Random(SEED)
    acknowledged = missing = doubled = damaged = 0
    with quick_directory() as directory:
        for trial in range(kills):
            place = directory / f"store{trial // PER_STORE}" / "retoma.db"
            writer = Writer(place, f"s{trial}", trial + 1)
            # Before the store is open, while it opens, or after some hundred writes.
            time.sleep(chance.choice((0.0, chance.uniform(0.0, 0.01), chance.uniform(0.01, 0.03))))
            writer.kill()
            acknowledged += len(writer.said)
            if place.exists():
                with client_at(place) as client:
                    gone, twice = lost(client, writer.name, writer.said)
                    missing, doubled = missing + gone, doubled + twice
                    if trial % PER_STORE == PER_STORE - 1:
                        damaged += not check(client._store, random=os.urandom).whole
    tell(
        f"kill -9 of a writer: {kills} trials, seed {SEED}, {acknowledged:,} acknowledged writes, lost {missing}, "
        f"doubled {doubled}, stores that check found damaged {damaged} of {-(-kills // PER_STORE)}"
    )
    assert (missing, doubled, damaged) == (0, 0, 0)
    assert acknowledged, "no write was acknowledged in any trial: the test saw nothing"
