"""What a group of use cases reads and writes together: their heads at the beginning, all they wrote at the end.

Nothing that a use case writes is sent before the end. So one that raises leaves nothing behind, and what several wrote
goes as one statement. A use case that asks for anything else than what is here has to run by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from retoma.stores.postgres.columns import columns
from retoma.stores.postgres.connection import Mark
from retoma.stores.postgres.statements import GROUPED, own, writing
from retoma.stores.sql.statements import STATEMENTS, Row, Value, Values

Asked: TypeAlias = "tuple[Value, ...]"
"""Whose head a use case asks for: (tenant, id)."""
Read: TypeAlias = "tuple[str, tuple[Value, ...]]"

HEAD = STATEMENTS["session_head"]
OPERATION = STATEMENTS["operation_of_session"]
_MARK = writing(STATEMENTS["add_event"]).mark


class Beyond(BaseException):
    """A use case asks for something that a group does not have. No use case catches it."""


class Wanted(BaseException):
    """A use case asks for something that is read for all who want it, and then it runs again."""


@dataclass
class _Written:
    """What use cases wrote. `moves` has the last of each session: seq, hash, messages, at, listed or None, session."""

    events: list[Sequence[Value]] = field(default_factory=list)
    moves: dict[Value, Sequence[Value]] = field(default_factory=dict)
    blobs: dict[bytes, Sequence[Value]] = field(default_factory=dict)
    others: list[tuple[str, tuple[Value, ...]]] = field(default_factory=list)


class Batch:
    """The use cases of one group, one after the other. `heads` and `leases` are by what was asked, and by session."""

    def __init__(self, heads: dict[Asked, Row], leases: dict[Asked, list[Row]]) -> None:
        self.answers: dict[Read, list[Row]] = {}
        self.wanted: list[Read] = []
        """What use cases want to read besides heads; each runs again once it is in `answers`."""
        self.size = 0
        """How many bytes of content are to be written."""
        self._heads = heads
        self._leases = leases
        self._asked = {head[0]: asked for asked, head in heads.items()}
        self._all = _Written()
        self._one = _Written()

    def has(self, asked: Asked) -> bool:
        """Return whether the head that was asked for is here."""
        return asked in self._heads

    def run(self, text: str, values: Values = ()) -> list[Row]:
        """Run one statement of the use case that runs now."""
        if isinstance(values, dict):
            raise Beyond
        if text in _OTHERS:
            return self._other(text, tuple(values))
        if text not in _DOES:
            raise Beyond
        return _DOES[text](self, tuple(values))

    def keep(self) -> Mark | None:
        """Keep what the use case wrote; return what it leaves for good."""
        one, whole, self._one = self._one, self._all, _Written()
        whole.events += one.events
        whole.blobs |= one.blobs
        whole.others += one.others
        for row in (*one.events, *one.blobs.values()):
            self.size += sum(len(value) for value in row if isinstance(value, bytes))
        for key, move in one.moves.items():
            self._move(key, move)
        if not one.events or _MARK is None:
            return None
        name, places = _MARK
        return name, tuple(one.events[-1][place] for place in places)

    def drop(self) -> None:
        """Forget what the use case wrote."""
        self._one = _Written()

    def statements(self) -> Iterator[tuple[str, Sequence[Value]]]:
        """Yield what was written, in an order in which two groups do not lock each other out."""
        whole = self._all
        for _, blob in sorted(whole.blobs.items()):
            yield writing(STATEMENTS["add_blob"]).text, blob
        if len(whole.events) == 1:
            yield writing(STATEMENTS["add_event"]).text, whole.events[0]
        elif whole.events:
            yield own(GROUPED["add_event"]).text, columns(whole.events, "ititibbbbbbb")
        moves = list(whole.moves.values())
        if len(moves) == 1:
            yield _move_of_one(moves[0])
        elif moves:
            yield own(GROUPED["move_head"]).text, columns(moves, "ibiiii")
        for text, values in whole.others:
            yield writing(text).text, values

    # What a use case may ask

    def _head(self, values: tuple[Value, ...]) -> list[Row]:
        self._nothing_written()
        head = self._heads.get(values)
        if head is None:
            raise Beyond
        return [head]

    def _lease(self, values: tuple[Value, ...]) -> list[Row]:
        lease = self._leases.get(values)
        if lease is None:
            raise Beyond
        return lease

    def _operation(self, values: tuple[Value, ...]) -> list[Row]:
        before = self._read(OPERATION, values)
        operation, low, *_ = values
        assert isinstance(low, int)
        written = [(event[0], event[6]) for event in self._all.events if event[5] == operation]
        here = [one for one in written if isinstance(one[0], int) and one[0] >> 32 == low >> 32]
        return [*before, *here]

    def _value(self, values: tuple[Value, ...]) -> list[Row]:
        if any(text in _CHANGES and changed[:2] == values for text, changed in self._all.others):
            raise Beyond
        return self._read(_VALUE, values)

    def _read(self, text: str, values: tuple[Value, ...]) -> list[Row]:
        self._nothing_written()
        if (text, values) not in self.answers:
            self.wanted.append((text, values))
            raise Wanted
        return self.answers[text, values]

    def _nothing_written(self) -> None:
        """What is read again after it was written is not here."""
        if self._one.events or self._one.moves or self._one.others:
            raise Beyond

    # What it may write

    def _event(self, values: tuple[Value, ...]) -> list[Row]:
        key = values[0]
        if not isinstance(key, int) or key >> 32 not in self._asked:
            raise Beyond
        self._one.events.append(values)
        return []

    def _moved(self, values: tuple[Value, ...]) -> list[Row]:
        *head, key = values
        if key not in self._asked:
            raise Beyond
        before = self._one.moves.get(key)
        listed = head[4] if len(head) > 4 else before[4] if before else None
        self._one.moves[key] = (*head[:4], listed, key)
        return []

    def _blob(self, values: tuple[Value, ...]) -> list[Row]:
        content = values[0]
        assert isinstance(content, bytes)
        self._one.blobs[content] = values
        return []

    def _other(self, text: str, values: tuple[Value, ...]) -> list[Row]:
        self._one.others.append((text, values))
        return []

    def _move(self, key: Value, move: Sequence[Value]) -> None:
        """Move a head for all who come after. A place in the lists stays until there is a newer one."""
        before = self._all.moves.get(key)
        seq, hashed, messages, at, listed, _ = move
        if listed is None and before is not None:
            listed = before[4]
        self._all.moves[key] = (seq, hashed, messages, at, listed, key)
        asked = self._asked[key]
        head = self._heads[asked]
        self._heads[asked] = (
            *head[:5], seq, hashed, head[7], head[8] if listed is None else listed, messages, *head[10:],
        )  # fmt: skip


def _move_of_one(move: Sequence[Value]) -> tuple[str, Sequence[Value]]:
    *head, listed, key = move
    if listed is None:
        return writing(STATEMENTS["move_head"]).text, (*head, key)
    return writing(STATEMENTS["move_head_listed"]).text, (*head, listed, key)


_HOLDER, _VALUE = STATEMENTS["lease"], STATEMENTS["state_key"]
_CHANGES = {STATEMENTS["put_state"], STATEMENTS["drop_state_key"]}
_OTHERS = {STATEMENTS[name] for name, said in GROUPED.items() if said == "as it is"}
_DOES: dict[str, Callable[[Batch, tuple[Value, ...]], list[Row]]] = {
    HEAD: Batch._head,
    STATEMENTS["lease_token"]: Batch._lease,
    _HOLDER: lambda batch, values: batch._read(_HOLDER, values),
    OPERATION: Batch._operation,
    _VALUE: Batch._value,
    STATEMENTS["add_event"]: Batch._event,
    STATEMENTS["add_blob"]: Batch._blob,
    STATEMENTS["move_head"]: Batch._moved,
    STATEMENTS["move_head_listed"]: Batch._moved,
}
"""What a group does together: appends and changes of the state, with all that belongs to them."""
