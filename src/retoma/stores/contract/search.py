"""What a store promises of the search index. Its contract is this prose; `conformance_search.py` tests it.

Documents are numbered in the order in which they were indexed, so newer ones mostly have the higher numbers. Each
database finds them by their terms with an index of its own. What is erased or deleted is no document from that moment
on; its terms are taken out by `clean`, and are in no file once `Store.forget` has run after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from retoma.model.ids import SessionKey, TenantKey
from retoma.model.session import ARCHIVED, SHOWN, TRASHED

SHELVES: Final = (SHOWN, ARCHIVED, TRASHED)
"""What is indexed: nothing finds a session in the trash, but forks may share what it said."""


class Standing(NamedTuple):
    """How far a tenant's index has come. `tokens` is the version of the rule by which its texts were cut.

    No session that lists last moved before `listed_to` is behind; `looked_to` is the last session that was looked at
    whatever lists say.
    """

    tokens: int
    next_doc: int
    listed_to: int
    looked_to: int


class Wanted(NamedTuple):
    """What documents must have: all of `terms`, of `rows` (two terms in a row), and a term for each of `beginnings`.

    When `any_of` is given, one of these too; and none of `none_of`.
    """

    terms: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    beginnings: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


class Behind(NamedTuple):
    """A session with events that are not indexed: those behind `after`, up to `head_seq`.

    Its own rows begin behind `base_seq`. What a fork shares of others is indexed where its rows are.
    """

    key: SessionKey
    listed_at: int
    head_seq: int
    base_seq: int
    indexed_seq: int

    @property
    def after(self) -> int:
        return max(self.base_seq, self.indexed_seq)


class Reading(NamedTuple):
    """A session that shares the events `first` to `last` of another."""

    key: SessionKey
    first: int
    last: int


class Doc(NamedTuple):
    """A document: an event of the journal `key` that has its row, or with seq 0 a session's title and description."""

    number: int
    key: SessionKey
    seq: int
    at: int


class Indexed(NamedTuple):
    """A session as the search index knows it: up to an event, with so many documents, and so many that it should have.

    `beyond` are documents behind that event. Without a session the id is empty, and its head 0: then `kept` says
    whether its rows are still there for somebody.
    """

    key: int
    id: str
    tenant: int
    shelf: int
    seq: int
    head_seq: int
    docs: int
    beyond: int
    wanted: int
    kept: int


class Search(Protocol):
    """The index as it is read."""

    def standing(self, tenant: TenantKey) -> Standing | None: ...
    def asked(self, tenant: TenantKey, wanted: Wanted, *, low: int, high: int, limit: int) -> list[int]:
        """Return the numbers from `low` to ahead of `high` that have what is wanted, the newest first.

        There may be some that have not, and some that are no documents any more.
        """
        ...

    def docs(self, tenant: TenantKey, numbers: Sequence[int]) -> list[Doc]:
        """Return those of `numbers` that are still documents, in no order."""
        ...

    def docs_from(self, tenant: TenantKey, low: int, *, limit: int) -> list[Doc]:
        """Return the documents from a number on, in order."""
        ...

    def says(self, tenant: TenantKey, number: int, text: str) -> bool:
        """Return whether a document has just these terms."""
        ...

    def dirty(self) -> bool:
        """Return whether terms of something that is forgotten are still there."""
        ...

    def behind(self, tenant: TenantKey, *, since: int, limit: int, newest: bool = False) -> list[Behind]:
        """Return sessions with events that are not indexed, of those that lists moved at `since` or later.

        At most `limit`, those moved first come first; or last with `newest`.
        """
        ...

    def due(self, tenant: TenantKey, *, limit: int) -> list[Behind]:
        """Return at most `limit` sessions that lists did not move; and as many that are gone, of which forks read."""
        ...

    def readers(self, keys: Sequence[SessionKey]) -> dict[SessionKey, list[Reading]]:
        """Return the sessions that share rows of these journals, by their numbers."""
        ...

    def looked_at(self, tenant: TenantKey, *, after: int, limit: int) -> tuple[list[Behind], int | None]:
        """Look at the next `limit` sessions of the store after number `after`, in the order of their numbers.

        Return those of the tenant that have events that are not indexed, and the last number; None for the end.
        """
        ...

    def has_title(self, key: SessionKey) -> bool:
        """Return whether the session's title is a document."""
        ...

    # Of every tenant, for `store check` and `store gc`

    def wrong(self) -> str:
        """Return what is wrong: a document of no index, or terms that are not those of the documents; or nothing."""
        ...

    def indexed(self, *, after: int, limit: int) -> Sequence[Indexed]:
        """Return what the search index says of sessions, in the order of their numbers."""
        ...

    def indexes(self) -> Sequence[TenantKey]:
        """Return the tenants that have a search index."""
        ...

    def unindexed(self, tenant: TenantKey) -> int:
        """Return how many events the search index does not have."""
        ...


class Indexing(Protocol):
    """The index as it is built. Whoever changes it holds it first, in the same transaction."""

    def begin(self, tenant: TenantKey, tokens: int) -> None:
        """Make an empty index, unless there is one."""
        ...

    def hold(self, tenant: TenantKey) -> Standing | None:
        """Return how far the index has come. Until the transaction ends, nobody else changes it or erases of it."""
        ...

    def move(self, tenant: TenantKey, standing: Standing) -> None: ...
    def outdate(self) -> None:
        """Delete the index of all tenants: it is built again."""
        ...

    def make_due(self, tenant: TenantKey, key: SessionKey) -> None: ...
    def indexed(self, tenant: TenantKey, key: SessionKey, seq: int) -> None:
        """Say that the session is indexed up to `seq`."""
        ...

    def add(self, tenant: TenantKey, docs: Iterable[tuple[Doc, str]]) -> None:
        """Add documents with their terms: separated by spaces, and side by side when they are in a row."""
        ...

    def merge(self) -> None:
        """Do a piece of what keeps searching fast, a few milliseconds at most."""
        ...

    def clean(self, *, docs: int) -> bool:
        """Take the terms of at most `docs` forgotten documents out; False when nothing was left to do."""
        ...
