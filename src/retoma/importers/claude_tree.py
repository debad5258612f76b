"""The tree that the entries of a Claude Code session form, and its lines.

The line of the session is the way from the last message back to the root. What was left by going back and asking
otherwise is a line of its own, which begins where it leaves another. All that is no message stays with the first line.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import msgspec
from blake3 import blake3

NONE: Final = -1
SHORT: Final = 8
"""How much of a uuid names a line, where that is enough."""

_MESSAGE, _NODE, _FOLLOWS, _BELOW, _TWIG, _PUT_IN = 1, 2, 4, 8, 16, 32


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What places an entry. `follows`: it names no parent, and stands behind whatever was before it in the file.

    `reply` is the model's answer that it is a part of, `calls` the tools that it asks for, and `answers` those whose
    results it has, when it has nothing else. A `twig` stands beside the line that it hangs on, though what follows
    does not hang on it: the summary of a compaction, a message in the middle of a turn. The tool `put_in` others.
    """

    uuid: str = ""
    parent: str = ""
    follows: bool = False
    message: bool = False
    thread: int = 0
    reply: str = ""
    calls: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    twig: bool = False
    put_in: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line: its `records` in order, the line that it leaves (None: it is the first of its thread), and where."""

    index: int
    thread: int
    records: array[int]
    first: int
    messages: int
    leaves: int | None = None
    at: int = NONE


class Tree:
    """Entries by their number in the file. `missing` has those whose parent is not there."""

    def __init__(self) -> None:
        self.missing: list[int] = []
        self._numbers: dict[int, int] = {}
        self._above = array("Q")
        self._replies = array("Q")
        self._threads = array("L")
        self._flags = bytearray()
        self._begins = array("Q")
        self._calls: dict[int, int] = {}
        self._answers: dict[int, tuple[int, ...]] = {}
        self._parents = array("q")
        self._line_of = array("q")
        self._moved: dict[int, int] = {}

    def add(self, node: Node) -> None:
        """Take the next entry of the file."""
        number = len(self._flags)
        if node.uuid:
            self._numbers.setdefault(_short(node.uuid), number)
        self._above.append(_short(node.parent) if node.parent else 0)
        self._replies.append(_short(node.reply) if node.reply else 0)
        self._threads.append(node.thread)
        placed = node.uuid or node.message
        flags = _MESSAGE * node.message | _NODE * bool(placed) | _FOLLOWS * node.follows
        self._flags.append(flags | _TWIG * node.twig | _PUT_IN * node.put_in)
        self._begins.append(_short(node.uuid[:SHORT]))
        for call in node.calls:
            self._calls.setdefault(_short(call), number)
        if node.answers:
            self._answers[number] = tuple(map(_short, node.answers))

    def retract(self, number: int) -> None:
        """Take an entry for no message: another one is the same."""
        self._flags[number] = 0

    def label(self, number: int, uuid: str) -> str:
        """Return what of its uuid names an entry: the beginning, unless an entry before it has the same.

        Entries that are appended to the file do not change that. Empty when an entry before it has the same uuid.
        """
        if self._begins.index(self._begins[number]) == number:
            return uuid[:SHORT]
        return uuid if self._numbers.get(_short(uuid)) == number else ""

    def holds(self, uuid: str) -> bool:
        """Return whether an entry of this id came already."""
        return _short(uuid) in self._numbers

    def thread_of(self, uuid: str) -> int | None:
        """Return the thread of an entry that came already; None when there is none."""
        number = self._numbers.get(_short(uuid)) if uuid else None
        return None if number is None else self._threads[number]

    def flatten(self) -> None:
        """Make all threads one."""
        self._threads = array("L", [0]) * len(self._threads)

    def lines(self) -> list[Line]:
        """Return the lines: of each thread the first one, and behind it those that leave one that stands before."""
        self._link()
        self._mark()
        self._line_of = array("q", [NONE]) * len(self._flags)
        roots: list[
            tuple[int, int]
        ] = []  # the last message of each line, and the entry at which it leaves another
        for number in (*self._leaves(), *self._messages()):
            if self._line_of[number] == NONE:
                roots.append((number, self._climb(number, len(roots))))
        self._gather(roots)
        return list(self._made(roots))

    # Which entry is above which

    def _link(self) -> None:
        before: dict[int, int] = {}
        self._parents = array("q", [NONE]) * len(self._flags)
        for number, flags in enumerate(self._flags):
            if not flags & _NODE:
                continue
            thread = self._threads[number]
            above = self._numbers.get(self._above[number]) if self._above[number] else None
            if above is not None and above != number:
                self._parents[number] = above
            elif self._above[number] or flags & _FOLLOWS:
                if self._above[number]:
                    self.missing.append(number)
                self._parents[number] = before.get(thread, NONE)
            before[thread] = number

    def _mark(self) -> None:
        """Mark the entries that have a message below them."""
        for number in self._messages():
            above = self._parents[number]
            while above != NONE and not self._flags[above] & _BELOW:
                self._flags[above] |= _BELOW
                above = self._parents[above]

    def _messages(self) -> Iterator[int]:
        """Yield the messages, the last of the file first."""
        return (n for n in range(len(self._flags) - 1, -1, -1) if self._flags[n] & _MESSAGE)

    def _leaves(self) -> Iterator[int]:
        return (n for n in self._messages() if not self._flags[n] & _BELOW)

    def _climb(self, number: int, line: int) -> int:
        """Give what is above a message, up to what has a line already, to `line`; return that entry."""
        thread = self._threads[number]
        while number != NONE and self._line_of[number] == NONE and self._threads[number] == thread:
            self._line_of[number] = line
            number = self._parents[number]
        return number if number != NONE and self._line_of[number] != line else NONE

    # What belongs to a line though it stands beside it

    def _gather(self, roots: list[tuple[int, int]]) -> None:
        """Give results of calls, and parts of a reply, to the line that has the call, or the rest of the reply.

        Tools that are called together have their results on twigs: only one of them is on the way to what follows.
        """
        members: dict[int, list[int]] = {}
        answered: set[tuple[int, int]] = set()
        replies: set[tuple[int, int]] = set()

        def joins(number: int, line: int) -> None:
            self._line_of[number] = line
            replies.add((line, self._replies[number]))
            answered.update((line, call) for call in self._answers.get(number, ()))

        for number in self._messages():
            members.setdefault(self._line_of[number], []).append(number)
            joins(number, self._line_of[number])
        for line, (last, at) in enumerate(roots):
            into = self._line(at)
            if into in (NONE, line) or self._threads[last] != self._threads[at]:
                continue
            if self._is_twig(members[line]) or all(
                self._belongs(number, into, answered, replies) for number in members[line]
            ):
                self._moved[line] = into
                for number in members[line]:
                    joins(number, into)

    def _line(self, number: int) -> int:
        """Return the line that an entry has, or has come to."""
        line = self._line_of[number] if number != NONE else NONE
        while line in self._moved:
            line = self._moved[line]
        return line

    def _is_twig(self, members: list[int]) -> bool:
        flags = [self._flags[number] for number in members]
        return any(one & _TWIG for one in flags) and all(one & (_TWIG | _PUT_IN) for one in flags)

    def _belongs(
        self, number: int, line: int, answered: set[tuple[int, int]], replies: set[tuple[int, int]]
    ) -> bool:
        reply = self._replies[number]
        if reply and (line, reply) in replies:
            return True
        calls = self._answers.get(number, ())
        return bool(calls) and all(
            self._calls.get(call) is not None
            and self._line_of[self._calls[call]] == line
            and (line, call) not in answered
            for call in calls
        )

    # The lines, in order

    def _made(self, roots: list[tuple[int, int]]) -> Iterator[Line]:
        firsts: dict[int, int] = {}
        for line, (last, _) in enumerate(roots):
            firsts.setdefault(self._threads[last], line)
        for thread in sorted({*self._threads} - {*firsts}):
            # Nothing was said in it.
            firsts[thread] = len(roots)
            roots = [*roots, (NONE, NONE)]
        numbers: dict[int, array[int]] = {}
        for number, flags in enumerate(self._flags):
            line = self._line_of[number] if flags & _MESSAGE else firsts[self._threads[number]]
            numbers.setdefault(line, array("Q")).append(number)
        for line, (last, at) in enumerate(roots):
            if line in numbers:
                yield self._one(line, numbers[line], last, at, firsts[self._threads[numbers[line][0]]])

    def _one(self, line: int, records: array[int], last: int, at: int, first: int) -> Line:
        messages = [number for number in records if self._flags[number] & _MESSAGE]
        above = self._line(at)
        return Line(
            index=line,
            thread=self._threads[records[0]],
            records=self._together(self._ordered(records, last, line)),
            first=messages[0] if messages else records[0],
            messages=len(messages),
            leaves=None if line == first else first if above == NONE else above,
            at=at,
        )

    def _ordered(self, records: array[int], last: int, line: int) -> array[int]:
        """Return records in the order of the way to the last one, and what is beside it in that of the file."""
        way = array("Q")
        seen: set[int] = set()
        number = last
        while number != NONE and self._line_of[number] == line and number not in seen:
            seen.add(number)
            way.append(number)
            number = self._parents[number]
        way.reverse()
        if all(one < other for one, other in pairwise(way)):
            return records
        place: dict[int, tuple[int, int]] = {}
        latest = 0
        for step, number in enumerate(way):
            latest = max(latest, number)
            place[number] = (latest, step)
        return array("Q", sorted(records, key=lambda number: place.get(number, (number, len(way)))))

    def _together(self, records: array[int]) -> array[int]:
        """Return records with the parts of each reply one behind the other."""
        parts: dict[int, list[int]] = {}
        for number in records:
            if self._replies[number]:
                parts.setdefault(self._replies[number], []).append(number)
        order = array("Q")
        for number in records:
            reply = self._replies[number]
            if not reply:
                order.append(number)
            elif reply in parts:
                order.extend(parts.pop(reply))
        return order


def _short(text: str) -> int:
    return int.from_bytes(blake3(text.encode("utf-8", "surrogatepass")).digest(8)) or 1
