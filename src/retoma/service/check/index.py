"""The search index held against the journals: every document is an event that says just that, and none is missing.

The index is added up twice, from its pages and from the events that its documents are. The sums are equal when each
term has just the documents that it should have. So nothing of the index's size is kept in memory, and reads are short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from retoma.model.ids import SessionKey, TenantKey
from retoma.model.postings import fingerprint, of_doc
from retoma.model.tokens import VERSION
from retoma.service.search.said import Said, heading, said_in, terms_of
from retoma.stores.contract.search import GOING, LIVE, MAKING, SHELVES, Doc, Indexed, Part, Standing
from retoma.stores.contract.store import Store, Transaction
from retoma.stores.sql.legible import UNREADABLE

__all__ = ["REBUILD", "Index"]

REBUILD: Final = "The journals are not damaged. `retoma store check --repair` rebuilds the index."
_PAGES: Final = 64
_DOCS: Final = 32
_SESSIONS: Final = 20
_AGAIN: Final = 5
_ALL: Final = (1 << 64) - 1

T = TypeVar("T")


class Index:
    """The search index of a store. `documents` counts those that were looked at."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.documents = 0

    def wrong(self) -> Iterator[str]:
        """Yield what is wrong with it, a sentence each."""
        try:
            for said in (*self._sessions(), *self._parts()):
                yield f"The search index is damaged: {said}."
        except UNREADABLE:
            yield "The search index is damaged: part of it cannot be read."

    # Each session has the documents that it should have

    def _sessions(self) -> Iterator[str]:
        after = 0
        while found := self._read(lambda tx, after=after: tx.search.indexed(after=after, limit=_SESSIONS)):
            yield from (said for one in found if (said := _differs(one)))
            if found[-1].key <= after:
                return  # a damaged tree can lead back
            after = found[-1].key

    # Each part's terms have the documents that they should have

    def _parts(self) -> Iterator[str]:
        for tenant in self._read(lambda tx: tx.search.indexes()):
            if said := self._read(lambda tx, of=tenant: _misplaced(tx, of)):
                yield said
            least = 0
            while part := self._read(lambda tx, of=tenant, least=least: _next(tx, of, least)):
                if said := self._part(tenant, part):
                    yield said
                self.documents += part.docs
                least = max(part.end, part.first_doc + 1)  # a damaged one can end before it begins

    def _part(self, tenant: TenantKey, part: Part) -> str:
        """Return what is wrong with a part. One that was changed meanwhile is looked at again."""
        for _ in range(_AGAIN):
            before = self._read(lambda tx: _standing(tx, tenant, part))
            if before is None or not (said := self._sums(tenant, part)):
                return ""
            # Pages and documents are read at many moments: the sums are compared when the index was the same at all.
            if before == self._read(lambda tx: _standing(tx, tenant, part)):
                return said
        return ""

    def _sums(self, tenant: TenantKey, part: Part) -> str:
        kept, after = 0, b""
        while pages := self._read(
            lambda tx, after=after: tx.search.pages_behind(tenant, part.number, after, limit=_PAGES)
        ):
            kept += sum(map(fingerprint, pages))
            if pages[-1].first <= after:
                return "its blocks are not in order"
            after = pages[-1].first
        wanted, low = 0, part.first_doc
        while docs := self._read(
            lambda tx, low=low: tx.search.docs_between(tenant, low, part.end, limit=_DOCS)
        ):
            share = self._read(lambda tx, docs=docs: _share(tx, docs))
            if share is None or docs[-1].number < low:
                return "it has an event that does not exist"
            wanted += share
            low = docs[-1].number + 1
        return "" if kept & _ALL == wanted & _ALL else "it differs from the journals"

    def _read(self, use_case: Callable[..., T]) -> T:
        return self._store.read(use_case)


def _differs(one: Indexed) -> str:
    """Return what is wrong with what the index has of a session."""
    if not one.tenant and not one.kept:
        return f"it knows session number {one.key}, which does not exist"
    if one.tenant and one.shelf not in SHELVES:
        return ""
    name = f"session '{one.id}'" if one.tenant else f"deleted session number {one.key}, of which forks read,"
    if (one.tenant and one.seq > one.head_seq) or one.beyond:
        return f"it knows more events of {name} than exist"
    if one.docs != one.wanted:
        return f"of {name} it has {one.docs:,} events, and should have {one.wanted:,}"
    return ""


def _misplaced(tx: Transaction, tenant: TenantKey) -> str:
    """Return what is wrong with which parts there are: each document is in one that is searched."""
    standing, parts = tx.search.standing(tenant), tx.search.parts(tenant)
    if standing is None or any(type(number) is not int for number in standing):
        return "its position cannot be read"
    if standing.tokens != VERSION:
        return ""  # it is being built anew
    if any(part.docs < 1 for part in parts):
        return "a segment has no documents"
    if any(part.state not in (LIVE, MAKING, GOING) for part in parts):
        return "a segment has an invalid state"
    after = 0
    for part in [*(part for part in parts if part.state == LIVE), Part(0, standing.next_doc, 0)]:
        if part.first_doc < after or tx.search.docs_between(tenant, after, part.first_doc, limit=1):
            return "it has documents that are in no segment, or in two segments"
        after = part.end
    return (
        ""
        if all(part.number < standing.next_part for part in parts)
        else "a segment has a number that was not given out yet"
    )


def _standing(tx: Transaction, tenant: TenantKey, part: Part) -> Standing | None:
    """Return how far the index has come; None when the part is no more what it was: merged, or to be cleaned."""
    return tx.search.standing(tenant) if part in tx.search.parts(tenant) else None


def _next(tx: Transaction, tenant: TenantKey, least: int) -> Part | None:
    """Return the next part, from document `least` on, that is searched and has nothing to be taken out."""
    standing = tx.search.standing(tenant)
    if standing is None or standing.tokens != VERSION:
        return None  # it is being built anew
    return next(
        (
            part
            for part in tx.search.parts(tenant)
            if part.state == LIVE and not part.dirty and part.first_doc >= least
        ),
        None,
    )


def _share(tx: Transaction, docs: Sequence[Doc]) -> int | None:
    """Return what documents add to their part's sum; None when one of them is no event that is searched."""
    events = tx.journal.pick([(doc.key, doc.seq) for doc in docs if doc.seq])
    total = 0
    for doc in docs:
        event = events.get((doc.key, doc.seq))
        if event is not None and event.at != doc.at:
            return None
        said = said_in(event) if event is not None else None if doc.seq else _title(tx, doc.key)
        if said is None:
            return None
        total += of_doc(doc.number, *terms_of(doc.key, said))
    return total


def _title(tx: Transaction, key: SessionKey) -> Said | None:
    row = tx.audit.session(key)
    return heading(row["title"], tx.sessions.about(key).description) if row is not None else None
