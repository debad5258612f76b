"""Several writes of a session, collected, and written in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retoma.client import given
from retoma.client.handle import Handle
from retoma.commands.entries import NewMessage, WriteBatch
from retoma.errors import Invalid
from retoma.model.codec import JsonField
from retoma.model.state import check_keys, check_values
from retoma.service.entries import Changed, Written

if TYPE_CHECKING:
    from retoma.client.async_session import AsyncSession
    from retoma.client.session import Session


class BatchState:
    """What a batch changes of the state. It is written to, and not read: what it says is nowhere yet."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __setitem__(self, name: str, value: JsonField) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        self._batch._change(Changed(removed=(name,)))

    def update(self, values: Mapping[str, JsonField], /, **more: JsonField) -> None:
        """Set several keys. Raises Invalid for what JSON would not give back as it is."""
        self._batch._change(Changed({**values, **more}))


class Batch:
    """Messages and changes of the state that are written together when the `with` ends: all of them, or, when
    anything is raised, none. `seqs` has those of the messages then. At most 10,000 at a time.

    >>> with session.batch() as batch:
    ...     batch.append("user", "Which rows fail?")
    ...     batch.append("assistant", "Those of March.")
    ...     batch.state["month"] = 3
    >>> batch.seqs, session.state["month"]
    ([2, 3], 3)
    """

    _session: Handle

    def __init__(self, key: str | None, expect: int | None) -> None:
        self.seqs: list[int] = []
        self.state = BatchState(self)
        self._key = key
        self._expect = expect
        self._batch: list[NewMessage | Changed] = []
        self._open = False

    def append(
        self,
        role: str,
        content: given.Sayable,
        *,
        sender: str = "",
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        metadata: Mapping[str, JsonField] | None = None,
    ) -> None:
        """Add a message after those that are there, with the options of `Session.append`. Raises Invalid.

        >>> with session.batch(key="answer-1") as batch:
        ...     batch.append("assistant", "Those of March.", sender="reviewer")
        >>> batch.seqs
        [2]
        """
        said = given.counted(tokens_in, tokens_out, metadata)
        self._say(NewMessage(role, given.plain(content), sender, said))

    def append_many(self, messages: Iterable[given.NewMessage]) -> None:
        """Add messages: (role, content), or mappings, as `Session.append_many` takes them. Raises Invalid.

        >>> with session.batch() as batch:
        ...     batch.append_many([("user", "Which rows fail?"), ("assistant", "Those of March.")])
        >>> batch.seqs
        [2, 3]
        """
        for one in [given.new_message(one) for one in messages]:
            self._say(one)

    def _say(self, message: NewMessage) -> None:
        message.said()
        self._add(message)

    def _change(self, changed: Changed) -> None:
        check_keys((*changed.sets, *changed.removed))
        check_values(changed.sets)
        self._add(changed)

    def _add(self, entry: NewMessage | Changed) -> None:
        if not self._open:
            raise Invalid(
                "A batch accepts writes only inside its `with` block.",
                code="bad_usage",
                hint="Nothing was written.",
            )
        self._batch.append(entry)

    def _begin(self) -> Self:
        self._session._ready()
        self._open = True
        return self

    def _end(self, error: BaseException | None) -> WriteBatch | None:
        """Return what is to be written, None when there is nothing or something was raised."""
        self._open = False
        if error is not None or not self._batch:
            return None
        return WriteBatch(session=self._session.id, batch=tuple(self._batch), expect=self._expect)

    def _wrote(self, written: Written) -> None:
        self._session._wrote(written.head, written.at, written.used)
        self.seqs = list(written.messages)


class BlockingBatch(Batch):
    """What `session.batch()` returns."""

    def __init__(self, session: Session, key: str | None, expect: int | None) -> None:
        super().__init__(key, expect)
        self._session: Session = session

    def __enter__(self) -> Self:
        return self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if batch := self._end(error):
            self._wrote(self._session._run(batch, self._key))


class AwaitedBatch(Batch):
    """What `session.batch()` returns to tasks, for an `async with`."""

    def __init__(self, session: AsyncSession, key: str | None, expect: int | None) -> None:
        super().__init__(key, expect)
        self._session: AsyncSession = session

    async def __aenter__(self) -> Self:
        return self._begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if batch := self._end(error):
            self._wrote(await self._session._run(batch, self._key))
