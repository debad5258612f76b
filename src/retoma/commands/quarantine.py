"""Damaged sessions that a repair put aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from retoma.commands.command import Call, Read, Stream, Write
from retoma.commands.opened import Opened
from retoma.model.principal import Principal
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from retoma.service.check.aside import Aside

__all__ = ["DeleteQuarantined", "ExportQuarantined", "ListQuarantine", "RestoreQuarantined"]


class ListQuarantine(Read["tuple[Aside, ...]"], frozen=True, kw_only=True):
    """Return what is in quarantine, in the order of the numbers."""

    def read(self, tx: Transaction, who: Principal) -> tuple[Aside, ...]:
        from retoma.service.check.aside import asides

        return asides(tx)


class ExportQuarantined(Stream[bytes], frozen=True, kw_only=True):
    """Yield what can be read of a session in quarantine, by its id or number: a line of JSON for each event.

    Raises NotFound, and Conflict when several had that id.
    """

    name: str

    def pages(self, opened: Opened) -> Iterator[tuple[bytes]]:
        from retoma.service.check.aside import read_out

        return ((piece,) for piece in read_out(opened.store, self.name))


class RestoreQuarantined(Write[str], frozen=True, kw_only=True):
    """Take a session out of quarantine if it is sound again, and return its id: `new_id`, else the one it had.

    Raises Integrity when it is still damaged, Conflict when the id is taken or several had it, NotFound.
    """

    name: str
    new_id: str | None = None
    verb: ClassVar[str] = "restore"
    hashed: ClassVar[tuple[str, ...]] = ("name", "new_id")

    def write(self, tx: Transaction, call: Call) -> str:
        from retoma.service.check.aside import take_back

        return take_back(tx, call.who, self.name, self.new_id)


class DeleteQuarantined(Write["Aside"], frozen=True, kw_only=True):
    """Delete for good what is in quarantine under an id or a number, and return what it was.

    Raises NotFound, and Conflict when several had that id.
    """

    name: str
    verb: ClassVar[str] = "delete"
    hashed: ClassVar[tuple[str, ...]] = ("name",)
    tidies: ClassVar[bool] = True

    def write(self, tx: Transaction, call: Call) -> Aside:
        from retoma.service.check.aside import discard

        return discard(tx, call.who, self.name)
