"""What a list is asked for, and the text of the place where a page of it ended."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from retoma.errors import Invalid
from retoma.model.principal import Principal
from retoma.model.session import statuses
from retoma.service import opening
from retoma.service.access import head_of
from retoma.stores.api import Listing, Place, Transaction

__all__ = ["MOST", "cursor", "page", "place", "with_status"]

MOST = 1_000
"""Sessions of one page."""


def page(
    who: Principal,
    common: Listing,
    *,
    status: str | None,
    parent: str | None,
    after: Place | None,
    limit: int,
    total: bool,
) -> Callable[[Transaction], opening.Listed]:
    """Return what reads a page of `common`, of those with a status and below a parent. Raises Invalid, NotFound."""
    if not 1 <= limit <= MOST:
        raise Invalid(f"A page has 1 to {MOST:,} sessions, not {limit:,}.", code="bad_limit")
    listings = with_status(common, status)

    def use_case(tx: Transaction) -> opening.Listed:
        asked = listings
        if parent is not None:
            key = head_of(tx, who, parent).key
            asked = [msgspec.structs.replace(one, parent=key) for one in listings]
        return opening.page(tx, who, asked, after=after, limit=limit, total=total)

    return use_case


def with_status(common: Listing, status: str | None) -> list[Listing]:
    """Return `common` for each status that a word means: one listing, or two that do not overlap. Raises Invalid."""
    if status is None:
        return [common]
    return [msgspec.structs.replace(common, status=one) for one in statuses(status)]


def cursor(place: Place | None) -> str | None:
    """Return the text of a place, None on the last page."""
    return f"{place.pinned}.{place.at}.{place.key}.{place.id}" if place else None


def place(cursor: str | None) -> Place | None:
    """Return the place that a text says. Raises Invalid for one that `cursor` did not write."""
    if cursor is None:
        return None
    *numbers, name = cursor.split(".")
    whole = [part.isascii() and part.isdigit() and len(part) < 19 for part in numbers]
    if len(whole) != 3 or not all(whole):
        raise Invalid(
            f"{cursor!r} is no cursor.", code="bad_cursor", hint="Use the one that the page before printed."
        )
    pinned, at, key = map(int, numbers)
    return Place(pinned, at, key, name)
