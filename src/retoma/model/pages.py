"""Pages of lists, and what searches and journals have: what `--json` prints, and Python reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from retoma.model.codec import JsonField, NameField
from retoma.model.instant import Instant
from retoma.model.plain import Mapped, Plain
from retoma.model.shapes import Hex

if TYPE_CHECKING:
    from retoma.model.event import Event as Linked

T = TypeVar("T")


class Event(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """An event of a journal; `data` is null once it was erased.

    `cause` is the seq of the event that led to it; `operation` and `hash` are hexadecimal. Events of a type that this
    version does not know are returned as they are.

    >>> event = next(session.events())
    >>> event.seq, event.type, event.data
    (1, 'session.created', {'id': 'demo', 'title': 'A demonstration'})
    """

    seq: int
    type: str
    at: Instant
    actor: str
    cause: int | None
    operation: Hex | None
    data: Mapping[str, JsonField] | None
    hash: Hex

    @classmethod
    def of(cls, event: Linked) -> Event:
        """Return an event of the chain."""
        return Event(
            seq=event.seq, type=event.type, at=Instant.of(event.at), actor=event.actor, cause=event.cause,
            operation=event.operation.hex() if event.operation else None,
            data=None if event.erased else event.value(), hash=event.hash.hex(),
        )  # fmt: skip


class Hit(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """What a search found: a message, a note, or with `seq` null a title. `marks` are [begin, end) in the snippet.

    `session` is the session's id, `title` its title; the role of a title and its description is `title`, and it is `at`
    the last change. `score` orders the results of one search; the highest is first in each stretch of the index.

    >>> client.search("demonstration").items[0].role
    'title'
    """

    session: str
    title: NameField
    seq: int | None
    epoch: int
    at: Instant
    role: str
    sender: NameField
    snippet: str
    marks: tuple[tuple[int, int], ...]
    score: float


class Page(msgspec.Struct, Mapped, Generic[T], frozen=True, kw_only=True):
    """A page of a list. `total` is null unless it was asked for. `next` is the cursor of the page after it.

    >>> page = client.list(limit=10, total=True)
    >>> [one.id for one in page], page.more, page.next, page.total
    (['demo'], False, None, 1)
    """

    items: Sequence[T]
    next: str | None = None
    more: bool = False
    total: int | None = None

    def _plain(self) -> object:
        items = [one._plain() if isinstance(one, Plain) else one for one in self.items]
        return msgspec.structs.replace(self, items=items)

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "more", self.next is not None)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Found(Page[Hit], frozen=True, kw_only=True):
    """A page of what was found. `indexed_to` is null unless the index was behind: up to when it holds everything.

    `total` is there when all results were looked at for this page. Of what was written since `indexed_to` only the
    newest was searched. The index is built behind those who write, and by `retoma store gc`.

    >>> page = client.search("demonstration", limit=1)
    >>> [hit.session for hit in page], page.more, page.total, page.indexed_to
    (['demo'], False, 1, None)
    """

    indexed_to: Instant | None = None
