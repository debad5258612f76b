"""A session's state as a mapping: each change is one event, durable when it returns."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping, ValuesView
from typing import TYPE_CHECKING, TypeVar, overload

from retoma.client import given
from retoma.commands.entries import ChangeState, ReadState
from retoma.errors import Conflict
from retoma.model.codec import JsonField, JsonMap
from retoma.service.entries import Written

if TYPE_CHECKING:
    from _typeshed import SupportsKeysAndGetItem

    from retoma.client.async_session import AsyncSession
    from retoma.client.session import Session

T = TypeVar("T")
_MISSING = object()


class State(MutableMapping[str, JsonField]):
    """The state of a session's running epoch, as a mapping that the store keeps.

    `state["k"] = v` is one durable write, `state.update({...})` one for all that is in it. Each access reads the store,
    so it says what is so now; `copy()` reads all of it at one moment. Values come back as JSON gives them: what was
    changed inside a value (`state["list"].append(1)`) is not noticed, so set the key again. A flow's collected answers
    are this state, too.

    >>> session.state["done"] = 3
    >>> session.state.update({"left": ["b", "c"], "owner": "ana"})
    >>> session.state["left"]
    ['b', 'c']
    >>> del session.state["owner"]
    >>> "owner" in session.state, len(session.state)
    (False, 2)
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def copy(self) -> dict[str, JsonField]:
        """Return all of it as a dictionary, as of one moment. Raises NotFound.

        >>> session.state.update({"done": 3, "left": ["b", "c"]})
        >>> session.state.copy()
        {'done': 3, 'left': ['b', 'c']}
        """
        return self._session._run(ReadState(session=self._session.id)).values

    def put(
        self,
        values: Mapping[str, JsonField],
        *,
        delete: Iterable[str] = (),
        key: str | None = None,
        expect: int | None = None,
    ) -> None:
        """Set `values` and delete keys (those that are not there are passed over), in one durable write.

        With `key` it is done once, however often it is repeated; with `expect` only if the session has that many
        events, so that nobody changed what the values were computed from. Raises Refused unless the session is
        active, Busy when another drives it, Conflict, Invalid for what JSON would not give back as it is, Limit,
        NotFound.

        >>> session.state["done"] = 3
        >>> session.state.put({"done": 4}, delete=["left"], expect=session.head)
        >>> session.state.put({"done": 5}, expect=2)
        Traceback (most recent call last):
        ...
        retoma.errors.Conflict: Session 'demo' has 3 events, not 2. Another process wrote to it: read the session
        again, then decide.
        """
        self._change(dict(values), given.labels(delete, "delete"), key, expect)

    def at(self, seq: int) -> dict[str, JsonField]:
        """Return all of it as it was at the event `seq`, in whatever epoch that is. Raises Invalid, NotFound.

        >>> session.state["done"] = 3
        >>> session.state["done"] = 4
        >>> session.state.at(2)
        {'done': 3}
        """
        from retoma.commands.flow import LookAtSession

        return dict(self._session._run(LookAtSession(session=self._session.id, at=seq)).position.context)

    def __getitem__(self, name: str) -> JsonField:
        return self._session._run(ReadState(session=self._session.id, names=(name,))).values[name]

    def __setitem__(self, name: str, value: JsonField) -> None:
        self.put({name: value})

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __len__(self) -> int:
        return len(self.copy())

    def items(self) -> ItemsView[str, JsonField]:
        """Return keys and values as of one moment.

        >>> session.state["done"] = 3
        >>> list(session.state.items())
        [('done', 3)]
        """
        return self.copy().items()

    def values(self) -> ValuesView[JsonField]:
        """Return the values as of one moment.

        >>> session.state["done"] = 3
        >>> list(session.state.values())
        [3]
        """
        return self.copy().values()

    def update(
        self,
        other: SupportsKeysAndGetItem[str, JsonField] | Iterable[tuple[str, JsonField]] = (),
        /,
        **more: JsonField,
    ) -> None:
        """Set several keys in one durable write: all or none. Raises as `put` does.

        >>> session.state.update({"done": 3}, owner="ana")
        >>> session.state.copy()
        {'done': 3, 'owner': 'ana'}
        """
        if values := {**dict(other), **more}:
            self.put(values)

    @overload
    def pop(self, name: str, /) -> JsonField: ...
    @overload
    def pop(self, name: str, /, default: T) -> JsonField | T: ...
    def pop(self, name: str, /, default: object = _MISSING) -> object:
        """Delete a key and return what it held, in one write.

        Raises KeyError when it is not there and no default is given.

        >>> session.state["done"] = 3
        >>> session.state.pop("done"), session.state.pop("done", 0)
        (3, 0)
        """
        return _taken(self._change({}, (name,)), name, default)

    def clear(self) -> None:
        """Delete all keys that are there, in one write. Raises as `put` does.

        >>> session.state["done"] = 3
        >>> session.state.clear()
        >>> len(session.state)
        0
        """
        self._change({}, tuple(self.copy()))

    def setdefault(self, name: str, default: JsonField = None, /) -> JsonField:
        """Return what a key holds; one that is not there is set, by whoever comes first.

        >>> session.state.setdefault("owner", "ana"), session.state.setdefault("owner", "eva")
        ('ana', 'ana')
        """
        while True:
            found = self._session._run(ReadState(session=self._session.id, names=(name,)))
            if name in found.values:
                return found.values[name]
            try:
                self.put({name: default}, expect=found.head)
            except Conflict as error:
                if error.code != "head_moved":
                    raise
            else:
                return default

    def __repr__(self) -> str:
        return f"<State of {self._session.id!r}>"

    def _change(
        self, sets: JsonMap, removed: tuple[str, ...] = (), key: str | None = None, expect: int | None = None
    ) -> Written:
        session = self._session
        change = ChangeState(session=session.id, sets=sets, removed=removed, expect=expect)
        written = session._run(change, key)
        session._wrote(written.head, written.at)
        return written


