"""A write, and what became of it so far: in a group, or in a transaction whose COMMIT was not answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from retoma.stores.contract.store import Transaction
from retoma.stores.postgres.batch import Asked
from retoma.stores.postgres.connection import Mark, Wire

T = TypeVar("T")


class Write(Generic[T]):
    """A use case on its way. `unsure` has results whose COMMIT was not answered, and the mark each would leave."""

    result: T

    def __init__(self, use_case: Callable[[Transaction], T]) -> None:
        self.use_case = use_case
        self.unsure: list[tuple[Mark, T]] = []
        self.unanswered = False
        self.tried = False
        # In a group
        self.asks: Asked = ()
        self.settled = False
        """Whether the group was committed with it, or with the error that it raised."""
        self.held = False
        """Whether somebody else had its session."""
        self.put_off = False
        """Whether another group may take it: this one was full."""
        self.error: BaseException | None = None
        self.mark: Mark | None = None

    def run(self, transaction: Transaction) -> None:
        """Run the use case and keep its result."""
        self.result = self.use_case(transaction)

    def answer(self) -> T:
        """Return what a group made of it, or raise that."""
        if self.error is not None:
            raise self.error
        return self.result

    def is_asked_for(self) -> None:
        """COMMIT is about to be asked for."""
        if self.error is None and self.mark is not None:
            self.unsure.append((self.mark, self.result))

    def is_unanswered(self) -> None:
        """The group may have been written."""
        self.unanswered = self.error is None

    def is_undone(self) -> None:
        """Nothing of the group was written."""
        self.unsure.clear()

    def is_out(self, error: Exception | None) -> None:
        """Nothing came of the group; `error` says what would keep it from going on by itself, too."""
        self.settled = self.held = self.put_off = False
        self.error = error

    def kept(self, wire: Wire) -> tuple[T] | None:
        """Return the result of an earlier try that was committed after all."""
        for (name, values), result in self.unsure:
            if wire.ask(name, values):
                return (result,)
        return None
