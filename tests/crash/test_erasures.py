"""What was erased is in no file of the store, nor in a backup: byte by byte, after every verb, and after a kill."""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
from tests.crash.planted import Planted, spare
from tests.crash.trials import SEED, quick_directory, record, trials

from retoma.model.session import NewSession
from retoma.service.check.store import check

ERASURES, KILLS = 100_000, 1_000
A_STORE = 30
"""How many erasures one store sees: small ones have few pages, and balance them all the time."""


def test_no_byte_of_what_was_erased_is_left(tell: Callable[[str], None]) -> None:
    began, verbs, left, backups = time.monotonic(), Counter[str](), list[str](), 0
    with quick_directory() as directory:
        planted: Planted | None = None
        for trial in trials(ERASURES):
            at = trial % A_STORE
            if planted is None or at == 0:
                left += _ended(planted)
                planted = _fresh(directory / f"store{trial}", SEED + trial // A_STORE)
            planted.live(6)
            verb = planted.erase()
            verbs[verb] += 1
            here = [*planted.left(everything=at % 8 == 7 or not verb)]
            if at % 15 == 14:
                backups += 1
                here += planted.unread()
                here += _in_backup(planted, directory / f"backup{trial}.db")
            left += [f"erasure {trial}, {verb}: {secret}" for secret in here]
            assert left == []
        left += _ended(planted)
    done = sum(verbs.values()) - verbs[""]
    line = f"erasures: {done:,} ({', '.join(f'{verb} {n:,}' for verb, n in sorted(verbs.items()) if verb)}), "
    line += f"{backups:,} backups, bytes of secrets left {len(left)}"
    tell(record("erasures", f"{line}, seed {SEED}", began))
    assert left == []
    assert done, "nothing was erased: the test saw nothing"


def test_a_store_that_was_killed_while_it_erased_finishes_with_the_next_write(
    tell: Callable[[str], None],
) -> None:
    began, killed, chance = time.monotonic(), Counter[str](), random.Random(SEED)
    left: list[str] = []
    missed = 0
    with quick_directory() as directory:
        planted: Planted | None = None
        for trial in trials(KILLS):
            if planted is None or trial % A_STORE == 0:
                left += _ended(planted)
                planted = _fresh(directory / f"store{trial}", SEED + trial)
            planted.live(6)
            planted.close()
            place = _killed(planted, chance)
            if place == "":
                missed += 1  # it had ended before
            else:
                killed[place] += 1
            planted.open()
            planted.calls.create(NewSession(id=f"next{trial}"))
            here = [*planted.left(everything=True), *planted.unread()]
            left += [f"kill {trial}, {place}: {secret}" for secret in here]
            report = check(planted.door.store, random=os.urandom)
            assert report.whole, report.damage
            assert left == []
        left += _ended(planted)
    places = ", ".join(f"{n:,} at {place}" for place, n in killed.most_common())
    line = f"kills while erasing: {sum(killed.values()):,} ({places})"
    tell(
        record(
            "erasures", f"{line}, bytes of secrets left after the next write {len(left)}, seed {SEED}", began
        )
    )
    assert killed["a zeroing"] or sum(killed.values()) < 50


def _fresh(directory: Path, seed: int) -> Planted:
    directory.mkdir()
    planted = Planted(directory / "retoma.db", seed)
    planted.live(planted.chance.choice((5, 30, 100)))
    return planted


def _ended(planted: Planted | None) -> list[str]:
    """Close the store, and return what is where nothing is to be, in pages that no erasure looks at, too."""
    if planted is None:
        return []
    planted.close()
    left = [*planted.left(everything=True)]
    left += [place for place in spare(planted.file) if "before the first cell" not in place]
    for file in planted.file.parent.iterdir():
        file.unlink()
    planted.file.parent.rmdir()
    return left


def _in_backup(planted: Planted, target: Path) -> list[str]:
    target.touch()
    planted.door.store.backup(target)
    left = planted.found(target.read_bytes()) - planted.found(planted.readable())
    free = [*spare(target)]
    target.unlink()
    return [f"in a backup: {one}" for one in (*left, *free)]


def _killed(planted: Planted, chance: random.Random) -> str:
    """Erase something in a process that is killed at one of its writes; return which, "" when it came to its end."""
    zeroing = chance.random() < 0.5
    at = int(2 ** chance.uniform(0, 2 if zeroing else 7))
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            disk = Deadly(at, writer, zeroing)  # it is in force as long as it is referred to
            planted.open()
            planted.erase()
            os._exit(0 if disk else 1)
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        place = said.read().decode()
    _, status = os.waitpid(process, 0)
    assert status == 0 or (place and os.WTERMSIG(status) == signal.SIGKILL), status
    return place


class Deadly(apsw.VFS):
    """A file layer that kills this process at its `at`th write, sync or truncation, and tells `writer` which that was.

    With `zeroing` writes of zeros alone are counted.
    """

    def __init__(self, at: int, writer: int, zeroing: bool) -> None:
        self._zeroing = zeroing
        self._left = at
        self._writer = writer
        super().__init__("deadly", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: Any) -> _File:
        return _File(self, name, flags)

    def counts(self, place: str, first: Callable[[], object] = lambda: None) -> None:
        self._left -= not self._zeroing or place == "a zeroing"
        if not self._left:
            first()
            os.write(self._writer, place.encode())
            os.kill(os.getpid(), signal.SIGKILL)


class _File(apsw.VFSFile):
    def __init__(self, disk: Deadly, name: Any, flags: Any) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)
        self._log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def xWrite(self, data: bytes, offset: int) -> None:
        place = "a write of the log" if self._log else "a zeroing" if not any(data) else "a write of the file"
        half = data[: len(data) // 2]
        self._disk.counts(place, lambda: super(_File, self).xWrite(half, offset) if half else None)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.counts("a sync")
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:
        self._disk.counts("a truncation")
        super().xTruncate(size)
