"""Read lines from standard input: with a size limit, with a timeout, and only in UTF-8."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from retoma.errors import Invalid
from retoma.model.event import MAX_DATA_BYTES

__all__ = ["Bell", "Kind", "Lines", "TimedOut", "Woken", "checked", "discard_typed"]

Kind: TypeAlias = Literal["text", "secret", "consent"]
"""What an answer is: `consent` is the permission to call a tool."""

_READ_BYTES = 64 << 10


class TimedOut(Exception):
    """Nothing was typed within the node's timeout."""


class Woken(Exception):
    """An event must be shown to the user now. `typed` is the unfinished text of the line."""

    def __init__(self, typed: str = "") -> None:
        self.typed = typed


class Bell(Protocol):
    """A source of events that can interrupt the wait for a line: `fileno` is readable while it is `ready`."""

    @property
    def ready(self) -> bool: ...
    def fileno(self) -> int: ...


class Lines:
    """The lines of a file descriptor. A line longer than the limit of an event is skipped."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._ended = False
        self.number = 0

    def draws(self, label: str, options: Sequence[str]) -> bool:
        """Return False: the options must be printed before `next`."""
        return False

    def forget(self) -> None:
        """Discard what was typed on a terminal and not read, so that it does not answer the next question."""
        if os.isatty(self._descriptor):
            self._buffer.clear()
            discard_typed(self._descriptor)

    def next(
        self,
        label: str = "",
        timeout_s: float | None = None,
        typed: str = "",
        *,
        bell: Bell | None = None,
        options: Sequence[str] = (),
        kind: Kind = "text",
    ) -> str | None:
        """Print `label`; return the next line without its line break, or None at the end of the input.

        When the `bell` is ready, the wait ends, and an incomplete line is kept for the next call. `typed`, `options`
        and `kind` are used by Keyboard.

        Raises TimedOut, Woken, and Invalid for a line that is too long or not UTF-8; the next call then reads the next
        line. If there is no answer, the line of `label` is ended, except after Ctrl+C.
        """
        sys.stdout.write(label)
        sys.stdout.flush()
        line = None
        try:
            line = self._next(timeout_s, bell)
        except (Invalid, TimedOut, Woken):
            _end_line(label)
            raise
        if line is None:
            _end_line(label)
        return line

    def _next(self, timeout_s: float | None, bell: Bell | None) -> str | None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        dropped = 0
        while (end := self._buffer.find(b"\n")) < 0 and not self._ended:
            if len(self._buffer) > MAX_DATA_BYTES:
                dropped += len(self._buffer)
                self._buffer.clear()
            self._fill(deadline, bell)
        if end < 0:
            end = len(self._buffer)
            if not end and not dropped:
                return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self.number += 1
        return checked(line, self.number, dropped)

    def _fill(self, deadline: float | None, bell: Bell | None) -> None:
        if deadline is not None or bell is not None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            bells = [bell.fileno()] if bell is not None else []
            ready, _, _ = select.select([self._descriptor, *bells], [], [], left)
            if ready and self._descriptor not in ready:
                raise Woken
            if not ready:
                raise TimedOut
        chunk = os.read(self._descriptor, _READ_BYTES)
        self._ended = not chunk
        self._buffer += chunk


def discard_typed(descriptor: int) -> None:
    """Discard what was typed on a terminal before a question was shown."""
    import termios

    termios.tcflush(descriptor, termios.TCIFLUSH)


def _end_line(label: str) -> None:
    if label:
        sys.stdout.write("\n")


def checked(line: bytes, number: int, dropped: int = 0) -> str:
    """Return line `number` of the input as text; `dropped` is the number of bytes above the limit. Raises Invalid."""
    size = len(line) + dropped
    if size > MAX_DATA_BYTES:
        raise Invalid(
            f"Line {number} of the input has {size:,} bytes; the limit for one input is {MAX_DATA_BYTES:,} (1 MiB).",
            code="too_large",
            hint="Nothing of this line was saved; the session is unchanged.",
            size_bytes=size,
        )
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"Line {number} of the input is not UTF-8: "
            f"byte 0x{line[error.start]:02x} at place {error.start + 1}.",
            code="not_utf8",
            hint="Nothing of this line was saved; the session is unchanged.",
        ) from error
