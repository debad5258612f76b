"""`Session` for tasks. Made by scripts/awaited from the blocking one: change that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retoma.client import given
from retoma.client.batch import AwaitedBatch
from retoma.client.current import current
from retoma.client.faces import Awaiting
from retoma.client.handle import Handle
from retoma.client.held import AwaitedLease
from retoma.client.state import AsyncState
from retoma.commands.message import AppendMessage, ReadEvents, ReadMessages
from retoma.commands.session import (
    AddNote,
    ChangeStatus,
    FailSession,
    ListNotes,
    RenameSession,
    ResetSession,
    RestoreSession,
    ShowSession,
    TrashSession,
    UpdateSession,
)
from retoma.model.changes import Changes
from retoma.model.codec import JsonField
from retoma.types import Event, Message, Note

if TYPE_CHECKING:
    from retoma.types import Redaction


class AsyncSession(Handle, Awaiting):
    """`Session` for tasks: the same attributes, and the same methods, awaited.

    One handle may be used by any number of tasks. A call that is cancelled before its write began has written nothing.
    Later its result is dropped, and the write stands: with `key=` it can be repeated to know.
    """

    async def append(
        self,
        role: str,
        content: given.Sayable,
        *,
        sender: str = "",
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        metadata: Mapping[str, JsonField] | None = None,
        key: str | None = None,
        expect: int | None = None,
    ) -> int:
        """See `Session.append`."""
        said = content if isinstance(content, str) else given.plain(content)
        asked = AppendMessage(
            session=self._row.id,
            role=role,
            content=said,
            sender=sender,
            expect=expect,
            extra=given.counted(tokens_in, tokens_out, metadata),
        )
        appended = await self._run(asked, key)
        self._wrote(appended.head, appended.at, appended.used)
        return appended.seq

    async def append_many(
        self, messages: Iterable[given.NewMessage], *, key: str | None = None, expect: int | None = None
    ) -> list[int]:
        """See `Session.append_many`."""
        from retoma.commands.entries import AppendMessages

        said = tuple(map(given.new_message, messages))
        written = await self._run(AppendMessages(session=self.id, messages=said, expect=expect), key)
        self._wrote(written.head, written.at, written.used)
        return list(written.messages)

    async def messages(
        self,
        *,
        last: int | None = None,
        since: int = 0,
        before: int | None = None,
        epochs: bool = False,
        tools: bool = False,
    ) -> list[Message]:
        """See `Session.messages`."""
        asked = ReadMessages(
            session=self.id, last=last, since=since, before=before, epochs=epochs, tools=tools
        )
        return await self._run(asked)

    async def events(
        self,
        since: int = 0,
        *,
        types: str | Sequence[str] | None = None,
        last: int | None = None,
        before: int | None = None,
    ) -> AsyncIterator[Event]:
        """See `Session.events`."""
        asked = ReadEvents(session=self.id, since=since, types=given.types(types), last=last, before=before)
        async for one in self._each(asked):
            yield one

    async def follow(
        self, since: int | None = None, *, types: str | Sequence[str] | None = None
    ) -> AsyncIterator[Event]:
        """See `Session.follow`."""
        after = self.head if since is None else since
        asked = ReadEvents(session=self.id, since=after, types=given.types(types), follow=True)
        async for one in self._each(asked):
            yield one

    async def rename(self, title: str, *, key: str | None = None) -> None:
        """See `Session.rename`."""
        await self._change(Changes(title=given.text("title", title)), key)

    async def describe(self, text: str, *, key: str | None = None) -> None:
        """See `Session.describe`."""
        await self._change(Changes(description=given.text("text", text)), key)

    async def set_id(self, id: str, *, key: str | None = None) -> None:
        """See `Session.set_id`."""
        self._saw(await self._run(RenameSession(session=self.id, new=id), key))

    async def tag(self, *tags: str, key: str | None = None) -> None:
        """See `Session.tag`."""
        await self._change(Changes(tag=given.labels(tags)), key)

    async def untag(self, *tags: str, key: str | None = None) -> None:
        """See `Session.untag`."""
        await self._change(Changes(untag=given.labels(tags)), key)

    async def link(self, contexts: given.Contexts, *, key: str | None = None) -> None:
        """See `Session.link`."""
        await self._change(Changes(link=given.contexts(contexts)), key)

    async def unlink(self, contexts: given.Contexts, *, key: str | None = None) -> None:
        """See `Session.unlink`."""
        await self._change(Changes(unlink=given.contexts(contexts)), key)

    async def set_metadata(
        self, values: Mapping[str, JsonField], *, forget: Iterable[str] = (), key: str | None = None
    ) -> None:
        """See `Session.set_metadata`."""
        await self._change(
            Changes(metadata=given.mapping(values), forget=given.labels(forget, "forget")), key
        )

    async def set_agent(self, agent: str, *, key: str | None = None) -> None:
        """See `Session.set_agent`."""
        await self._change(Changes(agent=given.text("agent", agent)), key)

    async def set_model(self, model: str, *, key: str | None = None) -> None:
        """See `Session.set_model`."""
        await self._change(Changes(model=given.text("model", model)), key)

    async def set_thinking(self, level: str, *, key: str | None = None) -> None:
        """See `Session.set_thinking`."""
        await self._change(Changes(thinking=given.text("level", level)), key)

    async def set_channel(self, channel: str, *, key: str | None = None) -> None:
        """See `Session.set_channel`."""
        await self._change(Changes(channel=given.text("channel", channel)), key)

    async def pin(self, *, key: str | None = None) -> None:
        """See `Session.pin`."""
        await self._change(Changes(pinned=True), key)

    async def unpin(self, *, key: str | None = None) -> None:
        """See `Session.unpin`."""
        await self._change(Changes(pinned=False), key)

    async def archive(self, *, key: str | None = None) -> None:
        """See `Session.archive`."""
        await self._change(Changes(archived=True), key)

    async def unarchive(self, *, key: str | None = None) -> None:
        """See `Session.unarchive`."""
        await self._change(Changes(archived=False), key)

    async def note(self, text: str, *, key: str | None = None) -> int:
        """See `Session.note`."""
        seq, whole = await self._run(AddNote(session=self.id, text=text), key)
        self._saw(whole)
        return seq

    async def notes(self) -> list[Note]:
        """See `Session.notes`."""
        return await self._run(ListNotes(session=self.id))

    async def _change(self, changes: Changes, key: str | None) -> None:
        self._saw(await self._run(UpdateSession(session=self.id, changes=changes), key))

    async def refresh(self) -> None:
        """See `Session.refresh`."""
        await self._refreshed()

    async def pause(self, reason: str = "", *, key: str | None = None, expect: int | None = None) -> None:
        """See `Session.pause`."""
        await self._become(ChangeStatus(session=self.id, to="suspended", reason=reason, expect=expect), key)

    async def resume(self, *, key: str | None = None, expect: int | None = None) -> None:
        """See `Session.resume`."""
        await self._become(ChangeStatus(session=self.id, to="active", expect=expect), key)

    async def end(self, reason: str = "", *, key: str | None = None, expect: int | None = None) -> None:
        """See `Session.end`."""
        await self._become(ChangeStatus(session=self.id, to="completed", reason=reason, expect=expect), key)

    async def fail(self, reason: str, *, key: str | None = None, expect: int | None = None) -> None:
        """See `Session.fail`."""
        await self._become(FailSession(session=self.id, reason=reason, expect=expect), key)

    async def reset(self, *, erase: bool = False, key: str | None = None) -> int:
        """See `Session.reset`."""
        if erase:
            from retoma.commands.forget import EraseEpochs

            epoch = await self._run(EraseEpochs(session=self.id), key)
            await self._refreshed()
            return epoch
        epoch, whole = await self._run(ResetSession(session=self.id), key)
        self._saw(whole)
        return epoch

    async def trash(self, *, key: str | None = None) -> None:
        """See `Session.trash`."""
        self._saw(await self._run(TrashSession(session=self.id), key))

    async def restore(self, *, key: str | None = None) -> None:
        """See `Session.restore`."""
        self._saw(await self._run(RestoreSession(session=self.id), key))

    async def redact(
        self,
        *,
        pattern: str | None = None,
        first: int | None = None,
        last: int | None = None,
        dry_run: bool = False,
        key: str | None = None,
    ) -> Redaction:
        """See `Session.redact`."""
        from retoma.commands.forget import RedactSession

        asked = RedactSession(session=self.id, pattern=pattern, first=first, last=last, dry_run=dry_run)
        taken = await self._run(asked, key)
        await self._refreshed()
        return taken

    async def _become(self, command: ChangeStatus, key: str | None) -> None:
        self._saw((await self._run(command, key)).whole)

    async def _refreshed(self) -> None:
        self._saw(await self._run(ShowSession(session=self.id)))

    async def fork(self, id: str | None = None, *, at: int | None = None, key: str | None = None) -> Self:
        """See `Session.fork`."""
        from retoma.commands.branch import ForkSession

        made = await self._run(ForkSession(session=self.id, new=id, at=at), key)
        return type(self)(self._opened, await self._run(ShowSession(session=made.id)))

    async def undo(self, *, key: str | None = None) -> str | None:
        """See `Session.undo`."""
        from retoma.commands.branch import UndoSession

        undone = await self._run(UndoSession(session=self.id), key)
        self._saw(await self._run(ShowSession(session=self.id)))
        return undone.kept

    @property
    def state(self) -> AsyncState:
        """See `Session.state`."""
        return AsyncState(self)

    def batch(self, *, key: str | None = None, expect: int | None = None) -> AwaitedBatch:
        """See `Session.batch`."""
        return AwaitedBatch(self, key, expect)

    def lease(self, ttl: given.Duration | None = None, *, wait: given.Duration | None = None) -> AwaitedLease:
        """See `Session.lease`."""
        return AwaitedLease(self, ttl, wait)

    @contextmanager
    def use(self) -> Iterator[Self]:
        """See `Session.use`."""
        token = current.set(self)
        try:
            yield self
        finally:
            current.reset(token)

    async def disconnect(self) -> None:
        """See `Session.disconnect`."""
        await self._work(self._let_go)

    async def __aenter__(self) -> Self:
        self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()
