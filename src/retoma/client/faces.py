"""Each verb is written once; a face says who waits for it.

A verb is a method that returns what is to be done, not begun yet. On a class that is `Blocking` it becomes a plain
method, which does it on the caller's thread; on one that is `Awaiting` a coroutine, which holds nobody up. So there is
one signature, one docstring and one body, and nothing for the two faces to differ in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import update_wrapper
from typing import Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from retoma.client.checked import checking
from retoma.client.door import Door
from retoma.errors import Busy
from retoma.stores.api import Transaction

R = TypeVar("R")
T = TypeVar("T")
P = ParamSpec("P")

Batches: TypeAlias = Iterator[Sequence[T] | None]
"""What comes one after the other, in parts; None where nothing is there yet."""


class Face:
    """What has verbs. `_door` is the store that they go through."""

    _door: Door

    def _ready(self) -> None:
        """Raise Unavailable unless verbs can be called."""
        self._door.ready()


F = TypeVar("F", bound=Face)


class Act(Generic[R]):
    """What a verb does, not begun yet."""

    def run(self) -> R:
        """Do it on this thread."""
        raise NotImplementedError

    async def awaited(self) -> R:
        """Do it, and hold nobody up."""
        raise NotImplementedError


class Work(Act[R]):
    """What reads, or takes several transactions: a task waits for a thread that does it."""

    def __init__(self, door: Door, work: Callable[[], R]) -> None:
        self._door = door
        self._work = work

    def run(self) -> R:
        return self._work()

    async def awaited(self) -> R:
        return await self._door.in_thread(self._work)


class Write(Act[R], Generic[T, R]):
    """One transaction that writes in `session`, and what is made of its result: a task queues for the store's writer.

    With `over`, a holder of the session whose process is gone stands in nobody's way.
    """

    def __init__(
        self,
        door: Door,
        session: str,
        use_case: Callable[[Transaction], T],
        finish: Callable[[T], R],
        *,
        over: bool = False,
    ) -> None:
        self._door = door
        self._session = session
        self._use_case = use_case
        self._finish = finish
        self._over = over

    def run(self) -> R:
        try:
            result = self._door.store.write(self._use_case)
        except Busy as busy:
            result = self._again(busy)
        return self._finish(result)

    async def awaited(self) -> R:
        try:
            result = await self._door.store.submit(self._use_case)
        except Busy as error:
            busy = error
            result = await self._door.in_thread(lambda: self._again(busy))
        return self._finish(result)

    def _again(self, busy: Busy) -> T:
        if not self._over:
            raise busy
        from retoma.runtime.lease import write_over

        return write_over(self._door.store, self._door.who, self._session, self._use_case, busy)


class Verb(Generic[F, P, R]):
    """A verb, until a face makes a method of it."""

    def __init__(self, plan: Callable[Concatenate[F, P], Act[R]]) -> None:
        self.plan = plan

    @overload
    def __get__(self, face: Blocking, owner: type[object]) -> Callable[P, R]: ...
    @overload
    def __get__(self, face: Awaiting, owner: type[object]) -> Callable[P, Coroutine[object, object, R]]: ...
    @overload
    def __get__(self, face: None, owner: type[object]) -> Callable[Concatenate[F, P], R]: ...
    def __get__(self, face: object, owner: type[object]) -> object:
        return self.plan

    def blocking(self) -> Callable[Concatenate[F, P], R]:
        plan, check = self.plan, checking(self.plan)

        def method(face: F, /, *args: P.args, **kwargs: P.kwargs) -> R:
            face._ready()
            check(args, kwargs)
            return plan(face, *args, **kwargs).run()

        return method

    def awaiting(self) -> Callable[Concatenate[F, P], Coroutine[object, object, R]]:
        plan, check = self.plan, checking(self.plan)

        async def method(face: F, /, *args: P.args, **kwargs: P.kwargs) -> R:
            face._ready()
            check(args, kwargs)
            return await plan(face, *args, **kwargs).awaited()

        return method


class Stream(Generic[F, P, T]):
    """A verb whose result comes in parts, until a face makes a method of it."""

    def __init__(self, plan: Callable[Concatenate[F, P], Batches[T]]) -> None:
        self.plan = plan

    @overload
    def __get__(self, face: Blocking, owner: type[object]) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, face: Awaiting, owner: type[object]) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, face: None, owner: type[object]) -> Callable[Concatenate[F, P], Iterator[T]]: ...
    def __get__(self, face: object, owner: type[object]) -> object:
        return self.plan

    def blocking(self) -> Callable[Concatenate[F, P], Iterator[T]]:
        plan, check = self.plan, checking(self.plan)

        def method(face: F, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            from retoma.runtime.follow import pause

            face._ready()
            check(args, kwargs)
            for batch in plan(face, *args, **kwargs):
                if batch is None:
                    pause()
                else:
                    yield from batch
                face._ready()

        return method

    def awaiting(self) -> Callable[Concatenate[F, P], AsyncIterator[T]]:
        plan, check = self.plan, checking(self.plan)

        async def method(face: F, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            from asyncio import sleep

            from retoma.runtime.follow import POLL_S

            face._ready()
            check(args, kwargs)
            batches = plan(face, *args, **kwargs)
            while (found := await face._door.in_thread(lambda: _next(batches))) is not _END:
                if found is None:
                    await sleep(POLL_S)
                for one in cast("Sequence[T]", found or ()):
                    yield one
                face._ready()

        return method


class Blocking(Face):
    """A face whose verbs are done when they return."""

    def __init_subclass__(cls) -> None:
        _bind(cls, awaiting=False)


class Awaiting(Face):
    """A face whose verbs are awaited."""

    def __init_subclass__(cls) -> None:
        _bind(cls, awaiting=True)


def verb(plan: Callable[Concatenate[F, P], Act[R]]) -> Verb[F, P, R]:
    """Make a method that returns an `Act` a verb."""
    _say_result(plan, "Act", "{}")
    return Verb(plan)


def stream(plan: Callable[Concatenate[F, P], Batches[T]]) -> Stream[F, P, T]:
    """Make a method that yields batches a verb that yields what is in them."""
    _say_result(plan, "Batches", "Iterator[{}]")
    return Stream(plan)


_END = object()


def _next(batches: Batches[T]) -> Sequence[T] | object | None:
    # StopIteration cannot pass through a Future.
    return next(batches, _END)


def _bind(face: type[Face], *, awaiting: bool) -> None:
    """Put a method in the place of each verb that `face` has."""
    members: dict[str, object] = {}
    for base in reversed(face.__mro__):
        members.update(vars(base))
    for name, found in members.items():
        if isinstance(found, (Verb, Stream)):
            method = update_wrapper(found.awaiting() if awaiting else found.blocking(), found.plan)
            method.__qualname__ = f"{face.__qualname__}.{name}"
            method.__module__ = face.__module__
            setattr(face, name, method)


def _say_result(plan: Callable[..., object], of: str, what: str) -> None:
    """Let the signature say what a caller gets: of `Act[int]`, int."""
    said = str(plan.__annotations__["return"])
    plan.__annotations__["return"] = what.format(said.removeprefix(f"{of}[").removesuffix("]"))
