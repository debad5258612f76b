"""The search index, built behind those who write: each step is read and made ready beside them, then written at once.

Nothing is done at an append. What is behind is found by when lists last moved a session; so a step reads some sessions,
makes a part of the index of what they have, and writes it, unless the index was changed meanwhile. Parts of a size are
merged, eight at a time. What was erased, deleted or renamed is taken out of its parts' pages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from retoma.errors import Integrity
from retoma.model import postings
from retoma.model.event import Event
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.principal import Principal
from retoma.model.tokens import VERSION
from retoma.service.forget.erasing import clean_index
from retoma.service.search.behind import ENOUGH, SHELVES, SLACK_MS, are_behind, clock_went_back, since_when
from retoma.service.search.merging import merge
from retoma.service.search.said import Said, heading, said_in, terms_of
from retoma.stores.contract.search import Behind, Doc, Part, Standing
from retoma.stores.contract.store import Listing, Store, Transaction

__all__ = ["DOCS", "step"]

DOCS: Final = 256
_BYTES: Final = 128 << 10
"""What a step takes at most."""
_LEAST: Final = 32
"""What it takes before it is asked whether that is enough."""
_LOOKED_AT: Final = 200
_EMPTIED: Final = 1_000


class _Slice(NamedTuple):
    """What a step adds: documents with their terms, how far each session is indexed, and how far the index has come."""

    docs: list[Doc]
    terms: dict[int, tuple[set[str], set[int]]]
    indexed: dict[SessionKey, int]
    due: list[SessionKey]
    turn: int
    standing: Standing


def step(
    store: Store, who: Principal, *, everything: bool = False, enough: Callable[[], bool] = lambda: False
) -> bool:
    """Do one piece of work; return False when nothing was due. With `everything`, however little is behind is.

    `enough` is asked while events are taken: when it says so, a step is a small one.
    """
    tenant, least = who.tenant, 1 if everything else ENOUGH
    standing, parts = store.read(lambda tx: (tx.search.standing(tenant), tx.search.parts(tenant)))
    if standing is None:
        if not store.read(lambda tx: are_behind(tx, tenant, None, least)):
            return False
        store.write(lambda tx: tx.indexing.begin(tenant, VERSION))
        return step(store, who, everything=everything, enough=enough)
    if standing.tokens != VERSION:
        store.write(lambda tx: _empty(tx, tenant))
    elif any(part.dirty for part in parts):
        store.write(lambda tx: clean_index(tx, who))
    else:
        return merge(store, tenant, standing, parts) or _index(store, tenant, standing, least, enough)
    return True


def _empty(tx: Transaction, tenant: TenantKey) -> None:
    standing = tx.search.standing(tenant)
    if standing is not None and standing.tokens:
        tx.indexing.outdate(tenant)  # a search does not rely on what is half gone
    if not tx.indexing.empty(tenant, rows=_EMPTIED):
        tx.indexing.renew(tenant, VERSION)


# A slice


def _index(
    store: Store, tenant: TenantKey, standing: Standing, least: int, enough: Callable[[], bool]
) -> bool:
    """Index a slice of what is behind; return False when that is too little."""
    made = store.read(lambda tx: _gathered(tx, tenant, standing, least, enough))
    if made is None:
        return False
    pages = postings.pages(made.terms)

    def write(tx: Transaction) -> None:
        indexing = tx.indexing
        if not indexing.take_turn(tenant, made.turn):
            return
        if made.docs:
            part = Part(standing.next_part, standing.next_doc, len(made.docs))
            indexing.add_part(tenant, part)
            indexing.add_pages(tenant, part.number, pages)
            indexing.add_docs(tenant, made.docs)
        for key, seq in made.indexed.items():
            indexing.indexed(tenant, key, seq)
        for key in made.due:
            indexing.make_due(tenant, key)
        indexing.move(tenant, made.standing)

    store.write(write)
    return True


def _gathered(
    tx: Transaction, tenant: TenantKey, standing: Standing, least: int, enough: Callable[[], bool]
) -> _Slice | None:
    since = since_when(tx, standing)
    if not clock_went_back(tx, standing) and not are_behind(tx, tenant, standing, least):
        return None
    listed: list[Behind] = []
    listed_to = tx.now - SLACK_MS
    for shelf in SHELVES:
        found = tx.search.behind(tenant, shelf=shelf, since=since, limit=DOCS)
        listed += found
        if len(found) == DOCS:
            listed_to = min(listed_to, found[-1].listed_at)
    came_in = [one for shelf in SHELVES for one in tx.search.due(tenant, shelf=shelf, limit=DOCS)]
    came_in += tx.search.gone(tenant, limit=DOCS)
    taking = _Taking(tx, tenant, standing.next_doc, enough)
    for one in listed:
        if not taking.take(one):
            listed_to = min(listed_to, one.listed_at)
    for one in came_in:
        taking.take(one)
    looked_at, looked_to = tx.search.looked_at(tenant, after=standing.looked_to, limit=_LOOKED_AT)
    return _Slice(
        docs=taking.docs,
        terms=taking.terms,
        indexed=taking.indexed,
        due=[one.key for one, behind in looked_at if behind and one.listed_at < standing.listed_to],
        turn=standing.turn,
        standing=standing._replace(
            next_doc=standing.next_doc + len(taking.docs),
            next_part=standing.next_part + bool(taking.docs),
            listed_to=listed_to,
            looked_to=looked_to or 0,
        ),
    )


class _Taking:
    """What is taken into a slice, session by session, until it is full."""

    def __init__(self, tx: Transaction, tenant: TenantKey, first: int, enough: Callable[[], bool]) -> None:
        self._enough = enough
        self._tx = tx
        self._tenant = tenant
        self._next = first
        self._bytes = 0
        self.docs: list[Doc] = []
        self.terms: dict[int, tuple[set[str], set[int]]] = {}
        self.indexed: dict[SessionKey, int] = {}

    def take(self, one: Behind) -> bool:
        """Take what a session has, as far as there is room; return whether it is indexed to its head then."""
        if one.key in self.indexed:
            return self.indexed[one.key] >= one.head_seq
        if self._room <= 0:
            return False
        if not self._tx.search.has_title(one.key):
            self._take_title(one)
        after = one.after
        while after < one.head_seq and self._room > 0:
            found = self._said(one.key, after, min(self._room, one.head_seq - after))
            for event, said in found:
                if said is not None:
                    self._add(one.key, event.seq, event.at, said)
            after = found[-1][0].seq if found else one.head_seq
        self.indexed[one.key] = after
        return after >= one.head_seq

    @property
    def _room(self) -> int:
        if self._bytes >= _BYTES or (len(self.docs) >= _LEAST and self._enough()):
            return 0
        return min(DOCS - len(self.docs), _LEAST)

    def _said(self, key: SessionKey, after: int, limit: int) -> list[tuple[Event, Said | None]]:
        """Return the next events with what they say; nothing for a damaged one.

        It keeps the rest of its session out of the index, and nothing else. `check` names it.
        """
        try:
            found = self._tx.journal.read(key, after=after, limit=limit, most_bytes=_BYTES - self._bytes)
            return [(event, said_in(event)) for event in found]
        except Integrity:
            return []

    def _take_title(self, one: Behind) -> None:
        for shelf in SHELVES:
            for session in self._tx.sessions.among(self._tenant, Listing(shelf=shelf), [one.key]):
                said = heading(session.title, self._tx.sessions.about(one.key).description)
                if said.text:
                    self._add(one.key, 0, session.updated_at, said)

    def _add(self, key: SessionKey, seq: int, at: int, said: Said) -> None:
        doc = Doc(self._next, key, seq, at)
        self._next += 1
        self._bytes += len(said.text)
        self.docs.append(doc)
        self.terms[doc.number] = terms_of(key, said)
