"""One command line's own things: what it was given, what holds, its output, its store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from retoma.interfaces.cli.output import Output

if TYPE_CHECKING:
    from retoma.commands.command import Command
    from retoma.commands.opened import Opened
    from retoma.config import Environment, Settings, StorePlace

__all__ = ["Invocation"]

R = TypeVar("R")


class Invocation:
    """What a verb gets as its first argument. Each part is made when it is first asked for.

    `given` has the global options that were there: `store`, `json`, `quiet`, `no_color`, `utc`. `now_ms` is the moment
    the command began, from which "ago" is counted. Whoever runs the verb closes this, and with it the store.
    """

    def __init__(self, given: Mapping[str, object]) -> None:
        self.given = given
        from retoma.wiring import now_ms

        self.now_ms = now_ms()
        self._opened: Opened | None = None

    @cached_property
    def environment(self) -> Environment:
        """What the environment says, without any file."""
        from retoma.config import read_environment

        return read_environment()

    @cached_property
    def settings(self) -> Settings:
        """What holds here. Raises as `load_settings` does."""
        from retoma.config import load_settings

        return load_settings(overrides={"store": self.given.get("store")})

    @cached_property
    def place(self) -> StorePlace:
        """The store this command works on, there or not. Raises as `find_store` does."""
        from retoma.config import find_store

        return find_store(self.settings)

    @cached_property
    def out(self) -> Output:
        """The two streams, as the global options want them."""
        return Output(
            json=bool(self.given.get("json")),
            quiet=bool(self.given.get("quiet")),
            utc=bool(self.given.get("utc")),
            no_color=bool(self.given.get("no_color")) or self.environment.no_color,
            width=self.environment.columns,
        )

    @property
    def opened(self) -> Opened:
        """This command's store, opened at the first use and closed when the verb ends."""
        if self._opened is None:
            from retoma.commands.opened import opened

            self._opened = opened(self.settings)
            if (upgraded := self._opened.store.upgraded) is not None:
                # Said with --quiet too: it cannot be undone, and what it kept has to be looked after.
                self.out.problem(str(upgraded))
        return self._opened

    @property
    def reader(self) -> Opened:
        """The store of a command that only reads: one that is not there is an empty one, and is not made."""
        from retoma.wiring import is_there

        place = self.place
        if self._opened is not None or is_there(place):
            return self.opened
        if place.given:
            self.out.note(f"There is no store at {place.shown} yet.")
        from retoma.commands.opened import opened_at
        from retoma.config import StorePlace

        self._opened = opened_at(StorePlace(kind="memory", url=":memory:", given=False, source="none"))
        return self._opened

    def do(self, command: Command[R], *, key: str | None = None) -> R:
        """Run a command, once for all calls with this `key`."""
        return command.run(self.opened, key=key)

    def read(self, command: Command[R]) -> R:
        """Run a command that only reads."""
        return command.run(self.reader)

    def meant(self, id: str) -> str:
        """Return the id that an id, a unique prefix of one, or @last means. Raises NotFound, Invalid."""
        from retoma.commands.session import ResolveSession

        return self.do(ResolveSession(text=id))

    def found(self, id: str) -> str:
        """Return what `meant` does, for a command that only reads."""
        from retoma.commands.session import ResolveSession

        return self.read(ResolveSession(text=id))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is None:
            return
        try:
            if error is None and self._opened.wrote:
                self._work()
        finally:
            self._opened.close()

    def _work(self) -> None:
        """Do a little of what is due by retention, and say so."""
        from retoma.commands.due import WorkDue
        from retoma.errors import RetomaError

        try:
            done = self.do(WorkDue())
        except RetomaError as failure:
            # What was asked for is done. What is due is the next command's, too.
            self.out.note(f"What is due was left for later: {failure.message}")
            return
        if done:
            parts = ", ".join(f"{count:,} {what}" for what, count in done.items())
            self.out.note(f"Retention: {parts}. `retoma store log` says which.")
