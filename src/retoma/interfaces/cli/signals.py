"""Signals that end or stop a run while it waits: the terminal is restored first."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

__all__ = ["ENDING", "Ended", "ended_by_signals", "led_to", "perhaps_hung_up", "stop"]

ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Ended(BaseException):
    """The run must end, because the process received the signal `number` (SIGHUP: its terminal was closed)."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ended_by_signals(*, leave: Callable[[], object] | None = None) -> Iterator[None]:
    """Raise Ended in the body when the process receives SIGTERM, SIGHUP or SIGQUIT. For the main thread.

    While the body runs an event loop, the loop calls `leave`, which ends the body, and Ended is raised after it.
    """
    came: list[int] = []

    def end(number: int) -> None:
        came.append(number)
        loop = _running_loop() if leave is not None else None
        if leave is None or loop is None:
            raise Ended(number)
        loop.call_soon_threadsafe(leave)

    with led_to(end, ENDING):
        yield
    for number in came:
        raise Ended(number)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@contextmanager
def led_to(act: Callable[[int], None], numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    """Call `act` with each of the signals that arrives in the body. A signal that the process ignores (nohup) stays
    ignored. For the main thread."""

    def came(number: int, frame: FrameType | None) -> None:
        act(number)

    before = {number: signal.getsignal(number) for number in numbers}
    taken = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    try:
        for number in taken:
            signal.signal(number, came)
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


@contextmanager
def perhaps_hung_up() -> Iterator[None]:
    """Let the body print its last lines, unless the terminal is gone. Then all output is discarded."""
    try:
        yield
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)


def stop(*, group: bool) -> None:
    """Stop this process, or its process group, as Ctrl+Z does; return when it continues."""
    before = signal.getsignal(signal.SIGTSTP)
    if before is signal.SIG_IGN:
        return  # no shell controls this job, so nobody could continue it
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        os.kill(0 if group else os.getpid(), signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, before)
