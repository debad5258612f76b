"""How much one node may do to be shown and decided: shared by its templates and conditions, so that none is endless."""

from __future__ import annotations

from retoma.model.codec import Json

# About one for each action, look-up and comparison; a quarter of a million take some 0.3 s.
MAX_WORK = 250_000
# A walk through a container's items in C does so many in the time of one step of ours.
_ITEMS = 2
_LETTERS = 64


class Exhausted(Exception):
    """The node would do too much."""


class Budget:
    """What is left of a node's work."""

    def __init__(self, work: int = MAX_WORK) -> None:
        self._left = work

    def spend(self, work: int) -> None:
        """Take `work` from what is left. Raises Exhausted when there is not as much."""
        self._left -= work
        if self._left < 0:
            raise Exhausted

    def weigh(self, value: Json) -> None:
        """Take what it costs to go through all of `value` once: to compare it, or to write it out."""
        todo = [value]
        while todo:
            match todo.pop():
                case str() as text:
                    self.spend(len(text) // _LETTERS)
                case list() as items:
                    self.spend(1 + len(items) // _ITEMS)
                    todo += [item for item in items if isinstance(item, str | list | dict)]
                case dict() as pairs:
                    self.spend(1 + len(pairs) // _ITEMS)
                    todo += [item for item in pairs.values() if isinstance(item, str | list | dict)]
                case _:
                    pass
