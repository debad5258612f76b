"""`Client` for tasks. Made by scripts/awaited from the blocking one: change that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from retoma.client import given
from retoma.client.async_driven import AsyncFlowRun
from retoma.client.async_session import AsyncSession
from retoma.client.current import current, named
from retoma.client.faces import Awaiting
from retoma.client.found import _new
from retoma.commands.opened import Opened
from retoma.commands.session import CreateSession, GetOrCreateSession, GetSession, ResumeSession, ShowSession
from retoma.model.codec import JsonField
from retoma.model.session import ARCHIVED, SHOWN, TRASHED
from retoma.stores.contract.store import Sort
from retoma.types import Found, Page

if TYPE_CHECKING:
    from retoma.importers.detect import Source
    from retoma.model.transfer import Format
    from retoma.types import (
        Arrived,
        Backup,
        Branch,
        Copied,
        Difference,
        Imported,
        LogEntry,
        Page,
        Pruned,
        Report,
    )


class AsyncClient(Awaiting):
    """`Client` for tasks: the same methods, awaited. `retoma.aio.open()` makes it.

    Nothing it does holds up the event loop: writes go to the store's own writer, which commits those of many tasks at
    once, and reads to threads. Close it with `await client.close()`, or use it in an `async with`.
    """

    async def create(
        self,
        id: str | None = None,
        *,
        title: str = "",
        description: str = "",
        agent: str = "",
        model: str = "",
        thinking: str = "",
        channel: str = "",
        parent: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        metadata: Mapping[str, JsonField] | None = None,
        ttl: given.Duration | None = None,
        template: str | None = None,
        key: str | None = None,
    ) -> AsyncSession:
        """See `Client.create`."""
        new = _new(
            id,
            title=title,
            description=description,
            agent=agent,
            model=model,
            thinking=thinking,
            channel=channel,
            parent=parent,
            tags=tags,
            contexts=contexts,
            metadata=metadata,
            ttl=ttl,
        )
        return AsyncSession(self._opened, await self._run(CreateSession(new=new, template=template), key))

    async def get(self, id: str) -> AsyncSession | None:
        """See `Client.get`."""
        whole = await self._run(GetSession(session=id))
        return None if whole is None else AsyncSession(self._opened, whole)

    async def session(self, id: str | None = None) -> AsyncSession:
        """See `Client.session`."""
        return AsyncSession(self._opened, await self._run(ShowSession(session=named(id, self._opened))))

    async def resume(self, id: str | None = None, *, key: str | None = None) -> AsyncSession:
        """See `Client.resume`."""
        return AsyncSession(
            self._opened, await self._run(ResumeSession(session=named(id, self._opened)), key)
        )

    async def get_or_create(
        self,
        id: str,
        *,
        title: str = "",
        description: str = "",
        agent: str = "",
        model: str = "",
        thinking: str = "",
        channel: str = "",
        parent: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        metadata: Mapping[str, JsonField] | None = None,
        ttl: given.Duration | None = None,
    ) -> AsyncSession:
        """See `Client.get_or_create`."""
        new = _new(
            id,
            title=title,
            description=description,
            agent=agent,
            model=model,
            thinking=thinking,
            channel=channel,
            parent=parent,
            tags=tags,
            contexts=contexts,
            metadata=metadata,
            ttl=ttl,
        )
        return AsyncSession(self._opened, await self._run(GetOrCreateSession(new=new)))

    async def list(
        self,
        *,
        status: str | None = None,
        agent: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        parent: str | None = None,
        flow: str | None = None,
        ephemeral: bool = False,
        archived: bool = False,
        deleted: bool = False,
        since: given.Instant | None = None,
        before: given.Instant | None = None,
        sort: Sort = "updated",
        limit: int = 50,
        cursor: str | None = None,
        total: bool = False,
    ) -> Page[AsyncSession]:
        """See `Client.list`."""
        from retoma.commands.listing import ListWhole

        now = self._opened.now()
        found = await self._run(
            ListWhole(
                status=status,
                agent=agent,
                tags=given.labels(tags),
                contexts=given.contexts(contexts),
                parent=parent,
                flow=flow,
                ephemeral=ephemeral,
                shelf=TRASHED if deleted else ARCHIVED if archived else SHOWN,
                since=given.instant(since, now),
                before=given.instant(before, now),
                sort=sort,
                limit=limit,
                cursor=cursor,
                total=total,
            )
        )
        return Page(
            items=[AsyncSession(self._opened, one) for one in found.items], next=found.next, total=found.total
        )

    async def delete(self, id: str, *, with_forks: bool = False, key: str | None = None) -> None:
        """See `Client.delete`."""
        from retoma.commands.forget import DeleteSession

        await self._run(DeleteSession(session=id, with_forks=with_forks), key)

    @property
    def current(self) -> AsyncSession | None:
        """See `Client.current`."""
        found = current.get()
        return found if isinstance(found, AsyncSession) and found._opened is self._opened else None

    async def fork(
        self, id: str, new: str | None = None, *, at: int | None = None, key: str | None = None
    ) -> AsyncSession:
        """See `Client.fork`."""
        from retoma.commands.branch import ForkSession

        made = await self._run(ForkSession(session=id, new=new, at=at), key)
        return AsyncSession(self._opened, await self._run(ShowSession(session=made.id)))

    async def tree(self, id: str, *, most: int = 1000) -> Sequence[Branch]:
        """See `Client.tree`."""
        from retoma.commands.branch import ShowTree
        from retoma.types import Branch

        found = await self._run(ShowTree(session=id, most=most))
        return list(map(Branch.of, found))

    async def diff(self, a: str, b: str, *, at: int | None = None) -> Difference:
        """See `Client.diff`."""
        from retoma.commands.branch import DiffSessions

        return await self._work((await self._run(DiffSessions(a=a, b=b, at=at))).whole)

    async def search(
        self,
        text: str,
        *,
        session: str | None = None,
        role: str | None = None,
        status: str | None = None,
        agent: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        archived: bool = False,
        since: given.Instant | None = None,
        before: given.Instant | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Found:
        """See `Client.search`."""
        from retoma.commands.search import Search

        now = self._opened.now()
        asked = Search(
            text=text,
            session=session,
            role=role,
            status=status,
            agent=agent,
            tags=given.labels(tags),
            contexts=given.contexts(contexts),
            shelf=ARCHIVED if archived else SHOWN,
            since=given.instant(since, now),
            before=given.instant(before, now),
            limit=limit,
            cursor=cursor,
        )
        return asked.page(await self._run(asked))

    async def run_flow(
        self,
        flow: str | Path,
        session: str | None = None,
        *,
        context: Mapping[str, JsonField] | None = None,
        fresh: bool = False,
        resume: bool = False,
        pinned: bool = False,
        tools: str | Path | None = None,
        allow_inline: bool = False,
        locale: str = "",
    ) -> AsyncFlowRun:
        """See `Client.run_flow`."""
        from retoma.commands.flow import RunFlow
        from retoma.runtime.drive import Request
        from retoma.runtime.toolbox import Given

        request = Request(
            directory=Path(flow),
            session=session,
            context=given.mapping(context),
            fresh=fresh,
            resume=resume,
            pinned=pinned,
            locale=locale,
            tools=Given(file=Path(tools) if tools is not None else None, allow_inline=allow_inline),
        )
        return AsyncFlowRun(self._opened, await self._run(RunFlow(request=request)))

    async def export(self, id: str | None = None, format: Format = "json") -> AsyncIterator[bytes]:
        """See `Client.export`."""
        from retoma.commands.transfer import ExportSession

        async for one in self._each(ExportSession(session=named(id, self._opened), format=format)):
            yield one

    async def import_(
        self, file: str | Path | BinaryIO, *, name: str | None = None, erase_too: bool = False
    ) -> Imported:
        """See `Client.import_`."""
        from retoma.commands.transfer import ImportSession

        source_file = Path(file) if isinstance(file, str) else file
        return await self._run(ImportSession(file=source_file, name=name, erase_too=erase_too))

    async def import_from(
        self, file: str | Path | BinaryIO, *, source: Source = "auto", name: str | None = None
    ) -> Arrived:
        """See `Client.import_from`."""
        from retoma.commands.transfer import ImportFrom

        source_file = Path(file) if isinstance(file, str) else file
        return await self._run(ImportFrom(file=source_file, source=source, name=name))

    async def check(
        self, *, sample: float | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Report:
        """See `Client.check`."""
        from retoma.commands.store import Check

        return await self._run(Check(sample=sample, progress=progress))

    async def prune(
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
        """See `Client.prune`."""
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
        found = await self._run(PreviewPrune(choice=choice))
        done = found.by_status if dry_run else await self._run(Prune(choice=choice))
        return Pruned.of(choice.before, done, found.first, done=not dry_run)

    async def log(
        self,
        session: str | None = None,
        *,
        since: given.Instant | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LogEntry]:
        """See `Client.log`."""
        from retoma.commands.due import ReadLog

        after = given.instant(since, self._opened.now()) or 0
        return await self._run(ReadLog(session=session, since=after, limit=limit, cursor=cursor))

    async def copy_to(
        self, store: str | PathLike[str], *, progress: Callable[[int, int], None] | None = None
    ) -> Copied:
        """See `Client.copy_to`."""
        from retoma.commands.store import CopyStore
        from retoma.config import find_store, load_settings

        place = find_store(load_settings(overrides={"store": fspath(store)}))
        return await self._run(CopyStore(to=place, progress=progress))

    async def backup(self, file: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Backup:
        """See `Client.backup`."""
        from retoma.commands.store import BackUp

        return await self._run(BackUp(file=Path(file), progress=progress))

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    async def close(self) -> None:
        """See `Client.close`."""
        await self._opened.aclose()

    async def __aenter__(self) -> Self:
        self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
