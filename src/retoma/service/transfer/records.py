"""The records of one file, each to be had again by its number: what a reader sees twice, and in another order."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import IO, Final, Self, TypeAlias

from blake3 import blake3

from retoma.model.codec import Json, decode
from retoma.service.transfer.foreign import Draft, identity, mapping, pieces
from retoma.service.transfer.lines import Damaged, Entry
from retoma.service.transfer.notices import Notices

_IN_MEMORY: Final = 4 << 20

Read: TypeAlias = Callable[[int], Iterable[Draft]]
"""What a format makes of the record of a number."""


class Records:
    """Records in a temporary file, numbered from 0. It takes their bytes on the disk, and 50 bytes each in memory."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed with this)
        self._starts = array("Q")
        self._sizes = array("Q")
        self._lines = array("Q")
        self._times = array("q")
        self._ids = bytearray()
        self._damaged: set[int] = set()
        self._originals: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._timed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, found: Entry | Damaged, id: bytes, at: int | None) -> int:
        """Keep a record; return its number. One without a time has that of the one before."""
        number = len(self)
        self._starts.append(self._write(found.data))
        self._sizes.append(len(found.data))
        self._lines.append(found.line)
        self._ids += id
        if isinstance(found, Damaged):
            self._damaged.add(number)
        elif found.original is not None:
            self._originals[number] = (self._write(found.original), len(found.original))
        if at is not None and not self._timed:
            # What came before the first that has a time has that one, too.
            self.date(at)
        self._times.append(at if at is not None else self._times[-1] if number else 0)
        return number

    def date(self, at: int) -> None:
        """Give all records that are here this time, unless one has its own."""
        if not self._timed:
            self._times = array("q", [at]) * len(self._times)
            self._timed = True

    def id(self, number: int) -> bytes:
        """Return the record's identity."""
        return bytes(self._ids[16 * number : 16 * number + 16])

    def at(self, number: int) -> int:
        """Return when the record was written."""
        return self._times[number]

    def line(self, number: int) -> int:
        """Return the line of the file on which the record begins."""
        return self._lines[number]

    @property
    def readable(self) -> int:
        """How many of them can be read."""
        return len(self) - len(self._damaged)

    def damaged(self, number: int) -> bool:
        """Return whether this is a line that could not be read."""
        return number in self._damaged

    def data(self, number: int) -> bytes:
        """Return the record's JSON on one line, or the line that could not be read."""
        return self._read(self._starts[number], self._sizes[number])

    def value(self, number: int) -> dict[str, Json]:
        """Return what the record says."""
        return mapping(decode(self.data(number)))

    def drafts(self, numbers: Iterable[int], tool: str, read: Read) -> Iterator[Draft]:
        """Yield what `read` makes of these records, and behind each that was mended, how it stood in the file."""
        for number in numbers:
            id, at = self.id(number), self.at(number)
            if number in self._damaged:
                yield from pieces(id, at, tool, "unreadable", self.data(number))
                continue
            yield from read(number)
            if number in self._originals:
                original = self._read(*self._originals[number])
                yield from pieces(identity(id, b"original"), at, tool, "original", original)

    def _write(self, data: bytes) -> int:
        at = self._end
        self._file.seek(at)
        self._file.write(data)
        self._end += len(data)
        return at

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)


class Ids:
    """The identities of a file's records: the id that a record has, or what it says and the how manieth it is."""

    def __init__(self, identify: Callable[..., bytes], notices: Notices) -> None:
        self._identify = identify
        self._notices = notices
        self._seen: dict[bytes, bytes] = {}
        self._times: dict[bytes, int] = {}

    def of(self, own: str, found: Entry | Damaged) -> bytes | None:
        """Return the identity of a record whose own id is `own` (empty: it has none); None when it came before."""
        said = blake3(found.data).digest(8)
        if not own:
            self._times[said] = times = self._times.get(said, 0) + 1
            return self._identify(found.data, str(times))
        for key, id in ((own.encode(), (own,)), (own.encode() + found.data, (own, found.data))):
            short = blake3(key).digest(8)
            known = self._seen.get(short)
            if known is None:
                self._seen[short] = said
                return self._identify(*id)
            if known == said:
                detail = f"The record {own[:100]!r} is a duplicate; it was imported once."
                self._notices.say("duplicate", detail, found.line)
                return None
            detail = f"Another record has the id {own[:100]!r} too; both were imported."
            self._notices.say("id_twice", detail, found.line)
        return None
