"""Full text over what was said, and over titles: relevance within recency, whatever the database.

The index gives candidates, newest first, in windows of a bounded size. What it does not have yet is read from the
journals, and belongs to the first window; so does the best of what is older: texts that have the words in a row, and
titles. Each candidate's text is compared with the query, and each window is ordered by how well they answer. So a
common word costs no more than a rare one, and all that there is can be reached page by page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from retoma.model.ids import SessionKey
from retoma.model.principal import Principal
from retoma.model.query import parse
from retoma.model.ranking import Judge
from retoma.model.session import ARCHIVED
from retoma.model.snippet import cut
from retoma.service.access import head_of
from retoma.service.search.candidates import Candidates
from retoma.service.search.found import LAST, Asked, Cursor, Found, Hit
from retoma.service.search.matching import Match, Matching
from retoma.service.search.unindexed import MOST, unindexed
from retoma.stores.contract.store import Listing, Transaction

__all__ = ["search"]

WINDOW: Final = 320
"""So many candidates of the index are held against the query, and ordered, together."""
_BEST: Final = 48
"""So many texts in a row, and titles, of what is older join the first window."""
_WINDOWS: Final = 25
"""So many windows are looked through for one page: then it is shown, full or not."""
_FEW: Final = 24
"""When no more sessions are meant, the index is asked for them by name."""


def search(
    tx: Transaction, who: Principal, asked: Asked, *, after: Cursor | None = None, limit: int
) -> Found:
    """Return a page of what answers `asked`. Raises Invalid for an empty query, NotFound for its session."""
    return _Search(tx, who, asked, after or Cursor(now=tx.now)).page(limit)


class _Window(NamedTuple):
    """Results in order, where the window ends, and whether nothing was left of what is not indexed."""

    matches: list[Match]
    place: Cursor
    whole: bool


class _Search:
    def __init__(self, tx: Transaction, who: Principal, asked: Asked, place: Cursor) -> None:
        query = parse(asked.text)
        listings = _listings(tx, who, asked)
        only = _only(tx, who, asked, listings)
        standing = tx.search.standing(who.tenant)
        self._tx = tx
        self._tenant = who.tenant
        self._asked = asked
        self._first = place
        self._standing = standing
        self._judge = Judge(query)
        self._matching = Matching(
            tx, who.tenant, asked, self._judge, now=place.now, listings=listings, only=only
        )
        self._index = Candidates(
            tx,
            who.tenant,
            query,
            usable=standing is not None,
            sessions=_with_shared(tx, only),
            role=asked.role,
        )

    def page(self, limit: int) -> Found:
        items: list[Match] = []
        first = window = self._window(self._first)
        for _ in range(_WINDOWS):
            last = window.place.last
            ahead = [match for match in window.matches if last is None or match.order < last]
            items += ahead[: limit - len(items)]
            if len(items) == limit and ahead and items[-1].order != ahead[-1].order:
                return self._found(items, msgspec.structs.replace(window.place, last=items[-1].order), first)
            if not window.place.low:
                return self._found(items, None, first)
            following = msgspec.structs.replace(window.place, high=window.place.low, low=None, last=None)
            if len(items) == limit:
                break
            window = self._window(following)
        return self._found(items, following, first)

    def _found(self, items: list[Match], following: Cursor | None, first: _Window) -> Found:
        begins = self._first.high == LAST and self._first.last is None
        counted = begins and first.whole and not first.place.low
        indexed_to = self._standing.listed_to if self._standing is not None else 0
        return Found(
            items=[self._hit(match) for match in items],
            next=following,
            total=len(first.matches) if counted else None,
            indexed_to=None if first.whole else indexed_to,
        )

    def _window(self, place: Cursor) -> _Window:
        found: dict[int, Match] = {}
        whole = True
        # First, for what is known of the newest makes the best cheaper to find.
        newest, low = self._newest(place)
        if place.high == LAST:
            fresh, whole = self._fresh()
            rows, row = self._best(self._index.rows(limit=_BEST))
            titles, title = self._best(self._index.titles(limit=_BEST))
            place = msgspec.structs.replace(place, rows=row, titles=title)
            found = {match.order.k: match for match in (*fresh, *rows, *titles)}
        found |= {match.order.k: match for match in newest}
        ordered = sorted(found.values(), key=lambda match: match.order, reverse=True)
        return _Window(ordered, msgspec.structs.replace(place, low=low), whole)

    def _fresh(self) -> tuple[list[Match], bool]:
        """Return what answers of what is not indexed yet, and whether all of it was read."""
        matching = self._matching
        read = unindexed(self._tx, self._tenant, self._standing, wanted=matching.meant)
        matches = [matching.event(key, event) for key, event in read.events]
        matches += [matching.title(key) for key in read.titles]
        return [match for match in matches if match is not None], read.whole

    def _best(self, numbers: Sequence[int]) -> tuple[list[Match], int]:
        """Return what answers of these, the newest of their kind, and the last that was looked at; 0 when all were."""
        matches, count = self._matching.examined(numbers)
        return matches, numbers[count - 1] if count < len(numbers) or count == _BEST else 0

    def _newest(self, place: Cursor) -> tuple[list[Match], int]:
        """Return what answers of the window's newest, and the last that was looked at; 0 when no older one may."""
        if place.low is None:
            numbers = self._index.newest(place.high, limit=WINDOW)
        else:
            # The same again. What was not indexed then may be now, and stands before them.
            numbers = self._index.newest(place.high, least=place.low)[-WINDOW - MOST :]
        joined = self._joined(numbers, place)
        looked_at = [one for one in numbers if one not in joined]
        matches, count = self._matching.examined(looked_at, whole=place.low is not None)
        last = numbers[-1:] if count == len(looked_at) else looked_at[count - 1 : count]
        older = [number for low in last for number in self._index.newest(low, limit=1)]
        return matches, last[0] if older else 0

    def _joined(self, numbers: Sequence[int], place: Cursor) -> set[int]:
        """Return which of these documents joined the first window, as some of the best."""
        if place.high == LAST or not numbers:
            return set()
        below, least = numbers[0] + 1, numbers[-1]
        rows = self._index.rows(below, least=max(least, place.rows))
        return {*rows, *self._index.titles(below, least=max(least, place.titles))}

    def _hit(self, match: Match) -> Hit:
        session, said = match.session, match.said
        epochs = self._tx.sessions.epochs(session.key) if match.seq else []
        return Hit(
            session=session,
            seq=match.seq,
            at=match.order.at,
            role=said.role,
            sender=said.sender,
            epoch=next((number for first, number in reversed(epochs) if first <= match.seq), session.epoch),
            snippet=cut(said.text, self._judge.ranges(said.text), self._asked.width),
            score=match.order.score,
        )


