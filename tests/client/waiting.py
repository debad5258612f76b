"""An asynchronous client that a plain test can use: each call is awaited, each `async with` entered, for it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import copy_context

from retoma.aio import AsyncClient, AsyncSession, AsyncState
from retoma.types import Found, Page


class Waiting:
    """Stands for an asynchronous client, a handle or a batch, and waits for what it is asked."""

    def __init__(self, what: object, loop: asyncio.Runner) -> None:
        self._what = what
        self._loop = loop

    def _run(self, awaited):
        # What is current here is current there.
        return self._loop.run(awaited, context=copy_context())

    def __getattr__(self, name: str) -> object:
        found = getattr(self._what, name)
        return self._called(found) if inspect.ismethod(found) else self._shown(found)

    def _called(self, method):
        def call(*args, **kwargs):
            result = method(*args, **kwargs)
            if inspect.iscoroutine(result):
                return self._shown(self._run(result))
            if inspect.isasyncgen(result):
                return self._iterated(result)
            if hasattr(result, "__aenter__"):
                return self._entered(result)
            return result

        return call

    def _iterated(self, found) -> Iterator[object]:
        async def following():
            return await anext(found, None)

        while (one := self._run(following())) is not None:
            yield one

    @contextmanager
    def _entered(self, found):
        entered = self._run(found.__aenter__())
        try:
            yield self._shown(entered)
        except BaseException as error:
            self._run(found.__aexit__(type(error), error, error.__traceback__))
            raise
        else:
            self._run(found.__aexit__(None, None, None))

    def _shown(self, found: object) -> object:
        match found:
            case AsyncClient() | AsyncSession():
                return Waiting(found, self._loop)
            case AsyncState():
                return WaitingState(found, self._loop)
            case Found():
                return found
            case Page():
                return Page(
                    items=[self._shown(one) for one in found.items], next=found.next, total=found.total
                )
            case _:
                return found

    def __enter__(self) -> Waiting:
        self._run(self._what.__aenter__())
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._run(self._what.__aexit__(kind, error, trace))


class WaitingState(Waiting, MutableMapping):
    """Brackets for a state that has methods."""

    def __getitem__(self, name):
        found = self.copy()
        return found[name]

    def __setitem__(self, name, value):
        self._called(self._what.set)(name, value)

    def __delitem__(self, name):
        self._called(self._what.pop)(name)

    def __iter__(self):
        return iter(self.copy())

    def __len__(self):
        return len(self.copy())

    def pop(self, *args):
        return self._called(self._what.pop)(*args)

    def update(self, *args, **more):
        return self._called(self._what.update)(*args, **more)

    def clear(self):
        return self._called(self._what.clear)()

    def get(self, *args):
        return self._called(self._what.get)(*args)
