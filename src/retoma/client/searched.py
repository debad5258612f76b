"""What was said, found."""

from __future__ import annotations

from collections.abc import Iterable

from retoma.client import given
from retoma.client.faces import Blocking
from retoma.model.session import ARCHIVED, SHOWN
from retoma.types import Found

__all__ = ["Searching"]


class Searching(Blocking):
    """What was said in sessions, by its words."""

    def search(
        self,
        text: str,
        *,
        session: str | None = None,
        role: str | None = None,
        status: str | None = None,
        agent: str | None = None,
        tags: Iterable[str] = (),
        contexts: given.Contexts | None = None,
        archived: bool = False,
        since: given.Instant | None = None,
        before: given.Instant | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Found:
        """Return a page of what was said: messages, notes, what flows said and were told, titles with descriptions.

        All words of `text` must be there: also `"a phrase"`, `begin*`, `-without`. Accents and capitals do not matter.
        The best of what is new comes first. `session` is an id, archived or not. `role` is `user`, `assistant`,
        `system`, `tool`, `note` or `title`. `status`, `agent`, `tags`, `contexts` and `archived` are about the session,
        as for `list`. `since` and `before` are about when it was said: a `datetime`, a `timedelta` ago, or a text such
        as `2h`. `limit` is 1 to 200. `cursor` is the `next` of the page before, of the same search.

        What several branches share is found once, in the session that wrote it, or else in a fork that is meant. What
        is erased, deleted or in the trash is not found. `indexed_to` of the page is None, unless more is behind than
        is read beside the index.

        Raises Invalid for a text without a word and for a cursor of another search, NotFound for the session.

        >>> session.append("user", "The connection pool is empty, até amanhã.")
        2
        >>> page = client.search('"connection pool" amanha', role="user", since="1h")
        >>> [(hit.session, hit.seq, hit.snippet) for hit in page]
        [('demo', 2, 'The connection pool is empty, até amanhã.')]
        >>> [hit.snippet[begin:end] for hit in page for begin, end in hit.marks]
        ['connection', 'pool', 'amanhã']
        >>> page.total, page.next, page.indexed_to
        (1, None, None)
        """
        from retoma.commands.search import Search

        now = self._opened.now()
        asked = Search(
            text=text,
            session=session,
            role=role,
            status=status,
            agent=agent,
            tags=given.labels(tags),
            contexts=given.contexts(contexts),
            shelf=ARCHIVED if archived else SHOWN,
            since=given.instant(since, now),
            before=given.instant(before, now),
            limit=limit,
            cursor=cursor,
        )
        return asked.page(self._run(asked))