def _listings(tx: Transaction, who: Principal, asked: Asked) -> list[Listing]:
    """Return the sessions that are meant. Whoever names an archived one means it. Raises NotFound."""
    if asked.session is not None and head_of(tx, who, asked.session).shelf == ARCHIVED:
        return [msgspec.structs.replace(one, shelf=ARCHIVED) for one in asked.listings]
    return [*asked.listings]


def _only(
    tx: Transaction, who: Principal, asked: Asked, listings: Sequence[Listing]
) -> list[SessionKey] | None:
    """Return the sessions that are meant when they are few, else None."""
    if asked.session is not None:
        return [head_of(tx, who, asked.session).key]
    if listings == [Listing(shelf=listings[0].shelf)]:
        return None
    found = [
        session.key
        for one in listings
        for session, _ in tx.sessions.list(who.tenant, one, after=None, limit=_FEW + 1)
    ]
    return found if len(found) <= _FEW else None


def _with_shared(tx: Transaction, only: list[SessionKey] | None) -> list[SessionKey] | None:
    """Return these sessions with the journals of which they read."""
    if only is None:
        return None
    return [*dict.fromkeys(source for key in only for source in (key, *_sources(tx, key)))]


def _sources(tx: Transaction, key: SessionKey) -> list[SessionKey]:
    return [one.source for one in tx.branches.inherited(key)]
