"""A file of another tool, as it was given: what it is called, where it is, its bytes."""

from __future__ import annotations

from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Given(NamedTuple):
    """`path` is None for a stream that has none; `modified` is when it was last written (ms UTC).

    `single`: it is to hold one session and no more, but for those that belong to it.
    """

    shown: str
    stream: BinaryIO
    modified: int
    path: Path | None = None
    single: bool = False

    @property
    def stem(self) -> str:
        """Its name without its ending; empty when it has none."""
        return self.path.stem if self.path is not None else ""

    @property
    def folder(self) -> Path | None:
        """The directory that it is in."""
        return self.path.absolute().parent if self.path is not None else None


def looked_at(given: Given, most: int) -> tuple[Given, bytes]:
    """Return the file, to be read from its beginning still, and at most `most` bytes of how it begins."""
    head = given.stream.read(most)
    if given.stream.seekable():
        given.stream.seek(0)
        return given, head
    return given._replace(stream=cast(BinaryIO, BufferedReader(_Behind(head, given.stream)))), head


class _Behind(RawIOBase):
    """A stream again, from the beginning that was read of it."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._head[: len(view)] or self._stream.read(len(view))
        self._head = self._head[len(view) :]
        view[: len(data)] = data
        return len(data)
