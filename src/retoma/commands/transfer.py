"""Sessions as files, to other stores and from other tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from retoma.commands.command import Call, Job, Stream
from retoma.commands.opened import Opened

if TYPE_CHECKING:
    from retoma.importers.bringing import Arrived
    from retoma.importers.detect import Source
    from retoma.model.transfer import Format
    from retoma.model.veil import Veil
    from retoma.service.transfer.imported import Imported

__all__ = ["ExportSession", "ImportFrom", "ImportSession"]


class ExportSession(Stream[bytes], frozen=True, kw_only=True):
    """Yield the pieces of a file with a session as it stands now.

    `json` and `jsonl` can be imported again; `csv`, `md` and `html` have the conversation alone. What `veil` hides is
    in none of them. Raises NotFound, Invalid for another format, Integrity when an event is damaged, Conflict when the
    session was cut or deleted meanwhile.
    """

    session: str
    format: Format = "json"
    veil: Veil | None = None

    def pages(self, opened: Opened) -> Iterator[tuple[bytes]]:
        from retoma.service.transfer.export import export

        pieces = export(opened.store, opened.who, self.session, self.format, veil=self.veil)
        return ((piece,) for piece in pieces)


class ImportSession(Job["Imported"], frozen=True, kw_only=True):
    """Keep a session that was exported as json or jsonl, under the id `name` if given; return what became of it.

    Nothing is shown before all of it is proved, and what is here already is not added again. What the source erased
    since an earlier import stays here, or is erased, too, with `erase_too`. Raises Invalid for what is no export,
    Integrity with the line for one that is damaged or contradicts its own journal, Conflict for a taken id or a session
    that went another way here, Busy, Limit, Unavailable, OSError when the file cannot be read.
    """

    file: Path | BinaryIO
    name: str | None = None
    erase_too: bool = False

    def work(self, opened: Opened, call: Call) -> Imported:
        from retoma.service.transfer.incoming import import_

        with _read(self.file) as stream:
            return import_(
                opened.store, call.who, stream, name=self.name, limits=call.limits, erase_too=self.erase_too
            )


class ImportFrom(Job["Arrived"], frozen=True, kw_only=True):
    """Keep the sessions of a file, an export or another tool's, under `name` if it is one.

    What is whole in another tool's file is kept, and the rest told in `notices`; each session has its own outcome.
    Raises OSError when it cannot be read, Integrity when nothing of it is whole, Invalid, and as `ImportSession` does.
    """

    file: Path | BinaryIO
    source: Source = "auto"
    name: str | None = None
    erase_too: bool = False

    def work(self, opened: Opened, call: Call) -> Arrived:
        from retoma.importers.bringing import bring
        from retoma.service.transfer.given import Given

        file = self.file
        with _read(file) as stream:
            if isinstance(file, Path):
                given = Given(str(file), stream, file.stat().st_mtime_ns // 1_000_000, file)
            else:
                given = Given("standard input", stream, call.at)
            return bring(
                opened.store, call.who, given, source=self.source, name=self.name, limits=call.limits,
                erase_too=self.erase_too,
            )  # fmt: skip


def _read(file: Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """Open a file; a stream stays open, it is its caller's."""
    from retoma.config.opened import open_file

    return open_file(file) if isinstance(file, Path) else nullcontext(file)
