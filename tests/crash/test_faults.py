"""A disk that fails at any write or sync, or is full at any point: a clear error, and nothing acknowledged lost."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.calls import Calls
from tests.crash.faults import Disk, failing
from tests.crash.trials import FULL, SEED, client_at, quick_directory

from retoma.errors import Integrity, RetomaError, Unavailable
from retoma.model.event import INLINE_BYTES
from retoma.model.session import NewSession
from retoma.service.check.store import check
from retoma.service.forget.erasing import Selection
from retoma.stores.conformance.store import Clock

PAGE = 4096


def script(client: Calls) -> Iterator[tuple[str, Callable[[], object], Callable[[Calls], bool]]]:
    """Yield (what is done, how, whether it is there) of a run through most of what a store does."""

    def has(text: str) -> Callable[[Calls], bool]:
        return lambda there: any(text in message.text for message in there.conversation("a", epochs=True))

    yield "create", lambda: client.create(NewSession(id="a", tags=("t",))), lambda c: c.get("a") is not None
    for n in range(4):
        word = f"word {n}"
        yield word, lambda w=word: client.append("a", "user", w), has(word)
    long = "long " * INLINE_BYTES
    yield "content", lambda: client.append("a", "user", long), has(long)
    yield "create b", lambda: client.create(NewSession(id="b")), lambda c: c.get("b") is not None
    yield "redact", lambda: client.redact("a", Selection(first=3, last=3)), lambda c: not has("word 1")(c)
    yield (
        "rename",
        lambda: client.set_id("b", "c"),
        lambda c: c.get("c") is not None or c.get("d") is not None,
    )
    yield "pause", lambda: client.change("a", "suspended"), lambda c: c.get("a").status == "suspended"
    yield "erase", lambda: client.reset("a", erase=True), lambda c: c.get("a").epoch == 2
    yield "after", lambda: client.append("a", "user", "after"), has("after")
    yield "create d", lambda: client.create(NewSession(id="d")), lambda c: True
    yield "delete", lambda: client.delete("d"), lambda c: c.get("d") is None


UNDOES = {
    "redact": {"word 1"},
    "rename": {"create b"},
    "erase": {"word 0", "word 1", "word 2", "word 3", "content", "redact", "pause"},
}


class Outcome:
    """What became of one run on a failing disk."""

    def __init__(self) -> None:
        self.errors: list[RetomaError] = []
        self.lost: list[str] = []

    def run(self, place: Path) -> None:
        done: dict[str, Callable[[Calls], bool]] = {}
        try:
            client = client_at(place, Clock())
        except (Unavailable, Integrity) as error:
            self.errors.append(error)
            return
        with client:
            for what, act, there in script(client):
                # What failed may have been done all the same: nothing that it undoes is asked for any more.
                done = {name: done[name] for name in done if name not in UNDOES.get(what, ())}
                try:
                    act()
                except RetomaError as error:
                    self.errors.append(error)
                else:
                    done[what] = there
            # While the disk still fails, what is there can be read, or is refused in a sentence.
            self._look(client, done, quietly=True)
        self.done = done

    def _look(self, client: Calls, done: dict[str, Callable[[Calls], bool]], *, quietly: bool) -> None:
        for what, there in done.items():
            try:
                if not there(client):
                    self.lost.append(what)
            except RetomaError as error:
                self.errors.append(error)
                if not quietly:
                    self.lost.append(f"{what}: {error}")

    def look(self, place: Path) -> None:
        """See on a sound disk whether all that was acknowledged is there, and the store whole."""
        with client_at(place, Clock()) as client:
            client.create(NewSession(id="afterwards"))
            self._look(client, getattr(self, "done", {}), quietly=False)
            report = check(client._store, random=os.urandom)
            self.lost += [one.detail for one in report.damage]


def trial(directory: Path, **how: object) -> tuple[Outcome, Disk]:
    place = directory / "store" / "retoma.db"
    outcome = Outcome()
    with failing(**how) as disk:
        outcome.run(place)
    outcome.look(place)
    shutil.rmtree(directory / "store")
    return outcome, disk


def chosen(points: range) -> list[int]:
    """Return every point, or a twentieth of them in a plain run."""
    if FULL:
        return [*points]
    return sorted(random.Random(SEED).sample(points, max(10, len(points) // 20)))


def test_a_failure_at_any_write_or_sync(tell: Callable[[str], None]) -> None:
    with quick_directory() as directory:
        _, sound = trial(directory)
        for stays in (False, True):
            met = errors = 0
            lost: list[str] = []
            points = chosen(range(1, sound.count + 1))
            for point in points:
                outcome, disk = trial(directory, fail_at=point, stays=stays)
                met += disk.failed > 0
                errors += len(outcome.errors)
                lost += [f"at {point}: {what}" for what in outcome.lost]
            tell(
                f"failing disk, {'from the Kth write or sync on' if stays else 'at the Kth write or sync'}: "
                f"{len(points)} of {sound.count} points, seed {SEED}, met {met}, clear errors {errors}, "
                f"lost {len(lost)}"
            )
            assert lost == []
            assert errors


def test_a_disk_that_is_full_at_any_point(tell: Callable[[str], None]) -> None:
    with quick_directory() as directory:
        _, sound = trial(directory)
        points = chosen(range(0, sound.written // PAGE + 1))
        errors = full = 0
        lost: list[str] = []
        for point in points:
            outcome, _ = trial(directory, room=point * PAGE)
            errors += len(outcome.errors)
            full += any(error.code == "disk_full" for error in outcome.errors)
            lost += [f"at {point * PAGE}: {what}" for what in outcome.lost]
        tell(
            f"full disk: {len(points)} of {sound.written // PAGE + 1} points (every 4 KiB), seed {SEED}, clear errors "
            f"{errors}, said to be full in {full}, lost {len(lost)}"
        )
        assert lost == []
        assert full
