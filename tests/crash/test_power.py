"""The power goes: a file system's image is copied at the moment of a kill, and what was acknowledged is in the copy.

The store is on ext4 in a file, mounted through a loop device, which commits on its own only every five minutes; so what
was not synced is not in the file. An arm with synchronous=NORMAL must lose writes, else the test sees nothing.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.crash.trials import SEED, client_at, count, quick_directory
from tests.crash.writers import Writer, is_root, lost

from retoma.service.check.store import check

CUTS = 1_000
BLIND = 25
SIZE = 24 << 20


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    """Return an image with an empty ext4 in it."""
    missing = [
        what
        for what, there in (
            ("root", is_root()),
            ("mkfs.ext4", shutil.which("mkfs.ext4") is not None),
            ("/dev/loop-control", Path("/dev/loop-control").exists()),
        )
        if not there
    ]
    if missing:
        pytest.skip(f"power cuts mount a file system of their own; missing: {', '.join(missing)}")
    with quick_directory() as directory:
        image = directory / "empty.img"
        with image.open("wb") as file:
            file.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
        (directory / "probe").mkdir()
        try:
            with mounted(image, directory / "probe"):
                pass
        except subprocess.CalledProcessError as error:
            # A container can have root and the device, and still not the right to mount.
            pytest.skip(
                f"power cuts mount a file system of their own; mount says: {error.stderr.decode().strip()}"
            )
        yield image


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-o", "loop,commit=300", image, place], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True, capture_output=True)


def cut(empty: Path, directory: Path, seed: int, wait: float, synchronous: str) -> tuple[int, int, bool]:
    """Cut the power once; return how many writes were acknowledged, how many are gone, and whether check is content."""
    image, copy, place = directory / "disk.img", directory / "copy.img", directory / "disk"
    shutil.copy(empty, image)
    place.mkdir(exist_ok=True)
    with mounted(image, place):
        writer = Writer(place / "retoma.db", "s", seed, synchronous)
        writer.hear(least=1)
        time.sleep(wait)
        writer.kill()
        shutil.copy(image, copy)
    with mounted(copy, place):
        if not (place / "retoma.db").exists():
            return len(writer.said), len(writer.said), True
        with client_at(place / "retoma.db") as client:
            gone, _ = lost(client, "s", writer.said)
            return len(writer.said), gone, check(client._store, random=os.urandom).whole


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_power_cuts(empty: Path, synchronous: str, tell: Callable[[str], None]) -> None:
    cuts = count(CUTS) if synchronous == "FULL" else BLIND
    chance = random.Random(SEED)
    acknowledged = missing = hit = damaged = 0
    with quick_directory() as directory:
        for trial in range(cuts):
            said, gone, whole = cut(empty, directory, trial + 1, chance.uniform(0.0, 0.06), synchronous)
            acknowledged, missing = acknowledged + said, missing + gone
            hit += gone > 0
            damaged += not whole
    tell(
        f"power cut, synchronous={synchronous}: {cuts} trials, seed {SEED}, {acknowledged:,} acknowledged writes, "
        f"lost {missing} in {hit} trials, copies that check found damaged {damaged}"
    )
    assert acknowledged
    if synchronous == "FULL":
        assert (missing, damaged) == (0, 0)
    else:
        assert hit, "synchronous=NORMAL lost nothing: this test would not see a loss"
