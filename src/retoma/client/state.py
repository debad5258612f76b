"""A session's state as a mapping: each change is one event, durable when it returns."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, MutableMapping, ValuesView
from typing import TYPE_CHECKING, TypeVar, overload

from retoma.client import given
from retoma.client.faces import Act, Awaiting, Blocking, Face, verb
from retoma.client.handle import Handle
from retoma.errors import Conflict
from retoma.model.codec import JsonField
from retoma.service.access import head_of
from retoma.service.entries import Changed, Written, state_of

if TYPE_CHECKING:
    from _typeshed import SupportsKeysAndGetItem

    from retoma.stores.api import Transaction

T = TypeVar("T")
_MISSING = object()


class Stated(Face):
    """What both faces of a state have. Values are JSON, and keys texts of at most 200 characters."""

    def __init__(self, session: Handle) -> None:
        self._session = session
        self._door = session._door

    def _ready(self) -> None:
        self._session._ready()

    @verb
    def copy(self) -> Act[dict[str, JsonField]]:
        """Return all of it as a dictionary, as of one moment. Raises NotFound.

        >>> session.state.update({"done": 3, "left": ["b", "c"]})
        >>> session.state.copy()
        {'done': 3, 'left': ['b', 'c']}
        """
        return self._session._work(self._read)

    @verb
    def put(
        self,
        values: Mapping[str, JsonField],
        *,
        delete: Iterable[str] = (),
        key: str | None = None,
        expect: int | None = None,
    ) -> Act[None]:
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
        retoma.errors.Conflict: Session 'demo' has 3 events, not 2. Somebody wrote meanwhile: read again, then decide.
        """
        return self._change(Changed(dict(values), given.labels(delete, "delete")), _nothing, key, expect)

    def _read(self, names: Iterable[str] | None = None) -> dict[str, JsonField]:
        door, session = self._door, self._session.id
        wanted = None if names is None else list(names)
        return door.read(lambda tx: state_of(tx, door.who, session, wanted))

    def _get(self, name: str, default: T) -> Act[JsonField | T]:
        return self._session._work(lambda: self._read([name]).get(name, default))

    def _pop(self, name: str, default: object) -> Act[JsonField]:
        def found(written: Written) -> JsonField:
            if name in written.removed:
                return written.removed[name]
            if default is _MISSING:
                raise KeyError(name)
            return default

        return self._change(Changed(removed=(name,)), found)

    def _clear(self) -> Act[None]:
        def clear() -> None:
            self._change(Changed(removed=tuple(self._read())), _nothing).run()

        return self._session._work(clear)

    def _change(
        self,
        changed: Changed,
        finish: Callable[[Written], T],
        key: str | None = None,
        expect: int | None = None,
    ) -> Act[T]:
        session = self._session
        operation = session._door.operation(key, "state", [session.id, changed])
        return session._write([changed], operation, expect, finish)


class State(Stated, MutableMapping[str, JsonField], Blocking):
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

    def __getitem__(self, name: str) -> JsonField:
        self._ready()
        return self._read([name])[name]

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
        self._ready()
        return self._pop(name, default).run()

    def clear(self) -> None:
        """Delete all keys that are there, in one write. Raises as `put` does.

        >>> session.state["done"] = 3
        >>> session.state.clear()
        >>> len(session.state)
        0
        """
        self._ready()
        self._clear().run()

    def setdefault(self, name: str, default: JsonField = None, /) -> JsonField:
        """Return what a key holds; one that is not there is set, by whoever comes first.

        >>> session.state.setdefault("owner", "ana"), session.state.setdefault("owner", "eva")
        ('ana', 'ana')
        """
        self._ready()
        while True:
            head, found = self._door.read(self._with_head(name))
            if name in found:
                return found[name]
            try:
                self.put({name: default}, expect=head)
            except Conflict as error:
                if error.code != "head_moved":
                    raise
            else:
                return default

    def __repr__(self) -> str:
        return f"<State of {self._session.id!r}>"

    def _with_head(self, name: str) -> Callable[[Transaction], tuple[int, dict[str, JsonField]]]:
        who, session = self._door.who, self._session.id
        return lambda tx: (head_of(tx, who, session).seq, state_of(tx, who, session, [name]))


class AsyncState(Stated, Awaiting):
    """The state of a session's running epoch, for tasks: `State`, with methods in the place of brackets.

    `await state.get("k")`, `await state.set("k", v)`, `await state.update({...})`, `await state.copy()`. Each is one
    read or one durable write.
    """

    async def get(self, name: str, default: JsonField = None) -> JsonField:
        """Return what a key holds, or `default`. Raises NotFound."""
        self._ready()
        return await self._get(name, default).awaited()

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
        self._ready()
        return await self._pop(name, default).awaited()

    async def clear(self) -> None:
        """Delete all keys that are there, in one write. Raises as `put` does."""
        self._ready()
        await self._clear().awaited()

    def __repr__(self) -> str:
        return f"<AsyncState of {self._session.id!r}>"


def _nothing(written: Written) -> None:
    return None