class AsyncState:
    """The state of a session's running epoch, for tasks: `State`, with methods in the place of brackets.

    `await state.get("k")`, `await state.set("k", v)`, `await state.update({...})`, `await state.copy()`. Each is one
    read or one durable write.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def copy(self) -> dict[str, JsonField]:
        """Return all of it as a dictionary, as of one moment: see `State.copy`."""
        return (await self._session._run(ReadState(session=self._session.id))).values

    async def put(
        self,
        values: Mapping[str, JsonField],
        *,
        delete: Iterable[str] = (),
        key: str | None = None,
        expect: int | None = None,
    ) -> None:
        """Set `values` and delete keys, in one durable write: see `State.put`."""
        await self._change(dict(values), given.labels(delete, "delete"), key, expect)

    async def at(self, seq: int) -> dict[str, JsonField]:
        """Return all of it as it was at the event `seq`: see `State.at`."""
        from retoma.commands.flow import LookAtSession

        at = await self._session._run(LookAtSession(session=self._session.id, at=seq))
        return dict(at.position.context)

    async def get(self, name: str, default: JsonField = None) -> JsonField:
        """Return what a key holds, or `default`. Raises NotFound."""
        found = await self._session._run(ReadState(session=self._session.id, names=(name,)))
        return found.values.get(name, default)

    async def set(self, name: str, value: JsonField) -> None:
        """Set a key, in one durable write. Raises as `put` does."""
        await self.put({name: value})

    async def update(
        self,
        other: SupportsKeysAndGetItem[str, JsonField] | Iterable[tuple[str, JsonField]] = (),
        /,
        **more: JsonField,
    ) -> None:
        """Set several keys in one durable write: all or none. Raises as `put` does."""
        if values := {**dict(other), **more}:
            await self.put(values)

    async def pop(self, name: str, /, default: JsonField = _MISSING) -> JsonField:
        """Delete a key and return what it held, in one write.

        Raises KeyError when it is not there and no default is given.
        """
        return _taken(await self._change({}, (name,)), name, default)

    async def clear(self) -> None:
        """Delete all keys that are there, in one write. Raises as `put` does."""
        await self._change({}, tuple(await self.copy()))

    def __repr__(self) -> str:
        return f"<AsyncState of {self._session.id!r}>"

    async def _change(
        self, sets: JsonMap, removed: tuple[str, ...] = (), key: str | None = None, expect: int | None = None
    ) -> Written:
        session = self._session
        change = ChangeState(session=session.id, sets=sets, removed=removed, expect=expect)
        written = await session._run(change, key)
        session._wrote(written.head, written.at)
        return written


def _taken(written: Written, name: str, default: object) -> JsonField:
    """Return what a key held that was removed, else the default. Raises KeyError without one."""
    if name in written.removed:
        return written.removed[name]
    if default is _MISSING:
        raise KeyError(name)
    return default
