"""What a search is asked, and what it answers: results page by page."""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from retoma.errors import Invalid
from retoma.model.session import Session
from retoma.model.snippet import WIDTH, Snippet
from retoma.stores.contract.store import Listing

__all__ = ["LAST", "Asked", "Cursor", "Found", "Hit", "Order", "cursor_of", "written"]

LAST: Final = 1 << 62
"""Ahead of this are all documents."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for, and where. Instants are milliseconds UTC.

    `listings` say in which sessions, as for a list: in those that any of them means. They are of one shelf.
    """

    text: str
    listings: tuple[Listing, ...] = (Listing(),)
    session: str | None = None
    role: str | None = None
    since: int | None = None
    before: int | None = None
    width: int = WIDTH


class Order(NamedTuple):
    """What results are ordered by: the highest first."""

    score: int
    at: int
    k: int


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page ended: in the window of documents from `low` on and ahead of `high`, behind the result `last`.

    `now` is the instant of the first page. Of what has the words in a row, documents from `rows` on joined the first
    window; of titles, those from `titles` on.
    """

    now: int
    high: int = LAST
    low: int | None = None
    rows: int = 0
    titles: int = 0
    last: Order | None = None


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A result. `seq` is the event's; 0 for the session's title and description."""

    session: Session
    seq: int
    at: int
    role: str
    sender: str
    epoch: int
    snippet: Snippet
    score: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A page of results. `total` is how many there are in all, where that is known.

    `indexed_to`: more is behind than a search reads, and of what was written since that instant it saw only the newest.
    """

    items: list[Hit]
    next: Cursor | None
    total: int | None
    indexed_to: int | None


def written(cursor: Cursor, asked: Asked) -> str:
    """Return a cursor as text, for whoever asks for the next page."""
    order = cursor.last or ()
    low = -1 if cursor.low is None else cursor.low
    numbers = (cursor.now, cursor.high, low, cursor.rows, cursor.titles, _sum(asked), *order)
    return ".".join(map(str, numbers))


def cursor_of(text: str, asked: Asked) -> Cursor:
    """Return the cursor that `text` is. Raises Invalid when it is none, or one of another search."""
    parts = text.split(".")
    numbers = [
        int(part)
        for part in parts
        if len(part) < 20 and part.removeprefix("-").isdecimal() and part.isascii()
    ]
    if len(numbers) != len(parts) or len(parts) not in (_FIELDS, _FIELDS + len(Order._fields)):
        raise Invalid(
            f"Invalid cursor: {text!r}.",
            code="bad_cursor",
            hint="Use the cursor that the previous page printed.",
        )
    now, high, low, rows, titles, check, *order = numbers
    if check != _sum(asked):
        raise Invalid(
            "This cursor belongs to another search.",
            code="bad_cursor",
            hint="Use the same text and options as the first page, or leave out the cursor.",
        )
    last = Order(*order) if order else None
    return Cursor(now=now, high=high, low=None if low < 0 else low, rows=rows, titles=titles, last=last)


_FIELDS: Final = 6


def _sum(asked: Asked) -> int:
    """Return a number for what is searched for. (`2h ago` is another instant for each page.)"""
    return crc32(msgspec.json.encode((asked.text, asked.session, asked.role, asked.listings[0].shelf)))
