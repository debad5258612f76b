"""The search index compared with the journals: every document is an event that says just that, and none is missing.

Each document's terms are compared with its event's, in short reads; then the database's own index with the documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from retoma.model.ids import SessionKey, TenantKey
from retoma.model.tokens import VERSION
from retoma.service.search.said import Said, heading, said_in, terms_of
from retoma.stores.contract.search import SHELVES, Doc, Indexed
from retoma.stores.contract.store import Store, Transaction
from retoma.stores.sql.legible import UNREADABLE

__all__ = ["REBUILD", "Index"]

REBUILD: Final = "The journals are not damaged. `retoma store check --repair` rebuilds the index."
_DOCS: Final = 32
_SESSIONS: Final = 20

T = TypeVar("T")


class Index:
    """The search index of a store. `documents` counts those that were looked at."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.documents = 0

    def wrong(self) -> Iterator[str]:
        """Yield what is wrong with it, a sentence each."""
        try:
            for said in (*self._sessions(), *self._documents(), *self._terms()):
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

    # Each document has the terms that it should have

    def _documents(self) -> Iterator[str]:
        for tenant in self._read(lambda tx: tx.search.indexes()):
            standing = self._read(lambda tx, of=tenant: tx.search.standing(of))
            if standing is not None and any(type(number) is not int for number in standing):
                yield "its position cannot be read"
            low = 0
            while docs := self._read(lambda tx, of=tenant, low=low: _next(tx, of, low)):
                if said := self._read(lambda tx, of=tenant, docs=docs: _differ(tx, of, docs)):
                    yield said
                    break
                self.documents += len(docs)
                low = docs[-1].number + 1

    # The database's own index has the terms of the documents

    def _terms(self) -> Iterator[str]:
        if said := self._read(lambda tx: tx.search.wrong()):
            yield said

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


def _next(tx: Transaction, tenant: TenantKey, low: int) -> list[Doc]:
    """Return the next documents, from number `low` on."""
    standing = tx.search.standing(tenant)
    if standing is None or standing.tokens != VERSION:
        return []  # it is being built again
    return tx.search.docs_from(tenant, low, limit=_DOCS)


def _differ(tx: Transaction, tenant: TenantKey, docs: Sequence[Doc]) -> str:
    """Return what is wrong with documents, of those that were not forgotten since they were read."""
    events = tx.journal.pick([(doc.key, doc.seq) for doc in docs if doc.seq])
    for doc in {*docs}.intersection(tx.search.docs(tenant, [doc.number for doc in docs])):
        event = events.get((doc.key, doc.seq))
        said = said_in(event) if event is not None else None if doc.seq else _title(tx, doc.key)
        if said is None or (event is not None and event.at != doc.at):
            return "it has an event that does not exist"
        if not tx.search.says(tenant, doc.number, terms_of(doc.key, said)):
            return "it differs from the journals"
    return ""


def _title(tx: Transaction, key: SessionKey) -> Said | None:
    row = tx.audit.session(key)
    return heading(row["title"], tx.sessions.about(key).description) if row is not None else None
