"""Which documents of the index may answer a query, newest first. The texts decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from retoma.model.ids import SessionKey, TenantKey
from retoma.model.query import Query
from retoma.service.search.said import TITLE, in_role, of_session
from retoma.stores.contract.search import Wanted
from retoma.stores.contract.store import Transaction

__all__ = ["Candidates"]

_MOST_TERMS: Final = 32
"""A query with more words is looked up by these; the texts are compared with all."""
_ALL: Final = 1 << 40


class Candidates:
    """The documents of a tenant's index that may answer `query`, in these sessions and this role if so.

    There are none when the index is of no use, or no session is meant.
    """

    def __init__(
        self,
        tx: Transaction,
        tenant: TenantKey,
        query: Query,
        *,
        usable: bool,
        sessions: Sequence[SessionKey] | None = None,
        role: str | None = None,
    ) -> None:
        self._tx = tx
        self._tenant = tenant
        self._usable = usable and sessions != []
        self._in_a_row = query.in_a_row
        terms = _longest(term for item in query.wanted for term in item.terms)
        self._wanted = Wanted(
            terms=terms if role is None else (*terms, in_role(role)),
            rows=tuple(dict.fromkeys(pair for item in query.wanted for pair in item.pairs))[:_MOST_TERMS],
            beginnings=_longest(begins for item in query.wanted for begins in item.beginnings),
            any_of=tuple(map(of_session, sessions or ())),
            none_of=tuple(
                item.atoms[0].term for item in query.unwanted if len(item.atoms) == 1 and item.last
            ),
        )

    def newest(self, below: int, *, least: int = 0, limit: int = _ALL) -> list[int]:
        """Return the numbers of documents below `below`, from `least` on, that may answer, newest first."""
        return self._asked(self._wanted, least, below, limit)

    def rows(self, below: int = _ALL, *, least: int = 0, limit: int = _ALL) -> list[int]:
        """Return those that may have all that is wanted in a row; nothing where that says nothing more."""
        wanted = self._wanted._replace(rows=(*self._wanted.rows, *self._in_a_row))
        return self._asked(wanted, least, below, limit) if self._in_a_row else []

    def titles(self, below: int = _ALL, *, least: int = 0, limit: int = _ALL) -> list[int]:
        """Return those that are titles."""
        wanted = self._wanted._replace(terms=(*self._wanted.terms, in_role(TITLE)))
        return self._asked(wanted, least, below, limit)

    def _asked(self, wanted: Wanted, low: int, high: int, limit: int) -> list[int]:
        if not self._usable:
            return []
        return self._tx.search.asked(self._tenant, wanted, low=low, high=high, limit=limit)


def _longest(terms: Iterable[str]) -> tuple[str, ...]:
    """Return so many of the terms as are looked up: rare words are mostly long."""
    return tuple(sorted(dict.fromkeys(terms), key=len, reverse=True)[:_MOST_TERMS])
