"""The sessions that the picker shows: all, newest first, or those that match the typed words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retoma.commands.listing import ListSessions

if TYPE_CHECKING:
    from retoma.commands.opened import Opened
    from retoma.model.session import Session

__all__ = ["Finder"]

_PAGE = 50
_LOOKED_AT = 5_000
"""How far back words are looked for before the list is shown; more are looked at as the cursor nears its end."""


class Finder:
    """A list of sessions that is loaded page by page."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._words: tuple[str, ...] = ()
        self._after: str | None = None
        self._ended = False

    def begin(self, text: str) -> list[Session]:
        """Search for all of the words; return the first matches, pinned sessions first, then the newest."""
        self._words = tuple(text.casefold().split())
        self._after, self._ended = None, False
        return self.more()

    def more(self) -> list[Session]:
        """Return the next matches; an empty list at the end."""
        found: list[Session] = []
        looked_at = 0
        while not self._ended and len(found) < _PAGE and looked_at < _LOOKED_AT:
            limit = _PAGE if not self._words else 500
            page = ListSessions(cursor=self._after, limit=limit).run(self._opened)
            found += [session for session in page.items if self._fits(session)]
            looked_at += len(page.items)
            self._after, self._ended = page.next, page.next is None
        return found

    def _fits(self, session: Session) -> bool:
        if not self._words:
            return True
        text = (
            f"{session.id} {session.title} {session.flow or ''} {session.agent} {session.status}".casefold()
        )
        return all(word in text for word in self._words)
