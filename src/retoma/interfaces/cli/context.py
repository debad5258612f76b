"""The context of one command line: its options, settings, output and store."""

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
    """The first argument of a verb. Each part is made at its first use.

    `given` has the global options of the command: `store`, `json`, `quiet`, `no_color`, `utc`. `now_ms` is the time at
    which the command started; "ago" is counted from it. The caller of the verb closes this object and its store.
    """

    def __init__(self, given: Mapping[str, object]) -> None:
        self.given = given
        from retoma.wiring import now_ms

        self.now_ms = now_ms()
        self._opened: Opened | None = None

    @cached_property
    def environment(self) -> Environment:
        """The settings from the environment alone, without files."""
        from retoma.config import read_environment

        return read_environment()

    @cached_property
    def settings(self) -> Settings:
        """The settings in effect. Raises the errors of `load_settings`."""
        from retoma.config import load_settings

        return load_settings(overrides={"store": self.given.get("store")})

    @cached_property
    def place(self) -> StorePlace:
        """The store of this command, which may not exist yet. Raises the errors of `find_store`."""
        from retoma.config import find_store

        return find_store(self.settings)

    @cached_property
    def out(self) -> Output:
        """The two output streams, configured by the global options."""
        return Output(
            json=bool(self.given.get("json")),
            quiet=bool(self.given.get("quiet")),
            utc=bool(self.given.get("utc")),
            no_color=bool(self.given.get("no_color")) or self.environment.no_color,
            width=self.environment.columns,
        )

    @property
    def opened(self) -> Opened:
        """The store of this command, opened at the first use and closed when the verb ends."""
        if self._opened is None:
            from retoma.commands.opened import opened

            self._opened = opened(self.settings)
            if (upgraded := self._opened.store.upgraded) is not None:
                # Said with --quiet too: it cannot be undone, and what it kept has to be looked after.
                self.out.problem(str(upgraded))
            if self._opened.store.read_only:
                self.out.note(f"The store {self.place.shown} is read-only. Nothing may change it meanwhile.")
        return self._opened

    @property
    def reader(self) -> Opened:
        """The store for a command that only reads. A missing store is treated as empty and not created."""
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
        """Run a command. All calls with the same `key` run it once."""
        return command.run(self.opened, key=key)

    def read(self, command: Command[R]) -> R:
        """Run a command that only reads."""
        return command.run(self.reader)

    def meant(self, id: str) -> str:
        """Return the full id for an id, a prefix of one session's id, or @last. Raises NotFound, Invalid."""
        from retoma.commands.session import ResolveSession

        return self.do(ResolveSession(text=id))

    def found(self, id: str) -> str:
        """Return the same as `meant`, for a command that only reads."""
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
        """Do a small part of the due work of retention, and print a note about it."""
        from retoma.commands.due import WorkDue
        from retoma.errors import RetomaError

        try:
            done = self.do(WorkDue())
        except RetomaError as failure:
            # The command itself succeeded. The next command tries the due work again.
            self.out.note(f"Due work was postponed: {failure.message}")
            return
        if done:
            parts = ", ".join(f"{count:,} {what}" for what, count in done.items())
            self.out.note(f"Retention: {parts}. `retoma store log` lists them.")
