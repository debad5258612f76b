"""The verbs that carry sessions from store to store, and look after a store as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from retoma.client.faces import Act, Batches, Face, Work, stream, verb

if TYPE_CHECKING:
    from retoma.model.transfer import Format
    from retoma.service.transfer.detect import Source
    from retoma.values import Arrived, Backup, Imported, Report


class Carrying(Face):
    """Files of sessions, and of a store."""

    @stream
    def export(self, id: str | None = None, format: Format = "json") -> Batches[bytes]:
        """Yield the pieces of a file with a session as it stands now: `json` or `jsonl` to import again, else `csv`,
        `md` or `html`.

        Without an id it is the current one. It takes the same memory at any size. Raises NotFound, Invalid for another
        format, Integrity when an event is damaged, Conflict when the session was cut or deleted meanwhile.

        >>> b"".join(client.export("demo", "md")).decode().splitlines()[0]
        '# A demonstration'
        """
        return ([piece] for piece in self._door.calls.export(self._named(id), format))

    @verb
    def import_(
        self, file: str | Path | BinaryIO, *, name: str | None = None, erase_too: bool = False
    ) -> Act[Imported]:
        """Keep a session that was exported as json or jsonl, under the id `name` if given; return what became of it.

        `outcome` is `imported`, `extended` or `unchanged`: the same file again adds nothing. Nothing is shown before
        all of it is proved. What the source erased since an earlier import stays here (`kept` events), or is erased
        here, too, with `erase_too` (`erased` events). Raises Invalid for what is no export, Integrity for one that is
        damaged or contradicts its own journal, Conflict for a taken id or a session that went another way here, Busy,
        Limit, Unavailable.

        >>> import io
        >>> file = io.BytesIO(b"".join(client.export("demo")))
        >>> client.import_(file).outcome
        'unchanged'
        """

        def work() -> Imported:
            if not isinstance(file, (str, Path)):
                return self._door.calls.import_(file, name=name, erase_too=erase_too)
            from retoma.config.opened import open_file

            with open_file(Path(file)) as opened:
                return self._door.calls.import_(opened, name=name, erase_too=erase_too)

        return Work(self._door, work)

    @verb
    def import_from(
        self, file: str | Path | BinaryIO, *, source: Source = "auto", name: str | None = None
    ) -> Act[Arrived]:
        """Keep the sessions of a file of any format that `retoma session import` reads; return what became of each.

        `source` is `auto`, `retoma`, `trellis`, `copilot`, `claude-code`, `codex` or `openai-agents`; `name` an id for
        the session of a file that has one. Of another tool's file what is whole is kept: `sessions` has for each what
        was `imported`, or its `error`, and `notices` say what was met, with the line. The same file again adds nothing.
        Raises Integrity when nothing of it is whole, Invalid for no known format, and as `import_` does.

        >>> import io
        >>> file = io.BytesIO(b'{"session_id": "order-1", "current_node_id": "start", "history": ["start"]}')
        >>> arrived = client.import_from(file)
        >>> arrived.format, [one.imported.id for one in arrived.sessions]
        ('trellis', ['order-1'])
        """
        given = Path(file) if isinstance(file, str) else file
        return Work(self._door, lambda: self._door.calls.bring(given, source=source, name=name))

    @verb
    def check(
        self, *, sample: float | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Act[Report]:
        """Return what in the store is not as it was written: `report.whole`, and `report.damage` if not.

        `sample` is the part of the sessions to look at, 0 to 1; all of them unless given. `progress` is told how many
        events of how many were looked at. Nothing is changed. Raises Unavailable.

        >>> client.check().whole
        True
        """
        return Work(self._door, lambda: self._door.calls.check(sample=sample, progress=progress))

    @verb
    def backup(self, file: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Act[Backup]:
        """Write one moment of the store to a new file, checked; others go on writing meanwhile.

        Raises Conflict when there is such a file, Integrity when the store is damaged, Unavailable: a store on
        PostgreSQL is backed up with its own tools.

        >>> client.backup(directory / "backup.db").sessions
        1
        """
        return Work(self._door, lambda: self._door.calls.backup(Path(file), progress=progress))

    def _named(self, id: str | None) -> str:
        """Return `id`, or the current session's. Raises Invalid."""
        raise NotImplementedError
