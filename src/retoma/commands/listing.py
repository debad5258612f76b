"""Lists of sessions, and the text of the place where a page of one ended."""

from __future__ import annotations

from typing import get_args

import msgspec

from retoma.commands.command import R, Read
from retoma.errors import Invalid
from retoma.model.pages import Page
from retoma.model.principal import Principal
from retoma.model.session import SHOWN, Session, statuses
from retoma.service import opening, sessions
from retoma.service.access import head_of
from retoma.stores.contract.store import Listing, Place, Sort, Transaction

__all__ = ["CountSessions", "ListSessions", "ListWhole", "cursor", "place", "with_status"]

MOST = 1_000
"""Sessions of one page."""


class _Meant(Read[R], frozen=True, kw_only=True):
    """Which sessions are meant: all conditions hold. Instants are ms UTC, and about the last change.

    `status` is a state's name, or a word for one or two. `shelf` is SHOWN, ARCHIVED or TRASHED.
    """

    status: str | None = None
    agent: str | None = None
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    parent: str | None = None
    flow: str | None = None
    ephemeral: bool = False
    shelf: int = SHOWN
    since: int | None = None
    before: int | None = None
    sort: Sort = "updated"

    def listings(self, tx: Transaction, who: Principal) -> list[Listing]:
        """Return what to ask the store for. Raises Invalid, NotFound for the parent."""
        if self.sort not in get_args(Sort):
            raise Invalid(
                f"{self.sort!r} is not a sort order.", code="bad_sort", hint="Orders: updated, created, id."
            )
        asked = Listing(
            agent=self.agent,
            flow=self.flow,
            parent=head_of(tx, who, self.parent).key if self.parent is not None else None,
            tags=self.tags,
            contexts=self.contexts,
            ephemeral=self.ephemeral,
            since=self.since,
            before=self.before,
            shelf=self.shelf,
            sort=self.sort,
        )
        return with_status(asked, self.status)


class _Paged(_Meant[R], frozen=True, kw_only=True):
    """A page of at most `limit` sessions after `cursor`: pinned ones first, then the newest by `sort`; or by id."""

    limit: int = 50
    cursor: str | None = None
    total: bool = False

    def after(self) -> Place | None:
        """Return where the page begins. Raises Invalid."""
        if not 1 <= self.limit <= MOST:
            raise Invalid(f"A page has 1 to {MOST:,} sessions, not {self.limit:,}.", code="bad_limit")
        return place(self.cursor)


class ListSessions(_Paged[Page[Session]], frozen=True, kw_only=True):
    """Return a page of sessions. Raises Invalid, NotFound for the parent.

    >>> [session.id for session in ListSessions(status="active").run(opened).items]
    ['demo']
    """

    def read(self, tx: Transaction, who: Principal) -> Page[Session]:
        after, listings = self.after(), self.listings(tx, who)
        found = sessions.ls(tx, who, listings, after=after, limit=self.limit)
        total = sessions.count(tx, who, listings) if self.total else None
        return Page(items=found.items, next=cursor(found.next), total=total)


class ListWhole(_Paged[Page[sessions.Whole]], frozen=True, kw_only=True):
    """Return a page of sessions, each with all there is to say of it. Raises as `ListSessions` does."""

    def read(self, tx: Transaction, who: Principal) -> Page[sessions.Whole]:
        after, listings = self.after(), self.listings(tx, who)
        found = sessions.ls(tx, who, listings, after=after, limit=self.limit)
        total = sessions.count(tx, who, listings) if self.total else None
        return Page(items=opening.wholes(tx, found.items), next=cursor(found.next), total=total)


class CountSessions(_Meant[int], frozen=True, kw_only=True):
    """Return how many sessions are meant, counting no further than `most` of each status."""

    most: int | None = None

    def read(self, tx: Transaction, who: Principal) -> int:
        return sessions.count(tx, who, self.listings(tx, who), most=self.most)


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
            f"Invalid cursor: {cursor!r}.",
            code="bad_cursor",
            hint="Use the cursor that the previous page printed.",
        )
    pinned, at, key = map(int, numbers)
    return Place(pinned, at, key, name)
