"""A damaged write-ahead log drops what was committed last, and SQLite says "ok": the witness says otherwise."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.crash.trials import SEED, client_at, count, quick_directory

from retoma.model.session import NewSession
from retoma.service.check.store import check

TAILS = 1_000
COMMITS = 40


def test_every_tail_that_is_cut_off_is_reported(tell: Callable[[str], None]) -> None:
    trials = count(TAILS)
    chance = random.Random(SEED)
    reported = quiet = 0
    missed: list[str] = []
    with quick_directory() as directory:
        copies = left_open(directory)
        for trial in range(trials):
            place = directory / "trial"
            shutil.copytree(copies, place)
            log = place / "retoma.db-wal"
            what = damage(log, chance)
            with client_at(place / "retoma.db") as client:
                report = check(client._store, random=os.urandom)
                quiet += client._store.engine_check() == []
                found = [one for one in report.damage if one.what == "tail"]
                reported += bool(found)
                if not found:
                    missed.append(f"trial {trial}: {what}, {report.witness}")
            shutil.rmtree(place)
    tell(
        f"cut tails: {trials} trials, seed {SEED}, reported {reported}, missed {len(missed)}; "
        f"SQLite's own check found nothing in {quiet}"
    )
    assert missed == []


def left_open(directory: Path) -> Path:
    """Return a copy of a store with all of its commits in the log, as a crash leaves it."""
    copies = directory / "copies"
    copies.mkdir()
    with client_at(directory / "store" / "retoma.db") as client:
        client.create(NewSession(id="s"))
        client._store.forget()
        for number in range(COMMITS):
            client.append("s", "user", f"number {number} " + "x" * 500)
        for end in ("", "-wal", "-witness"):
            name = f"retoma.db{end}"
            shutil.copy(directory / "store" / name, copies / name)
    return copies


def damage(log: Path, chance: random.Random) -> str:
    """Cut the log off anywhere, flip one of its bits, or take it away."""
    data = bytearray(log.read_bytes())
    match chance.randrange(8):
        case 0:
            log.unlink()
            return "no log"
        case 1 | 2 | 3:
            end = chance.randrange(len(data))
            log.write_bytes(data[:end])
            return f"cut at {end} of {len(data)}"
        case _:
            bit = chance.randrange(len(data) * 8)
            data[bit // 8] ^= 1 << bit % 8
            log.write_bytes(data)
            return f"bit {bit} flipped"
