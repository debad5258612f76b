"""Sessions carried from store to store, and a store looked after as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from retoma.client import given
from retoma.client.current import named
from retoma.client.faces import Blocking

if TYPE_CHECKING:
    from retoma.importers.detect import Source
    from retoma.model.transfer import Format
    from retoma.types import Arrived, Backup, Copied, Imported, LogEntry, Page, Pruned, Report


class Carrying(Blocking):
    """Files of sessions, and of a store."""

    def export(self, id: str | None = None, format: Format = "json") -> Iterator[bytes]:
        """Yield the pieces of a file with a session as it stands now: `json` or `jsonl` to import again, else `csv`,
        `md` or `html`.

        Without an id it is the current one. It takes the same memory at any size. Raises NotFound, Invalid for another
        format, Integrity when an event is damaged, Conflict when the session was cut or deleted meanwhile.

        >>> b"".join(client.export("demo", "md")).decode().splitlines()[0]
        '# A demonstration'
        """
        from retoma.commands.transfer import ExportSession

        yield from self._each(ExportSession(session=named(id, self._opened), format=format))

    def import_(
        self, file: str | Path | BinaryIO, *, name: str | None = None, erase_too: bool = False
    ) -> Imported:
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
        from retoma.commands.transfer import ImportSession

        source_file = Path(file) if isinstance(file, str) else file
        return self._run(ImportSession(file=source_file, name=name, erase_too=erase_too))

    def import_from(
        self, file: str | Path | BinaryIO, *, source: Source = "auto", name: str | None = None
    ) -> Arrived:
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
        from retoma.commands.transfer import ImportFrom

        source_file = Path(file) if isinstance(file, str) else file
        return self._run(ImportFrom(file=source_file, source=source, name=name))

    def check(
        self, *, sample: float | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Report:
        """Return what in the store is not as it was written: `report.whole`, and `report.damage` if not.

        `sample` is the part of the sessions to look at, 0 to 1; all of them unless given. `progress` is told how many
        events of how many were looked at. Nothing is changed. Raises Unavailable.

        >>> client.check().whole
        True
        """
        from retoma.commands.store import Check

        return self._run(Check(sample=sample, progress=progress))

    def prune(
        self,
        older_than: given.Duration,
        *,
        status: str | None = None,
        agent: str | None = None,
        flow: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Put sessions without an event for `older_than` in the trash; with `dry_run` only say which.

        Suspended, completed and failed ones, unless `status` names another; never one that is pinned, archived or
        driven. All other conditions must hold. Raises Invalid.

        >>> client.prune("90d", tags=["draft"]).by_status
        {}
        """
        from retoma.commands.due import PreviewPrune, Prune
        from retoma.model.retention import PRUNED, Choice
        from retoma.model.session import statuses
        from retoma.types import Pruned

        choice = Choice(
            before=self._opened.now() - (given.duration(older_than) or 0),
            statuses=statuses(status) if status is not None else PRUNED,
            agent=agent,
            flow=flow,
            tags=given.labels(tags),
            contexts=given.contexts(contexts),
            why=f"prune --older-than {older_than}",
        )
        found = self._run(PreviewPrune(choice=choice))
        done = found.by_status if dry_run else self._run(Prune(choice=choice))
        return Pruned.of(choice.before, done, found.first, done=not dry_run)

    def log(
        self,
        session: str | None = None,
        *,
        since: given.Instant | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LogEntry]:
        """Return a page of the store's log, newest first: what prune, retention and the trash failed, trashed, deleted.

        With `session` only of that one, deleted or not. `cursor` is the `next` of the page before. Raises Invalid.

        >>> [(entry.session, entry.action) for entry in client.log("demo", since="7d")]
        []
        """
        from retoma.commands.due import ReadLog

        after = given.instant(since, self._opened.now()) or 0
        return self._run(ReadLog(session=session, since=after, limit=limit, cursor=cursor))

    def copy_to(
        self, store: str | PathLike[str], *, progress: Callable[[int, int], None] | None = None
    ) -> Copied:
        """Copy every session to another store, named as for `open`, and compare the heads; others go on writing.

        `equal` sessions are the same in both; `changed` were written meanwhile, `failed` say why, `trashed` are left.
        Run again, it copies what is new. Raises Invalid for a name of no store, Unavailable.

        >>> client.copy_to(directory / "copy.db").equal
        1
        """
        from retoma.commands.store import CopyStore
        from retoma.config import find_store, load_settings

        place = find_store(load_settings(overrides={"store": fspath(store)}))
        return self._run(CopyStore(to=place, progress=progress))

    def backup(self, file: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Backup:
        """Write one moment of the store to a new file, checked; others go on writing meanwhile.

        Raises Conflict when there is such a file, Integrity when the store is damaged, Unavailable: a store on
        PostgreSQL is backed up with its own tools.

        >>> client.backup(directory / "backup.db").sessions
        1
        """
        from retoma.commands.store import BackUp

        return self._run(BackUp(file=Path(file), progress=progress))
