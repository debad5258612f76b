"""What a command is, and the kinds there are. What follows each kind of work is said here, once.

A command is run on an `Opened`: `run` does it on the caller's thread, `await submit` holds nobody up.

- `Read`: one moment of the store.
- `Write`: one transaction, under an operation id.
- `Job`: several transactions.
- `Drive`: takes a session under a lease and returns what drives it, which the caller closes.
- `Stream`: yields what it finds, in pages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec

from retoma.commands.checked import Checked, check_texts
from retoma.commands.opened import Opened
from retoma.errors import Busy
from retoma.model.codec import encode
from retoma.model.ids import Operation, given_operation, new_operation
from retoma.model.lease import FencingToken
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from retoma.model.template import Template

R = TypeVar("R")
T = TypeVar("T")
U = TypeVar("U")


class Call(msgspec.Struct, frozen=True):
    """Who writes, when (ms UTC), under which operation and limits, and with whose lease."""

    who: Principal
    at: int
    operation: Operation
    limits: Limits
    token: FencingToken | None
    templates: Mapping[str, Template]


class Command(Checked, Generic[R], frozen=True, kw_only=True):
    """Something that can be done, with its arguments. `R` is its result.

    `key` makes a repeated write return the first one's result; `token` is the lease of who drives the session.
    """

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> R:
        """Do it on this thread."""
        raise NotImplementedError

    async def submit(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> R:
        """Do it, and hold nobody up: on a thread of the store's own."""
        return await opened.in_thread(partial(self.run, opened, key=key, token=token))


class Read(Command[R], frozen=True, kw_only=True):
    """A command that reads one moment of the store."""

    def read(self, tx: Transaction, who: Principal) -> R:
        raise NotImplementedError

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> R:
        return opened.store.read(partial(self.read, who=opened.who))


class _Writing(Command[R], frozen=True, kw_only=True):
    """What writes: an idempotency key is compared with `verb` and `request()`, as stores in use have hashed them.

    `hashed` names the fields of the request.
    """

    verb: ClassVar[str]
    hashed: ClassVar[tuple[str, ...]] = ("session",)
    tidies: ClassVar[bool] = False
    """Whether it leaves something to be removed, which is done at once."""

    def request(self) -> object:
        """Return what is asked, as JSON has it."""
        values = [getattr(self, name) for name in self.hashed]
        return values if len(values) > 1 else values[0]

    def call(self, opened: Opened, key: str | None, token: FencingToken | None) -> Call:
        """Return who calls, and under which operation: the caller's key, or one of its own."""
        sources = opened.sources
        at = sources.now()
        if key is None:
            operation = Operation(new_operation(at, sources.random))
        else:
            check_texts("key", (key,))
            operation = _keyed(key, self.verb, self.request())
        return Call(opened.who, at, operation, opened.limits, token, opened.templates)

    def _tidied(self, opened: Opened) -> None:
        from retoma.commands.due import Tidy

        Tidy().run(opened)


class Write(_Writing[R], frozen=True, kw_only=True):
    """A command that is one transaction. A task queues for the store's writer.

    With `over`, a holder of the session whose process is gone stands in nobody's way. What is written `beside` a driver
    keeps the lease of a caller who is that driver, if it lapsed and nobody wrote since.
    """

    over: ClassVar[bool] = False
    beside: ClassVar[bool] = False

    def write(self, tx: Transaction, call: Call) -> R:
        raise NotImplementedError

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> R:
        write = self._keeping if self.beside and token is not None else self.write
        use_case = partial(write, call=self.call(opened, key, token))
        try:
            result = opened.store.write(use_case)
        except Busy as busy:
            result = self._again(opened, use_case, busy, token)
        if self.tidies:
            self._tidied(opened)
        return result

    async def submit(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> R:
        write = self._keeping if self.beside and token is not None else self.write
        use_case = partial(write, call=self.call(opened, key, token))
        try:
            result = await opened.store.submit(use_case)
        except Busy as error:
            result = await opened.in_thread(partial(self._again, opened, use_case, error, token))
        if self.tidies:
            await opened.in_thread(partial(self._tidied, opened))
        return result

    def _keeping(self, tx: Transaction, call: Call) -> R:
        from retoma.service import leases

        if call.token is not None:
            leases.keep(tx, call.who, getattr(self, "session", ""), call.token)
        return self.write(tx, call)

    def _again(
        self, opened: Opened, use_case: Callable[[Transaction], R], busy: Busy, token: FencingToken | None
    ) -> R:
        if not self.over or token is not None:
            raise busy
        from retoma.runtime.lease import write_over

        return write_over(opened.store, opened.who, getattr(self, "session", ""), use_case, busy)


class Job(_Writing[R], frozen=True, kw_only=True):
    """A command that takes several transactions."""

    verb: ClassVar[str] = ""
    """Empty for what takes no key."""

    def work(self, opened: Opened, call: Call) -> R:
        raise NotImplementedError

    def run(self, opened: Opened, *, key: str | None = None, token: FencingToken | None = None) -> R:
        result = self.work(opened, self.call(opened, key, token) if self.verb else _plain(opened))
        if self.tidies:
            self._tidied(opened)
        return result


def _keyed(key: str, verb: str, request: object) -> Operation:
    """Return the operation under a caller's key. `request` is the session's id, or a list that begins with it."""
    from blake3 import blake3

    def under(session: str) -> bytes:
        asked = [session, *request[1:]] if isinstance(request, list) else session
        return blake3(encode([verb, asked])).digest(16)

    return Operation(given_operation(key), blake3(encode([verb, request])).digest(16), under)


def _plain(opened: Opened) -> Call:
    return Call(opened.who, opened.now(), Operation(b""), opened.limits, None, opened.templates)


class Drive(Command[R], frozen=True, kw_only=True):
    """A command that takes a session under a lease. Whoever runs it closes what it returns."""


class Stream(Checked, Generic[T], frozen=True, kw_only=True):
    """A command whose result comes one after the other."""

    def pages(self, opened: Opened) -> Iterator[Sequence[T] | None]:
        """Yield what is there, page by page; None where nothing is there yet."""
        raise NotImplementedError

    def run(self, opened: Opened, *, ready: Callable[[], None] | None = None) -> Generator[T, None, None]:
        """Return what it finds, or raise at once. `ready` is called after each page, and raises when it is to end."""
        return self._each(self.pages(opened), opened, ready or opened.ready)

    def _each(
        self, pages: Iterator[Sequence[T] | None], opened: Opened, ready: Callable[[], None]
    ) -> Generator[T, None, None]:
        from retoma.runtime.follow import Following

        following = Following(opened.store)
        try:
            for page in pages:
                if page is None:
                    following.wait()
                else:
                    yield from page
                ready()
        finally:
            following.close()

    async def submit(self, opened: Opened, *, ready: Callable[[], None] | None = None) -> AsyncIterator[T]:
        """Yield what it finds, and hold nobody up."""
        from retoma.runtime.follow import Following

        # StopIteration cannot pass through a Future.
        next_page = partial(next, self.pages(opened), _END)
        following = Following(opened.store)
        try:
            while (found := await opened.in_thread(next_page)) is not _END:
                if found is None:
                    await following.come(opened.in_thread)
                for one in found or ():
                    yield one
                (ready or opened.ready)()
        finally:
            following.close()


_END: Any = object()
