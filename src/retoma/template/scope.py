"""The variables of a template, by name: the one declared last hides those before it, until its block ends."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Scope(Generic[T]):
    """Names and what they stand for. Each way in takes the same time, however many names there are."""

    def __init__(self) -> None:
        self._values: dict[str, list[T]] = {}
        self._declared: list[str] = []

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def __len__(self) -> int:
        """Return how many are declared: what `leave` goes back to."""
        return len(self._declared)

    def declare(self, name: str, value: T) -> None:
        self._values.setdefault(name, []).append(value)
        self._declared.append(name)

    def assign(self, name: str, value: T) -> None:
        """Give the variable that `name` stands for here another value; a name that is not declared stays so."""
        if stack := self._values.get(name):
            stack[-1] = value

    def get(self, name: str) -> T | None:
        stack = self._values.get(name)
        return stack[-1] if stack else None

    def leave(self, declared: int) -> None:
        """Forget what was declared behind the first `declared`."""
        while len(self._declared) > declared:
            self._values[self._declared.pop()].pop()
