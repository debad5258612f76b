"""A file of another tool, as it was given: what it is called, where it is, its bytes."""

from __future__ import annotations

import sys
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, cast

from retoma.service.transfer.notices import Notices

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class Given(NamedTuple):
    """`path` is None for a stream that has none; `modified` is when it was last written (ms UTC).

    `single`: it is to hold one session and no more, but for those that belong to it. `packed`: the file is compressed,
    and `stream` is not.
    """

    shown: str
    stream: BinaryIO
    modified: int
    path: Path | None = None
    single: bool = False
    packed: bool = False

    @property
    def stem(self) -> str:
        """Its name without its ending; empty when it has none."""
        return self.path.stem if self.path is not None else ""

    @property
    def folder(self) -> Path | None:
        """The directory that it is in."""
        return self.path.absolute().parent if self.path is not None else None


def looked_at(given: Given, most: int, notices: Notices | None = None) -> tuple[Given, bytes]:
    """Return the file, to be read from its beginning still, and at most `most` bytes of how it begins.

    A file compressed by zstd is read as what it was; `notices` say where that ends too early.
    """
    head = given.stream.read(most)
    if given.stream.seekable():
        given.stream.seek(0)
    else:
        given = given._replace(stream=cast(BinaryIO, BufferedReader(_Behind(head, given.stream))))
    if given.packed or not head.startswith(_ZSTD):
        return given, head
    path = given.path
    if path is not None and path.suffix == ".zst":
        path = path.with_suffix("")
    stream = cast(BinaryIO, BufferedReader(_Unpacked(given.stream, notices or Notices())))
    return looked_at(given._replace(stream=stream, path=path, packed=True), most, notices)


class _Unpacked(RawIOBase):
    """What a compressed stream has, up to where it is damaged."""

    def __init__(self, stream: BinaryIO, notices: Notices) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        self._stream = zstd.ZstdFile(stream)
        self._failures = (zstd.ZstdError, EOFError)
        self._notices = notices
        self._read = 0
        self._damaged = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        try:
            data = b"" if self._damaged else self._stream.read1(len(view))
        except self._failures as error:
            said = f"The compressed file is damaged after {self._read:,} bytes of its content: {error}"
            self._notices.say("torn", said)
            self._damaged, data = True, b""
        self._read += len(data)
        view[: len(data)] = data
        return len(data)


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
