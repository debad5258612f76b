"""Several writes of a session, collected, and written in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from retoma.client import given
from retoma.client.faces import Act
from retoma.client.handle import Handle
from retoma.errors import Invalid
from retoma.model.codec import Json, JsonField
from retoma.model.state import check_keys, check_values
from retoma.service.entries import Changed, Entry


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

    def __init__(self, session: Handle, key: str | None, expect: int | None) -> None:
        self.seqs: list[int] = []
        self.state = BatchState(self)
        self._session = session
        self._key = key
        self._expect = expect
        self._entries: list[Entry] = []
        self._asked: list[Json] = []
        self._open = False

    def append(self, role: str, content: given.Sayable, *, sender: str = "") -> None:
        """Add a message behind those that are there. Raises Invalid for another role or content.

        >>> with session.batch(key="answer-1") as batch:
        ...     batch.append("assistant", "Those of March.", sender="reviewer")
        >>> batch.seqs
        [2]
        """
        said, plain = given.said(role, content, sender)
        self._add(said, [role, plain, sender])

    def append_many(self, messages: Iterable[given.NewMessage]) -> None:
        """Add messages: (role, content), or mappings with `role`, `content` and perhaps `sender`. Raises Invalid.

        >>> with session.batch() as batch:
        ...     batch.append_many([("user", "Which rows fail?"), ("assistant", "Those of March.")])
        >>> batch.seqs
        [2, 3]
        """
        for role, content, sender in [given.new_message(one) for one in messages]:
            self.append(role, content, sender=sender)

    def _change(self, changed: Changed) -> None:
        check_keys((*changed.sets, *changed.removed))
        check_values(changed.sets)
        self._add(changed, {"set": dict(changed.sets), "delete": list(changed.removed)})

    def _add(self, entry: Entry, asked: Json) -> None:
        if not self._open:
            raise Invalid(
                "A batch takes writes inside its `with`.", code="bad_usage", hint="Nothing of this was kept."
            )
        self._entries.append(entry)
        self._asked.append(asked)

    def _begin(self) -> Self:
        self._session._ready()
        self._open = True
        return self

    def _end(self, error: BaseException | None) -> Act[list[int]] | None:
        """Return what is to be written, None when there is nothing or something was raised."""
        self._open = False
        session, entries = self._session, self._entries
        if error is not None or not entries:
            return None
        session._ready()
        operation = session._door.operation(self._key, "batch", [session.id, self._asked])
        return session._write(entries, operation, self._expect, lambda written: list(written.messages))


class BlockingBatch(Batch):
    """What `session.batch()` returns."""

    def __enter__(self) -> Self:
        return self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if write := self._end(error):
            self.seqs = write.run()


class AwaitedBatch(Batch):
    """What `session.batch()` returns to tasks, for an `async with`."""

    async def __aenter__(self) -> Self:
        return self._begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if write := self._end(error):
            self.seqs = await write.awaited()
