"""What was said, found by its words."""

from __future__ import annotations

from retoma.commands.command import Read
from retoma.commands.listing import with_status
from retoma.errors import Invalid
from retoma.model import pages
from retoma.model.codec import Name
from retoma.model.instant import Instant
from retoma.model.principal import Principal
from retoma.model.session import SHOWN
from retoma.model.snippet import WIDTH
from retoma.service.search.found import Asked, Found, cursor_of, written
from retoma.service.search.said import searched_role
from retoma.service.search.search import search
from retoma.stores.contract.store import Listing, Transaction

__all__ = ["Search"]

MOST = 200
"""Results of one page."""


class Search(Read[Found], frozen=True, kw_only=True):
    """Return a page of what was said: messages, notes, what flows said and were told, titles with descriptions.

    All words of `text` must be there: also `"a phrase"`, `begin*`, `-without`. `status`, `agent`, `tags`, `contexts`
    and `shelf` are about the session, `since` and `before` (ms UTC) about when it was said. A snippet has at most
    `width` characters. Raises Invalid for a text without a word, another role or status, and a cursor of another
    search; NotFound for the session.
    """

    text: str
    session: str | None = None
    role: str | None = None
    status: str | None = None
    agent: str | None = None
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    shelf: int = SHOWN
    since: int | None = None
    before: int | None = None
    width: int = WIDTH
    limit: int = 20
    cursor: str | None = None

    def asked(self) -> Asked:
        """Return what is searched for; cursors belong to it. Raises Invalid."""
        common = Listing(agent=self.agent, tags=self.tags, contexts=self.contexts, shelf=self.shelf)
        return Asked(
            text=self.text,
            listings=tuple(with_status(common, self.status)),
            session=self.session,
            role=searched_role(self.role),
            since=self.since,
            before=self.before,
            width=self.width,
        )

    def page(self, found: Found) -> pages.Found:
        """Return the page that was found, with the cursor of the next one."""
        items = [
            pages.Hit(
                session=hit.session.id, title=Name(hit.session.title), seq=hit.seq or None, epoch=hit.epoch,
                at=Instant.of(hit.at), role=hit.role, sender=Name(hit.sender), snippet=hit.snippet.text,
                marks=tuple(hit.snippet.marks), score=hit.score,
            )
            for hit in found.items
        ]  # fmt: skip
        following = written(found.next, self.asked()) if found.next is not None else None
        return pages.Found(
            items=items, next=following, total=found.total, indexed_to=Instant.at(found.indexed_to)
        )

    def read(self, tx: Transaction, who: Principal) -> Found:
        if not 1 <= self.limit <= MOST:
            raise Invalid(f"A page has 1 to {MOST} results, not {self.limit:,}.", code="bad_limit")
        asked = self.asked()
        after = cursor_of(self.cursor, asked) if self.cursor is not None else None
        return search(tx, who, asked, after=after, limit=self.limit)
