"""Full text over what was said, and over titles: relevance within recency, whatever the database.

The index gives candidates, newest first, in windows of a bounded size. What it does not have yet is read from the
journals, and belongs to the first window; so does the best of what is older: texts that have the words in a row, and
titles. Each candidate's text is held against the query, and each window is ordered by how well they answer. So a common
word costs no more than a rare one, and all that there is can be reached page by page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from retoma.errors import Integrity
from retoma.model.event import Event
from retoma.model.ids import SessionKey
from retoma.model.principal import Principal
from retoma.model.query import parse
from retoma.model.ranking import IN_TITLE, Judge, recency
from retoma.model.session import ARCHIVED, Session
from retoma.model.snippet import cut
from retoma.service.access import head_of
from retoma.service.candidates import Candidates
from retoma.service.found import LAST, Asked, Cursor, Found, Hit, Order
from retoma.service.said import TITLE, Said, heading, said_in
from retoma.service.unindexed import unindexed
from retoma.stores.api import Listing, Transaction
from retoma.stores.api_search import Doc

__all__ = ["search"]

WINDOW: Final = 400
"""So many candidates of the index are held against the query, and ordered, together."""
_WINDOW_BYTES: Final = 1 << 20
_BEST: Final = 64
"""So many texts in a row, and titles, of what is older join the first window."""
_WINDOWS: Final = 25
"""So many windows are looked through for one page: then it is shown, full or not."""
_CHUNK: Final = 64
_FEW: Final = 24
"""When no more sessions are meant, the index is asked for them by name."""


class _Match(NamedTuple):
    order: Order
    session: Session
    seq: int
    said: Said


def search(
    tx: Transaction, who: Principal, asked: Asked, *, after: Cursor | None = None, limit: int
) -> Found:
    """Return a page of what answers `asked`. Raises Invalid for an empty query, NotFound for its session."""
    return _Search(tx, who, asked, after or Cursor(now=tx.now)).page(limit)


class _Search:
    def __init__(self, tx: Transaction, who: Principal, asked: Asked, place: Cursor) -> None:
        self._tx = tx
        self._tenant = who.tenant
        self._asked = asked
        self._place = place
        self._query = parse(asked.text)
        self._judge = Judge(self._query)
        self._listings = list(asked.listings)
        self._known: dict[SessionKey, Session | None] = {}
        self._only = self._chosen(who)
        standing = tx.search.standing(who.tenant)
        self._standing = standing
        self._index = Candidates(
            tx,
            who.tenant,
            self._query,
            role=asked.role,
            sessions=self._only,
            parts=tx.search.parts(who.tenant) if standing is not None and standing.tokens else (),
        )

    def page(self, limit: int) -> Found:
        items: list[_Match] = []
        indexed_to: int | None = None
        counted = self._place.high == LAST and self._place.last is None
        total: int | None = None
        following: Cursor | None = self._place
        for _ in range(_WINDOWS):
            assert following is not None
            place = following
            window, place, whole = self._window(place)
            if not whole:
                indexed_to = self._standing.listed_to if self._standing and self._standing.tokens else 0
            ahead = [match for match in window if place.last is None or match.order < place.last]
            taken = ahead[: limit - len(items)]
            items += taken
            if counted and whole and not place.low:
                total = len(window)
            counted = False
            if len(taken) < len(ahead):
                following = msgspec.structs.replace(place, last=items[-1].order)
                break
            following = (
                msgspec.structs.replace(place, high=place.low, low=None, last=None) if place.low else None
            )
            if following is None or len(items) == limit:
                break
        return Found(
            items=[self._hit(match) for match in items], next=following, total=total, indexed_to=indexed_to
        )

    def _window(self, place: Cursor) -> tuple[list[_Match], Cursor, bool]:
        """Return a window's results in order, its cursor with where it ends, and whether nothing unindexed was left."""
        found: dict[tuple[SessionKey, int], _Match] = {}
        whole = True
        if place.high == LAST:
            fresh, whole = self._fresh()
            rows = [*islice(self._index.rows(), _BEST)]
            titles = [*islice(self._index.titles(), _BEST)]
            best = sorted({*rows, *titles})
            place = msgspec.structs.replace(
                place,
                rows=rows[-1] if len(rows) == _BEST else 0,
                titles=titles[-1] if len(titles) == _BEST else 0,
            )
            for match in (*fresh, *self._held(best)):
                found[match.session.key, match.seq] = match
        matches, low = self._newest(place)
        found |= {(match.session.key, match.seq): match for match in matches}
        ordered = sorted(found.values(), key=lambda match: match.order, reverse=True)
        return ordered, msgspec.structs.replace(place, low=low), whole

    def _newest(self, place: Cursor) -> tuple[list[_Match], int]:
        """Return what answers among the window's newest documents, and the last of them; 0 when no older one may."""
        lowest = place.low or 0
        numbers = [number for number in islice(self._index.newest(place.high), WINDOW) if number >= lowest]
        matches: list[_Match] = []
        size = 0
        for start in range(0, len(numbers), _CHUNK):
            chunk = numbers[start : start + _CHUNK]
            lowest = chunk[-1]
            for match in self._held(self._not_best(chunk, place)):
                matches.append(match)
                size += len(match.said.text)
            if size >= _WINDOW_BYTES and place.low is None:
                break
        more = next(self._index.newest(lowest), None) if numbers else None
        return matches, lowest if more is not None else 0

    def _not_best(self, numbers: Sequence[int], place: Cursor) -> list[int]:
        """Leave out what joined the first window already."""
        if place.high == LAST:
            return [*numbers]
        index = self._index
        return [
            number
            for number in numbers
            if (number < place.rows or not index.is_of_rows(number))
            and (number < place.titles or not index.is_of_titles(number))
        ]

    # Candidates held against the query

    def _fresh(self) -> tuple[list[_Match], bool]:
        """Return what answers of what is not indexed yet, and whether all of it was read."""
        found = unindexed(self._tx, self._tenant, self._standing, shelf=self._shelf, wanted=self._sessions)
        matches = [self._match_event(key, event) for key, event in found.events]
        matches += [self._match_title(key) for key in found.titles]
        return [match for match in matches if match is not None], found.whole

    def _held(self, numbers: Sequence[int]) -> Iterator[_Match]:
        """Yield those of these documents that answer."""
        for start in range(0, len(numbers), _CHUNK):
            docs = self._tx.search.docs(self._tenant, numbers[start : start + _CHUNK])
            sessions = self._sessions([doc.key for doc in docs])
            docs = [doc for doc in docs if doc.key in sessions and (not doc.seq or self._in_time(doc.at))]
            events = self._events(docs)
            for doc in docs:
                event = events.get((doc.key, doc.seq))
                match = self._match_event(doc.key, event) if event else None
                if not doc.seq:
                    match = self._match_title(doc.key)
                if match is not None:
                    yield match

    def _match_event(self, key: SessionKey, event: Event) -> _Match | None:
        try:
            said = said_in(event)
        except Integrity:
            return None  # `check` names a damaged event; what is whole is found all the same
        return self._match(key, event.seq, event.at, said) if said is not None else None

    def _match_title(self, key: SessionKey) -> _Match | None:
        session = self._sessions([key])[key]
        said = heading(session.title, self._tx.sessions.about(key).description)
        return self._match(key, 0, session.updated_at, said)

    def _match(self, key: SessionKey, seq: int, at: int, said: Said) -> _Match | None:
        if self._asked.role not in (None, said.role) or not self._in_time(at):
            return None
        relevance = self._judge.relevance(said.text)
        if relevance is None:
            return None
        score = relevance + recency(at, self._place.now) + IN_TITLE * (said.role == TITLE)
        return _Match(Order(score, at, key << 32 | seq), self._sessions([key])[key], seq, said)

    def _in_time(self, at: int) -> bool:
        since, before = self._asked.since, self._asked.before
        return (since is None or at >= since) and (before is None or at < before)

    def _events(self, docs: Iterable[Doc]) -> dict[tuple[SessionKey, int], Event]:
        places = [(doc.key, doc.seq) for doc in docs if doc.seq]
        try:
            return self._tx.journal.pick(places)
        except Integrity:
            found: dict[tuple[SessionKey, int], Event] = {}
            for place in places:
                try:
                    found |= self._tx.journal.pick([place])
                except Integrity:
                    continue
            return found

    # Sessions that are meant

    def _chosen(self, who: Principal) -> list[SessionKey] | None:
        """Return the sessions that are meant when they are few, else None."""
        if self._asked.session is not None:
            head = head_of(self._tx, who, self._asked.session)
            if head.shelf == ARCHIVED:
                # Whoever names it means it, wherever it is put.
                self._listings = [msgspec.structs.replace(one, shelf=ARCHIVED) for one in self._listings]
            return [head.key]
        if self._listings == [Listing(shelf=self._shelf)]:
            return None
        found = [
            session.key
            for one in self._listings
            for session, _ in self._tx.sessions.list(self._tenant, one, after=None, limit=_FEW + 1)
        ]
        return found if len(found) <= _FEW else None

    @property
    def _shelf(self) -> int:
        return self._listings[0].shelf

    def _sessions(self, keys: Sequence[SessionKey]) -> dict[SessionKey, Session]:
        """Return those of `keys` that are meant."""
        unknown = [key for key in dict.fromkeys(keys) if key not in self._known]
        if unknown:
            self._known |= dict.fromkeys(unknown)
            meant = unknown if self._only is None else [key for key in unknown if key in self._only]
            for listing in self._listings:
                for session in self._tx.sessions.among(self._tenant, listing, meant):
                    self._known[session.key] = session
        return {key: one for key in keys if (one := self._known[key]) is not None}

    def _hit(self, match: _Match) -> Hit:
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
