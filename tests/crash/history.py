"""A process of the history checker: threads and tasks that work in shared sessions, and log what they ask and hear.

Run as `python -m tests.crash.history PLACE LOG SEED`. It ends when the file LOG.stop is there. A line of the log is
JSON: a call with `c` (its number), `at` (when it began, ns of the machine's monotonic clock) and what is asked; then
the same number with `end` and the answer, `ok` or `error`. Each line is in the log before the call goes on, so that a
process that is killed leaves behind what it had asked.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import os
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import retoma
from retoma import aio

LEASED, PAUSED, UNDONE = ("l0", "l1", "l2"), ("p0",), ("u0", "u1")
THREADS, TASKS = 3, 3
TERM = "1s"


class Log:
    """The calls of this process, numbered."""

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._numbers = itertools.count()

    def asks(self, **asked: object) -> int:
        number = next(self._numbers)
        self._write({"c": number, **asked, "at": time.monotonic_ns()})
        return number

    def hears(self, number: int, **answer: object) -> None:
        self._write({"c": number, "end": time.monotonic_ns(), **answer})

    def _write(self, line: dict[str, object]) -> None:
        os.write(self._fd, json.dumps(line).encode() + b"\n")


async def done(result: Any) -> Any:
    """Return what a call of either face returns."""
    return await result if inspect.isawaitable(result) else result


@asynccontextmanager
async def within(manager: Any) -> AsyncIterator[Any]:
    """Enter what either face returns for a `with`."""
    if hasattr(manager, "__aenter__"):
        async with manager as entered:
            yield entered
    else:
        with manager as entered:
            yield entered


class Actor:
    """Somebody who works in the sessions, one call after the other, through handles of its own."""

    def __init__(self, name: str, client: Any, log: Log, chance: random.Random) -> None:
        self.name, self._client, self._log, self._chance = name, client, log, chance
        self._words = itertools.count()
        self._handles: dict[str, Any] = {}

    async def act(self, over: Callable[[], bool]) -> None:
        for name in (*LEASED, *PAUSED, *UNDONE):
            self._handles[name] = await self._patiently(name)
        common = [
            self.append,
            self.append,
            self.keyed,
            self.expect,
            self.put,
            self.batch,
            self.read,
            self.read,
        ]
        while not over():
            session = self._chance.choice((*LEASED, *PAUSED, *UNDONE))
            own = (
                [self.lease] * 2 if session in LEASED else [self.pause] if session in PAUSED else [self.undo]
            )
            await self._chance.choice(common + own)(session)

    async def _patiently(self, name: str) -> Any:
        while True:
            try:
                return await done(self._client.session(name))
            except retoma.Unavailable:
                continue

    async def _call(self, verb: str, session: str, call: Callable[[], Any], **asked: object) -> Any:
        number = self._log.asks(verb=verb, session=session, actor=self.name, **asked)
        try:
            result = await done(call())
        except retoma.RetomaError as error:
            self._log.hears(number, error=error.code, family=type(error).__name__)
            return None
        self._log.hears(number, ok=result)
        return result

    def _word(self) -> str:
        return f"{self.name}.{next(self._words)}"

    # What it does

    async def append(self, session: str, *, lease: str = "") -> Any:
        handle, word = self._handles[session], self._word()
        return await self._call(
            "append", session, lambda: handle.append("user", word), words=[word], lease=lease
        )

    async def keyed(self, session: str) -> None:
        handle, word = self._handles[session], self._word()
        for _ in range(3):
            call = lambda: handle.append("user", word, key=word)  # noqa: E731
            await self._call("append", session, call, words=[word], key=word)

    async def expect(self, session: str) -> None:
        handle, word = self._handles[session], self._word()
        await self._call(
            "append", session, lambda: handle.append("user", word, expect=handle.head), words=[word]
        )

    async def put(self, session: str, *, lease: str = "") -> None:
        handle, word = self._handles[session], self._word()
        value = int(word.rpartition(".")[2])
        call = lambda: handle.state.put({self.name: value})  # noqa: E731
        await self._call("put", session, call, value=value, lease=lease)

    async def batch(self, session: str, *, lease: str = "") -> None:
        handle, words = self._handles[session], [self._word(), self._word()]

        async def write() -> list[int]:
            async with within(handle.batch()) as batch:
                for word in words:
                    batch.append("user", word)
                batch.state["batch"] = words[-1]
            return [*batch.seqs]

        await self._call("batch", session, write, words=words, lease=lease)

    async def read(self, session: str, *, lease: str = "") -> None:
        handle = self._handles[session]

        async def look() -> list[object]:
            value = (await done(handle.state.copy())).get(self.name)
            await done(handle.refresh())
            return [handle.head, value]

        await self._call("read", session, look, lease=lease)

    async def lease(self, session: str) -> None:
        handle, name = self._handles[session], self._word()
        number = self._log.asks(verb="lease", session=session, actor=self.name, lease=name)
        try:
            async with within(handle.lease(TERM)):
                self._log.hears(number, ok=True)
                # Long enough for the process to be stopped in the middle of it.
                for _ in range(self._chance.randrange(1, 40)):
                    await self._chance.choice((self.append, self.put, self.batch, self.read))(
                        session, lease=name
                    )
        except retoma.RetomaError as error:
            self._log.hears(number, error=error.code, family=type(error).__name__)

    async def pause(self, session: str) -> None:
        handle = self._handles[session]
        await self._call("pause", session, lambda: handle.pause(self._word()))
        await self._call("resume", session, handle.resume)

    async def undo(self, session: str) -> None:
        await self._call("undo", session, self._handles[session].undo)


async def blocking(client: Any, name: str, log: Log, seed: str, over: Callable[[], bool]) -> None:
    await Actor(name, client, log, random.Random(seed)).act(over)


async def tasks(place: str, number: str, log: Log, over: Callable[[], bool]) -> None:
    opened(place).close()  # the server answers
    async with aio.open(place) as client:
        names = [f"{number}a{task}" for task in range(TASKS)]
        await asyncio.gather(*(blocking(client, name, log, name, over) for name in names))


def opened(place: str) -> retoma.Client:
    """Open the place, also where the server is cut off meanwhile."""
    while True:
        try:
            return retoma.open(place)
        except retoma.Unavailable:
            continue


def main(place: str, file: str, seed: str) -> None:
    log, stop = Log(Path(file)), Path(file).with_name("stop")
    with opened(place) as client:
        threads = [
            threading.Thread(
                target=lambda name: asyncio.run(blocking(client, name, log, name, stop.exists)),
                args=(f"{seed}t{thread}",),
            )
            for thread in range(THREADS)
        ]
        threads.append(threading.Thread(target=lambda: asyncio.run(tasks(place, seed, log, stop.exists))))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
