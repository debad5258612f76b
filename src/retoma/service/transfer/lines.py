"""JSON lines that another tool appended to, and perhaps was killed at: each record that is whole, and what is not said.

Lines end at a line feed and nowhere else: U+2028 may stand in a text as it is. One line is in memory at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO, Final, NamedTuple, TypeAlias

from retoma.model.codec import Json
from retoma.service.transfer.mend import Value, open_string, read, several
from retoma.service.transfer.notices import Notices

MOST_BYTES: Final = 64 << 20
"""The longest line that is read as a record."""

_MOST_LINES: Final = 64
_MOST_HELD: Final = 8 << 20
_MOST_STARTS: Final = 16
_LONG: Final = 4 << 20
_START = re.compile(rb'(?<=.)\{"[A-Za-z_]+":', re.DOTALL)
_BOM: Final = b"\xef\xbb\xbf"

Known: TypeAlias = Callable[[dict[str, Json]], bool]
"""Whether an object looks like a record of the format, not like a part of one."""


class Entry(NamedTuple):
    """A record: what it says, its JSON on one line, its line, and how it stood in the file, if that says more."""

    value: dict[str, Json]
    data: bytes
    line: int
    original: bytes | None = None


class Damaged(NamedTuple):
    """A line that is no record, as it stands."""

    data: bytes
    line: int


class Lines:
    """The records of a file. What had to be mended, passed over or given up is said in `notices`."""

    def __init__(self, stream: BinaryIO, notices: Notices, known: Known) -> None:
        self._stream = stream
        self._notices = notices
        self._known = known
        self._held: bytes | None = None  # lines of a record whose text has line breaks, from line `_since` on
        self._since = 0

    def __iter__(self) -> Iterator[Entry | Damaged]:
        ended = True
        for line, data, ended, cut in self._lines():
            if not cut:
                yield from self._take(data, line, ended)
                continue
            if self._held is not None:
                yield from self._give_up()
            yield self._damaged(data, line)
        if self._held is not None:
            yield from self._give_up(whole=ended)

    def _lines(self) -> Iterator[tuple[int, bytes, bool, bool]]:
        """Yield each line's number, the line without its end and NUL bytes around it, whether its end was there.

        The last says that it is a piece of a line which is too long.
        """
        number, ended, cut = 0, True, False
        while piece := self._stream.readline(MOST_BYTES):
            number += ended
            cut = (len(piece) == MOST_BYTES and not piece.endswith(b"\n")) or (cut and not ended)
            if number == 1:
                piece = piece.removeprefix(_BOM)
            ended = piece.endswith(b"\n")
            line = piece.rstrip(b"\r\n")
            bare = line.strip(b"\0")
            if len(bare) < len(line):
                nothing = len(line) - len(bare)
                self._notices.say(
                    "nul_bytes",
                    f"{nothing:,} NUL byte{'s' * (nothing > 1)} {'were' if nothing > 1 else 'was'} ignored.",
                    number,
                )
            if bare or not cut:
                yield number, bare, ended, cut

    def _take(self, data: bytes, line: int, ended: bool) -> Iterator[Entry | Damaged]:
        if not data.strip():
            if self._held is not None:
                self._held += b"\n" + data
            return
        entries = self._entries(data, line)
        if entries:
            if self._held is not None:
                yield from self._give_up()
            yield from entries
        elif self._held is None:
            yield from self._begin(data, line, ended)
        else:
            yield from self._go_on(data, line, ended)

    def _begin(self, data: bytes, line: int, ended: bool) -> Iterator[Entry | Damaged]:
        if ended and open_string(data):
            self._held, self._since = data, line
        else:
            yield from self._salvaged(data, line, ended)

    def _go_on(self, data: bytes, line: int, ended: bool) -> Iterator[Entry | Damaged]:
        """Put a line behind those that are held: a line break in a text may be why none is a record by itself."""
        assert self._held is not None
        joined = self._held + b"\n" + data
        entries = self._entries(joined, self._since)
        if entries:
            self._held = None
            said = f"Lines {self._since:,} to {line:,} were read as one record: a line break in a text was not escaped."
            self._notices.say("rejoined", said, self._since)
            yield from entries
        elif data.startswith(b'{"') or self._too_much(line, joined):
            yield from self._give_up()
            yield from self._begin(data, line, ended)
        else:
            self._held = joined

    def _too_much(self, line: int, joined: bytes) -> bool:
        held = line - self._since
        return held >= _MOST_LINES or len(joined) > (MOST_BYTES if held == 1 else _MOST_HELD)

    def _give_up(self, *, whole: bool = True) -> Iterator[Entry | Damaged]:
        """Yield what can be had of the held lines, each by itself; `whole` says that the last one's end was there."""
        assert self._held is not None
        held, self._held = self._held.split(b"\n"), None
        for number, data in enumerate(held, self._since):
            if data.strip():
                last = number == self._since + len(held) - 1
                yield from self._salvaged(data, number, whole or not last)

    def _entries(self, data: bytes, line: int) -> list[Entry]:
        """Return the record that a line is, or the records; none when some of it is no record."""
        found = read(data)
        if found is not None:
            return [self._entry(found, data, line)] if isinstance(found.value, dict) else []
        parts, rest = several(data)
        if rest or not parts:
            return []
        entries = self._all(parts, line)
        if entries:
            self._notices.say("two_records", f"{len(parts):,} records were on one line.", line)
        return entries

    def _all(self, parts: list[bytes], line: int) -> list[Entry]:
        """Return what all of `parts` say; nothing when one of them is no record."""
        entries = []
        for part in parts:
            found = read(part)
            if found is None or not isinstance(found.value, dict) or not self._known(found.value):
                return []
            entries.append(self._entry(found, part, line))
        return entries

    def _entry(self, found: Value, data: bytes, line: int) -> Entry:
        assert isinstance(found.value, dict)
        if found.changed:
            said = (
                "it had bytes, numbers or unpaired surrogates that cannot be stored: the original text "
                "was imported too."
            )
            self._notices.say("mended", f"A record was repaired: {said}", line)
        return Entry(found.value, found.data, line, data if found.changed else None)

    def _salvaged(self, data: bytes, line: int, ended: bool) -> Iterator[Entry | Damaged]:
        """Yield the records that are whole in a line which is not, and the rest of it."""
        whole, rest = several(data)
        entries = self._all(whole, line)
        if not entries:
            rest = data
            for start in self._starts(data):
                whole, behind = several(data[start:])
                entries = self._all(whole, line)
                if entries:
                    yield self._damaged(data[:start], line)
                    rest = behind
                    break
        yield from entries
        if rest and ended:
            yield self._damaged(rest, line)
        elif rest:
            said = f"The file ends in the middle of a record; {len(rest):,} bytes of it were not imported."
            self._notices.say("torn", said, line)

    def _starts(self, data: bytes) -> Iterator[int]:
        """Yield where a record may begin behind one that was torn; of a long line only the first such places."""
        most = _MOST_STARTS if len(data) <= _LONG else 2
        return (match.start() for match in islice(_START.finditer(data), most))

    def _damaged(self, data: bytes, line: int) -> Damaged:
        self._notices.say(
            "unreadable", "It is not JSON: it was imported unchanged and not interpreted.", line
        )
        return Damaged(data, line)
