"""What a store promises of the search index. Its contract is this prose; `conformance_search.py` tests it.

Documents are numbered in the order in which they were indexed, so newer ones mostly have the higher numbers. A part
has a stretch of them, and its pages (`model/postings.py`). What is erased or deleted is no document from that moment
on; its terms are taken out of the pages by `clean`, and are in no file once `Store.forget` has run after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from retoma.model.ids import SessionKey, TenantKey
from retoma.model.session import ARCHIVED, SHOWN, TRASHED

if TYPE_CHECKING:
    from retoma.model.postings import Page

LIVE: Final = 0
MAKING: Final = 1
GOING: Final = 2

SHELVES: Final = (SHOWN, ARCHIVED, TRASHED)
"""What is indexed: nothing finds a session in the trash, but forks may share what it said."""


class Standing(NamedTuple):
    """How far a tenant's index has come. `tokens` is the tokeniser's version, 0 when it is to be built anew.

    No session that lists last moved before `listed_to` is behind; `looked_to` is the last session that was looked at
    whatever lists say.
    """

    tokens: int
    turn: int
    next_doc: int
    next_part: int
    listed_to: int
    looked_to: int


class Part(NamedTuple):
    """A part of the index: `docs` documents from `first_doc` on. What the key `reached` says depends on its state."""

    number: int
    first_doc: int
    docs: int
    state: int = LIVE
    reached: bytes | None = None

    @property
    def end(self) -> int:
        return self.first_doc + self.docs

    @property
    def making(self) -> bool:
        return self.state == MAKING

    @property
    def dirty(self) -> bool:
        """Whether pages of it still hold what was forgotten, or are to go altogether."""
        return self.state == GOING or (self.state == LIVE and self.reached is not None)


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
    def parts(self, tenant: TenantKey) -> list[Part]:
        """Return the parts, oldest documents first."""
        ...

    def pages_at(self, tenant: TenantKey, key: bytes, *, low: int, high: int) -> dict[int, bytes]:
        """Return the page on which `key` would be, of each live part that begins from document `low` to `high`."""
        ...

    def pages_between(
        self, tenant: TenantKey, after: bytes, before: bytes, *, low: int, high: int
    ) -> list[tuple[int, bytes]]:
        """Return (part, page) for the pages that begin between two keys, of the same parts."""
        ...

    def pages_from(self, tenant: TenantKey, part: int, key: bytes, *, limit: int) -> list[Page]:
        """Return the page on which `key` would be and those behind it, at most `limit`."""
        ...

    def pages_behind(self, tenant: TenantKey, part: int, key: bytes, *, limit: int) -> list[Page]:
        """Return a part's pages that begin behind `key`, at most `limit`."""
        ...

    def docs(self, tenant: TenantKey, numbers: Sequence[int]) -> list[Doc]:
        """Return those of `numbers` that are still documents, in no order."""
        ...

    def docs_between(self, tenant: TenantKey, low: int, high: int, *, limit: int) -> list[Doc]: ...
    def behind(
        self,
        tenant: TenantKey,
        *,
        shelf: int,
        since: int,
        limit: int,
        newest: bool = False,
        anew: bool = False,
    ) -> list[Behind]:
        """Return at most `limit` sessions that lists moved at `since` or later and that are behind, oldest first.

        With `anew` all are, as if nothing were indexed.
        """
        ...

    def due(self, tenant: TenantKey, *, shelf: int, limit: int) -> list[Behind]:
        """Return sessions that are behind although lists did not move them."""
        ...

    def gone(self, tenant: TenantKey, *, limit: int, anew: bool = False) -> list[Behind]:
        """Return sessions that are gone, and whose rows forks read, which the index may not have."""
        ...

    def readers(self, keys: Sequence[SessionKey]) -> dict[SessionKey, list[Reading]]:
        """Return the sessions that share rows of these journals, by their numbers."""
        ...

    def looked_at(
        self, tenant: TenantKey, *, after: int, limit: int
    ) -> tuple[list[tuple[Behind, bool]], int | None]:
        """Look at the next `limit` sessions of the store behind number `after`.

        Return those of the tenant, each with whether it is behind, and the last number; None when there were no more.
        """
        ...

    def has_title(self, key: SessionKey) -> bool:
        """Return whether the session's title is a document."""
        ...

    # Of every tenant, for `store check` and `store gc`

    def indexed(self, *, after: int, limit: int) -> Sequence[Indexed]:
        """Return what the search index says of sessions, in the order of their numbers."""
        ...

    def indexes(self) -> Sequence[TenantKey]:
        """Return the tenants that have a search index."""
        ...

    def unindexed(self, tenant: TenantKey, *, anew: bool) -> int:
        """Return how many events the search index does not have; with `anew`, as if it had none."""
        ...


class Indexing(Protocol):
    """The index as it is built. Whoever changes it takes the turn first, in the same transaction."""

    def begin(self, tenant: TenantKey, tokens: int) -> None:
        """Make an empty index, unless there is one."""
        ...

    def take_turn(self, tenant: TenantKey, turn: int) -> bool:
        """Return True when the index is as it was at `turn`, and nobody else can change it in this transaction."""
        ...

    def move(self, tenant: TenantKey, standing: Standing) -> None: ...
    def outdate(self, tenant: TenantKey) -> None:
        """Have the index built anew."""
        ...

    def make_due(self, tenant: TenantKey, key: SessionKey) -> None: ...
    def indexed(self, tenant: TenantKey, key: SessionKey, seq: int) -> None:
        """Say that the session is indexed up to `seq`."""
        ...

    def add_docs(self, tenant: TenantKey, docs: Iterable[Doc]) -> None: ...
    def add_part(self, tenant: TenantKey, part: Part) -> None: ...
    def set_part(self, tenant: TenantKey, part: Part) -> None:
        """Write the state of a part, and what it has reached."""
        ...

    def add_pages(self, tenant: TenantKey, part: int, pages: Iterable[Page]) -> None: ...
    def clean(self, tenant: TenantKey, *, pages: int) -> bool:
        """Take what was forgotten out of at most `pages` pages; False when nothing was left to do."""
        ...

    def empty(self, tenant: TenantKey, *, rows: int) -> bool:
        """Delete at most `rows` rows of an outdated index, and an eighth as many pages; False when it is empty."""
        ...

    def renew(self, tenant: TenantKey, tokens: int) -> None:
        """Let an index that is empty begin anew."""
        ...
