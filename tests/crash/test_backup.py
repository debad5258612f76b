"""A backup taken while others write as fast as they can: restored and checked, it is whole and has what was there."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from tests.crash.trials import SEED, client_at, count, quick_directory
from tests.crash.writers import Writer, lost

from retoma.config import StorePlace
from retoma.service.check.store import check
from retoma.wiring import restore_store

BACKUPS = 300
PER_STORE = 5


def test_backups_under_load_are_whole(tell: Callable[[str], None]) -> None:
    backups = count(BACKUPS)
    chance = random.Random(SEED)
    whole = missing = held = 0
    with quick_directory() as directory:
        for first in range(0, backups, PER_STORE):
            place = directory / f"store{first}" / "retoma.db"
            writers = [Writer(place, f"s{n}", first * 10 + n + 1) for n in range(2)]
            for writer in writers:
                writer.hear(least=5)
            with client_at(place) as client:
                for trial in range(first, min(first + PER_STORE, backups)):
                    for writer in writers:
                        writer.hear(least=len(writer.said) + chance.randrange(5))
                    before = [(writer.name, [*writer.said]) for writer in writers]
                    client.backup(directory / f"{trial}.db")
                    copy = restored(directory / f"{trial}.db", directory / f"copy{trial}")
                    with client_at(copy) as again:
                        whole += check(again._store, random=os.urandom).whole
                        for name, said in before:
                            missing += lost(again, name, said)[0]
                            held += len(said)
            for writer in writers:
                writer.kill()
    tell(
        f"backups under load: {backups} trials, seed {SEED}, whole {whole}, of {held:,} acknowledged writes "
        f"before them missing {missing}"
    )
    assert (whole, missing) == (backups, 0)
    assert held


def restored(file: Path, directory: Path) -> Path:
    path = directory / "retoma.db"
    place = StorePlace(kind="sqlite", path=path, url=f"sqlite:///{path}", given=True, source="test")
    restore_store(place, file)
    return path
