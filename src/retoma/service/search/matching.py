"""Candidates held against a query: their texts are read, a bounded volume at a time, and those that answer are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from retoma.errors import Integrity
from retoma.model.event import Event
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.ranking import IN_TITLE, Judge, recency
from retoma.model.session import Session
from retoma.service.search.found import Asked, Order
from retoma.service.search.said import TITLE, Said, heading, said_in
from retoma.stores.contract.search import Doc, Reading
from retoma.stores.contract.store import Listing, Transaction

__all__ = ["Match", "Matching"]

BYTES: Final = 1 << 20
"""So much text is read for a window."""
_FIRST, _MOST = 8, 64
"""So many texts are read at once: a few first, for they may be large."""


class Match(NamedTuple):
    """A text that answers."""

    order: Order
    session: Session
    seq: int
    said: Said


class Matching:
    """What answers a query, in the sessions that `listings` mean; when `only` is given, in none but those.

    What several sessions share is found once: in the one that wrote it, or in the first of its forks that is meant.
    """

    def __init__(
        self,
        tx: Transaction,
        tenant: TenantKey,
        asked: Asked,
        judge: Judge,
        *,
        now: int,
        listings: Sequence[Listing],
        only: Sequence[SessionKey] | None,
    ) -> None:
        self._tx = tx
        self._tenant = tenant
        self._asked = asked
        self._judge = judge
        self._now = now
        self._listings = listings
        self._only = only
        self._known: dict[SessionKey, Session | None] = {}
        self._readers: dict[SessionKey, list[Reading]] = {}

    def examined(self, numbers: Sequence[int], *, whole: bool = False) -> tuple[list[Match], int]:
        """Return those of these documents that answer, and how many were looked at before it was text enough.

        With `whole` all are looked at.
        """
        matches: list[Match] = []
        size, at, step = 0, 0, _FIRST
        while at < len(numbers) and (whole or size < BYTES):
            docs = self._tx.search.docs(self._tenant, numbers[at : at + step])
            at = min(at + step, len(numbers))
            for doc, said, when in self._texts(docs):
                size += len(said.text)
                if match := self._match(doc.key, doc.seq, when, said):
                    matches.append(match)
            if size * _MOST < BYTES * at:
                step = min(2 * step, _MOST)
        return matches, at

    def event(self, key: SessionKey, event: Event) -> Match | None:
        """Return what an event of one of the sessions is, if it answers."""
        said = _said(event)
        return self._match(key, event.seq, event.at, said) if said is not None else None

    def title(self, key: SessionKey) -> Match | None:
        """Return what a session itself is, if it is meant and answers."""
        session = self.sessions([key]).get(key)
        return (
            self._match(key, 0, session.updated_at, self._heading(session)) if session is not None else None
        )

    def meant(self, keys: Sequence[SessionKey]) -> set[SessionKey]:
        """Return which journals have rows of sessions that are meant."""
        self._look_up(keys)
        return {
            key
            for key in keys
            if self._known[key] is not None or self._first(one.key for one in self._readers[key]) is not None
        }

    def sessions(self, keys: Sequence[SessionKey]) -> dict[SessionKey, Session]:
        """Return those of `keys` that are meant."""
        unknown = [key for key in dict.fromkeys(keys) if key not in self._known]
        if unknown:
            self._known |= dict.fromkeys(unknown)
            meant = unknown if self._only is None else [key for key in unknown if key in self._only]
            for listing in self._listings:
                for session in self._tx.sessions.among(self._tenant, listing, meant):
                    self._known[session.key] = session
        return {key: one for key in keys if (one := self._known[key]) is not None}

    def _texts(self, docs: Sequence[Doc]) -> list[tuple[Doc, Said, int]]:
        """Return what documents of sessions that are meant say, and when."""
        self._look_up([doc.key for doc in docs])
        in_time = (doc for doc in docs if not doc.seq or self._in_time(doc.at))
        meant = [(doc, one) for doc in in_time if (one := self._session(doc.key, doc.seq)) is not None]
        events = self._events([(doc.key, doc.seq) for doc, _ in meant if doc.seq])
        texts: list[tuple[Doc, Said, int]] = []
        for doc, session in meant:
            event = events.get((doc.key, doc.seq))
            if not doc.seq:
                texts.append((doc, self._heading(session), session.updated_at))
            elif event is not None and (said := _said(event)) is not None:
                texts.append((doc, said, event.at))
        return texts

    def _match(self, key: SessionKey, seq: int, at: int, said: Said) -> Match | None:
        if self._asked.role not in (None, said.role) or not self._in_time(at):
            return None
        relevance = self._judge.relevance(said.text)
        if relevance is None:
            return None
        self._look_up([key])
        session = self._session(key, seq)
        if session is None:
            return None
        score = relevance + recency(at, self._now) + IN_TITLE * (said.role == TITLE)
        return Match(Order(score, at, key << 32 | seq), session, seq, said)

    def _look_up(self, keys: Sequence[SessionKey]) -> None:
        """Learn which of `keys` are meant, and who shares rows of the others."""
        meant = self.sessions(keys)
        unknown = [key for key in dict.fromkeys(keys) if key not in meant and key not in self._readers]
        if unknown:
            self._readers |= {key: [] for key in unknown} | self._tx.search.readers(unknown)

    def _session(self, key: SessionKey, seq: int) -> Session | None:
        """Return in which session a row is found, of those that are meant; its journal was looked up."""
        own = self._known[key]
        if own is not None or not seq:
            return own
        return self._first(one.key for one in self._readers[key] if one.first <= seq <= one.last)

    def _first(self, keys: Iterable[SessionKey]) -> Session | None:
        rest = iter(keys)
        while some := [*islice(rest, _MOST)]:
            if found := self.sessions(some):
                return next(iter(found.values()))
        return None

    def _in_time(self, at: int) -> bool:
        since, before = self._asked.since, self._asked.before
        return (since is None or at >= since) and (before is None or at < before)

    def _heading(self, session: Session) -> Said:
        return heading(session.title, self._tx.sessions.about(session.key).description)

    def _events(self, places: Sequence[tuple[SessionKey, int]]) -> dict[tuple[SessionKey, int], Event]:
        """Return the events that can be read: a damaged one does not hide the others."""
        try:
            return self._tx.journal.pick(places)
        except Integrity:
            if len(places) == 1:
                return {}
        return {place: event for one in places for place, event in self._events([one]).items()}


def _said(event: Event) -> Said | None:
    try:
        return said_in(event)
    except Integrity:
        return None  # `check` names a damaged event; what is whole is found all the same
