"""A stateful fuzz of the Python API: calls by chance on two stores, and `check` after each fourth of them.

The full count is 10,000 lives of 30 calls (`make crash`). A life that fails is replayed with RETOMA_CRASH_SEED=SEED and
RETOMA_FUZZ_LIFE=NUMBER.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from tests.crash.calls import Life
from tests.crash.trials import SEED, record, trials

LIVES = 10_000
CALLS = 30


def live(number: int) -> int:
    """Live one life; return how many of its calls were refused. Raises AssertionError with all its calls."""
    life = Life(SEED, number)
    try:
        for call in range(1, CALLS + 1):
            life.step()
            damage = life.damage() if call % 4 == 0 or call == CALLS else []
            assert not damage, damage
    except Exception as error:
        told = "\n  ".join(life.said)
        raise AssertionError(f"seed {SEED}, life {number}: {error!r} after\n  {told}") from error
    finally:
        life.close()
    return sum(" -> " in said and said.rsplit(" -> ", 1)[1].isidentifier() for said in life.said)


def test_whatever_is_called_every_store_stays_whole(tell: Callable[[str], None]) -> None:
    began, done = time.monotonic(), 0
    only = os.environ.get("RETOMA_FUZZ_LIFE")
    for number in [int(only)] if only else trials(LIVES):
        live(number)
        done += 1
    rate = done / (time.monotonic() - began)
    tell(record("fuzz", f"fuzz: {done:,} lives of {CALLS} calls, {rate:.0f} a second, no damage", began))
