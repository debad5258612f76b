"""Which documents of the index may answer a query, newest first. The texts decide: pairs can share a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from retoma.model.ids import SessionKey, TenantKey
from retoma.model.postings import pair_key, with_pair, with_prefix, with_term
from retoma.model.query import Query
from retoma.service.search.said import TITLE, in_role, of_session
from retoma.stores.contract.search import LIVE, Part
from retoma.stores.contract.store import Transaction

__all__ = ["Candidates"]

_FIRST: Final = 4
"""So many parts, the newest, are looked into first; then twice as many each time."""
_MOST_TERMS: Final = 32
"""A query with more words is looked up by these; the texts are held against all."""

_ALL: Final = "all"
_ROWS: Final = "rows"
_TITLES: Final = "titles"
_LOW: Final = 0xFFFF

Docs: TypeAlias = set[int]
Ask: TypeAlias = "Callable[[int, int], dict[int, Iterable[int]]]"
"""Of the parts that begin between two documents: who has what is asked for, by part."""


class _Batch(NamedTuple):
    """Parts that are looked into together: those that begin from document `low` on, ahead of `high`."""

    parts: Sequence[Part]
    low: int
    high: int


class Candidates:
    """The documents in `parts` of a tenant's index that may answer `query`, in these sessions and this role if so.

    What was found in a part is kept: the same parts are asked for again.
    """

    def __init__(
        self,
        tx: Transaction,
        tenant: TenantKey,
        query: Query,
        *,
        parts: Sequence[Part],
        sessions: Sequence[SessionKey] | None = None,
        role: str | None = None,
    ) -> None:
        self._tx = tx
        self._tenant = tenant
        live = [part for part in parts if part.state == LIVE]
        self._batches = _batches(live[::-1]) if sessions != [] else []
        self._in_a_row = [self._pair(number) for number in query.in_a_row]
        self._wanted = [*self._of_query(query)]
        if sessions:
            self._wanted.insert(0, self._any([of_session(key) for key in sessions]))
        if role is not None:
            self._wanted.append(self._term(in_role(role)))
        self._unwanted = [
            self._term(item.atoms[0].term) for item in query.unwanted if len(item.atoms) == 1 and item.last
        ]
        self._of_kind: dict[str, list[Ask]] = {
            _ALL: [],
            _ROWS: self._in_a_row,
            _TITLES: [self._term(in_role(TITLE))],
        }
        self._known: dict[tuple[int, str], dict[int, Docs]] = {}

    def newest(self, below: int) -> Iterator[int]:
        """Yield the numbers of documents below `below` that may answer, newest first."""
        return self._walk(below, lambda number: self._matches(number, _ALL))

    def rows(self) -> Iterator[int]:
        """Yield those that may have all that is wanted in a row; nothing where that says nothing more."""
        if self._in_a_row:
            yield from self._walk(None, lambda number: self._matches(number, _ROWS))

    def titles(self) -> Iterator[int]:
        """Yield those that are titles."""
        return self._walk(None, lambda number: self._matches(number, _TITLES))

    def is_of_rows(self, doc: int) -> bool:
        """Return whether a document is one of `rows`."""
        return bool(self._in_a_row) and self._is_of(doc, _ROWS)

    def is_of_titles(self, doc: int) -> bool:
        """Return whether a document is one of `titles`."""
        return self._is_of(doc, _TITLES)

    def _is_of(self, doc: int, kind: str) -> bool:
        for number, batch in enumerate(self._batches):
            for part in batch.parts:
                if part.first_doc <= doc < part.end:
                    return doc & _LOW in self._matches(number, kind).get(part.number, ())
        return False

    def _walk(self, below: int | None, found_in: Callable[[int], dict[int, Docs]]) -> Iterator[int]:
        for number, batch in enumerate(self._batches):
            if below is not None and batch.low >= below:
                continue
            found = found_in(number)
            for part in batch.parts:
                docs = _newest_first(part, found.get(part.number, set()))
                yield from docs if below is None else (doc for doc in docs if doc < below)

    def _matches(self, number: int, kind: str) -> dict[int, Docs]:
        known = self._known.get((number, kind))
        if known is None:
            batch, all_of_it = self._batches[number], self._known.get((number, _ALL))
            if all_of_it is None:
                known = self._less(_with_all([*self._of_kind[kind], *self._wanted], batch), batch)
            else:
                known = _with_all(self._of_kind[kind], batch, all_of_it)
            self._known[number, kind] = known
        return known

    def _less(self, found: dict[int, Docs], batch: _Batch) -> dict[int, Docs]:
        """Take out who has what must not be there."""
        for ask in self._unwanted if found else ():
            for part, docs in ask(batch.low, batch.high).items():
                if part in found:
                    found[part].difference_update(docs)
        return found

    # What can be asked

    def _of_query(self, query: Query) -> Iterator[Ask]:
        """Yield what the query wants, what few documents have first: rare words are mostly long."""
        pairs = [number for item in query.wanted for number in item.pairs]
        yield from map(self._pair, list(dict.fromkeys(pairs))[:_MOST_TERMS])
        terms = dict.fromkeys(term for item in query.wanted for term in item.terms)
        yield from map(self._term, sorted(terms, key=len, reverse=True)[:_MOST_TERMS])
        beginnings = dict.fromkeys(begins for item in query.wanted for begins in item.beginnings)
        yield from map(self._beginning, sorted(beginnings, key=len, reverse=True)[:_MOST_TERMS])

    def _term(self, term: str) -> Ask:
        def ask(low: int, high: int) -> dict[int, Iterable[int]]:
            pages = self._tx.search.pages_at(self._tenant, term.encode(), low=low, high=high)
            return {part: with_term(data, term) for part, data in pages.items()}

        return ask

    def _pair(self, number: int) -> Ask:
        def ask(low: int, high: int) -> dict[int, Iterable[int]]:
            pages = self._tx.search.pages_at(self._tenant, pair_key(number), low=low, high=high)
            return {part: with_pair(data, number) for part, data in pages.items()}

        return ask

    def _beginning(self, prefix: str) -> Ask:
        def ask(low: int, high: int) -> dict[int, Iterable[int]]:
            first = prefix.encode()
            pages = [*self._tx.search.pages_at(self._tenant, first, low=low, high=high).items()]
            # 0xff is in no text: all that begins so stands ahead of it.
            pages += self._tx.search.pages_between(self._tenant, first, first + b"\xff", low=low, high=high)
            found: dict[int, Docs] = {}
            for part, data in pages:
                found.setdefault(part, set()).update(with_prefix(data, prefix))
            return {part: docs for part, docs in found.items() if docs}

        return ask

    def _any(self, terms: Sequence[str]) -> Ask:
        def ask(low: int, high: int) -> dict[int, Iterable[int]]:
            found: dict[int, Docs] = {}
            for term in terms:
                for part, docs in self._term(term)(low, high).items():
                    found.setdefault(part, set()).update(docs)
            return {part: docs for part, docs in found.items() if docs}

        return ask


def _with_all(asked: Sequence[Ask], batch: _Batch, among: dict[int, Docs] | None = None) -> dict[int, Docs]:
    """Return who has all of what is asked, by part; of those among whom it is asked, if so."""
    found = among
    for ask in asked:
        if found is not None and not found:
            return found
        got = ask(batch.low, batch.high)
        here = (
            got
            if found is None
            else {part: found[part].intersection(got[part]) for part in got if part in found}
        )
        found = {part: set(docs) for part, docs in here.items() if docs}
    return found or {}


def _newest_first(part: Part, docs: Docs) -> Iterator[int]:
    """Yield the numbers of a part's documents, which are told apart by their last 16 bits."""
    low = part.first_doc & _LOW
    base = part.first_doc - low
    beyond = [doc for doc in docs if doc < low]
    yield from (base + _LOW + 1 + doc for doc in sorted(beyond, reverse=True))
    yield from (base + doc for doc in sorted(docs.difference(beyond) if beyond else docs, reverse=True))


def _batches(parts: Sequence[Part]) -> list[_Batch]:
    """Return parts, newest first, in batches that grow."""
    batches: list[_Batch] = []
    start, size = 0, _FIRST
    while start < len(parts):
        some = parts[start : start + size]
        batches.append(_Batch(some, some[-1].first_doc, some[0].first_doc + 1))
        start += size
        size *= 2
    return batches
