"""Processes that write as fast as they can, and say over a pipe what was acknowledged; and what a store has of it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

from tests.calls import Calls
from tests.crash.trials import client_at

from retoma.errors import NotFound
from retoma.model.event import INLINE_BYTES
from retoma.model.session import NewSession
from retoma.stores.conformance.store import Clock

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def write(place: str, name: str, seed: int, pipe: Connection, synchronous: str) -> None:
    """Write in the session `name` and beside it until killed. Each word in the pipe is a write that returned."""
    chance = random.Random(seed)
    clock = Clock(time.time_ns() // 1_000_000)
    clock._drawn = seed << 32  # ids and salts of this process alone
    with client_at(Path(place), clock) as client:
        if synchronous != "FULL":
            client._store._turn.connection().set("synchronous", synchronous, 1)
        with contextlib.suppress(Exception):
            client.create(NewSession(id=name))
        number = 0
        while True:
            number += 1
            clock.now += 7
            word = f"{seed}.{number}"
            if number % 9 == 0:
                client.create(NewSession(id=f"made-{seed}-{number}", tags=("a", "b")))
                word = f"made-{seed}-{number}"
            else:
                text = word + ("\n" + "long " * (INLINE_BYTES // 4) if chance.random() < 0.05 else "")
                client.append(name, "user", text)
            pipe.send_bytes(word.encode())


class Writer:
    """One such process."""

    def __init__(self, place: Path, name: str, seed: int, synchronous: str = "FULL") -> None:
        self._pipe, theirs = _context.Pipe(duplex=False)
        arguments = (str(place), name, seed, theirs, synchronous)
        self._process = _context.Process(target=write, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self.name = name
        self.said: list[str] = []

    def hear(self, *, least: int = 0, within: float = 10.0) -> None:
        """Take in what is acknowledged so far, and wait until there are `least`.

        It ends: a process can write as fast as this reads.
        """
        deadline = time.monotonic() + within
        while len(self.said) < least and self._pipe.poll(max(0.0, deadline - time.monotonic())):
            if not self._take():
                raise AssertionError(f"the writer of {self.name} ended by itself")
        for _ in range(1_000):
            if not self._pipe.poll() or not self._take():
                break

    def kill(self) -> None:
        """Kill it with SIGKILL, and take in what it had said before."""
        self._process.kill()
        self._process.join()
        while self._take():
            pass
        self._pipe.close()
        self._process.close()

    def _take(self) -> bool:
        try:
            self.said.append(self._pipe.recv_bytes().decode())
        except (EOFError, OSError):
            return False  # the end, or a word that was cut off in the middle: it was acknowledged by nobody
        return True


def lost(client: Calls, name: str, said: Iterable[str]) -> tuple[int, int]:
    """Return how many of the words that were acknowledged are not there, and how many are there twice."""
    try:
        kept = [message.text.partition("\n")[0] for message in client.conversation(name)]
    except NotFound:
        kept = []
    there = set(kept)
    missing = sum(
        (client.get(word) is None) if word.startswith("made-") else (word not in there) for word in said
    )
    return missing, len(kept) - len(there)


def is_root() -> bool:
    """Return whether this process may mount a file system."""
    return os.geteuid() == 0
