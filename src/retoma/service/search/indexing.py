"""The search index, built after those who write. Each step indexes some events in one short transaction.

Nothing is done at an append. Sessions with events that are not indexed are found by when lists last moved a session. A
step takes out of the index what was erased, deleted or renamed; when there is nothing of that, it indexes the next
events, and does a piece of the merging that keeps searching fast.
"""

from __future__ import annotations

from typing import Final

from retoma.errors import Integrity
from retoma.model.event import Event
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.principal import Principal
from retoma.model.tokens import VERSION
from retoma.service.forget.erasing import clean_index
from retoma.service.search.behind import ENOUGH, SLACK_MS, due, since_when
from retoma.service.search.said import Said, heading, said_in, terms_of
from retoma.stores.contract.search import SHELVES, Behind, Doc, Standing
from retoma.stores.contract.store import Listing, Store, Transaction

__all__ = ["DOCS", "step"]

DOCS: Final = 160
"""How many documents a step adds at most. Other writers wait for it: it takes some 8 ms."""
_BYTES: Final = 128 << 10
_PAGE: Final = 32
_LOOKED_AT: Final = 200


def step(store: Store, who: Principal, *, everything: bool = False) -> bool:
    """Do one piece of work; return False when none was due. With `everything`, a single event is due."""
    if not store.read(lambda tx: due(tx, who, 1 if everything else ENOUGH)):
        return False
    store.write(lambda tx: _work(tx, who.tenant))
    return True


def _work(tx: Transaction, tenant: TenantKey) -> None:
    standing = tx.indexing.hold(tenant)
    if standing is not None and standing.tokens != VERSION:
        tx.indexing.outdate()
        standing = None
    if standing is None:
        tx.indexing.begin(tenant, VERSION)
        standing = tx.indexing.hold(tenant)
    if standing is not None and not clean_index(tx):
        tx.indexing.merge()
        _index(tx, tenant, standing)


def _index(tx: Transaction, tenant: TenantKey, standing: Standing) -> None:
    """Index some of what is not indexed."""
    listed = tx.search.behind(tenant, since=since_when(tx, standing), limit=DOCS)
    listed_to = min(tx.now - SLACK_MS, listed[-1].listed_at if len(listed) == DOCS else tx.now)
    taking = _Taking(tx, tenant, standing.next_doc)
    for one in listed:
        if not taking.take(one):
            listed_to = min(listed_to, one.listed_at)
    for one in tx.search.due(tenant, limit=DOCS):
        taking.take(one)
    looked_at, looked_to = tx.search.looked_at(tenant, after=standing.looked_to, limit=_LOOKED_AT)
    tx.indexing.add(tenant, taking.docs)
    for key, seq in taking.indexed.items():
        tx.indexing.indexed(tenant, key, seq)
    for one in looked_at:
        if one.listed_at < standing.listed_to and taking.indexed.get(one.key, 0) < one.head_seq:
            tx.indexing.make_due(tenant, one.key)
    next_doc = standing.next_doc + len(taking.docs)
    tx.indexing.move(tenant, Standing(VERSION, next_doc, listed_to, looked_to or 0))


class _Taking:
    """What a step takes, session by session, until that is enough."""

    def __init__(self, tx: Transaction, tenant: TenantKey, first: int) -> None:
        self._tx = tx
        self._tenant = tenant
        self._first = first
        self._bytes = 0
        self.docs: list[tuple[Doc, str]] = []
        self.indexed: dict[SessionKey, int] = {}

    def take(self, one: Behind) -> bool:
        """Take what a session has, as far as there is room; return whether it is indexed to its head then."""
        if one.key in self.indexed:
            return self.indexed[one.key] >= one.head_seq
        if not self._room:
            return False
        if not self._tx.search.has_title(one.key):
            self._take_title(one)
        after = one.after
        while after < one.head_seq and self._room:
            found = self._said(one.key, after, min(self._room, one.head_seq - after))
            for event, said in found:
                if said is not None:
                    self._add(one.key, event.seq, event.at, said)
            after = found[-1][0].seq if found else one.head_seq
        self.indexed[one.key] = after
        return after >= one.head_seq

    @property
    def _room(self) -> int:
        return max(0, min(DOCS - len(self.docs), _PAGE)) if self._bytes < _BYTES else 0

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
        self.docs.append((Doc(self._first + len(self.docs), key, seq, at), terms_of(key, said)))
        self._bytes += len(said.text)
