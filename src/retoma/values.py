"""What the Python faces return: frozen values. An instant is a `datetime` in UTC, exact to the millisecond."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from retoma.model.codec import JsonField
from retoma.model.message import Part

if TYPE_CHECKING:
    from retoma.importers.bringing import Arrived
    from retoma.model.call import Call as PendingCall
    from retoma.model.flow import Prompt, Visit
    from retoma.runtime.backup import Done as Backup
    from retoma.service.branch.diff import Differs
    from retoma.service.check.report import Report
    from retoma.service.forget.erasing import Redaction
    from retoma.service.transfer.imported import Imported

__all__ = [
    "Arrived",
    "Backup",
    "Branch",
    "Difference",
    "Differs",
    "Driver",
    "Event",
    "Flow",
    "Found",
    "Hit",
    "Imported",
    "LogEntry",
    "Message",
    "Note",
    "Page",
    "PendingCall",
    "Prompt",
    "Pruned",
    "Redaction",
    "Report",
    "Usage",
    "Visit",
]

S = TypeVar("S")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation. `seq` is its number in the journal.

    `text` is what is read; `parts` all of it, empty when it is that text alone. `sender` is a name within the role: a
    flow's node, an agent, a session. `tools` names what was called.

    >>> session.append("user", "Which rows fail?", sender="ana")
    2
    >>> message = session.messages()[0]
    >>> message.seq, message.role, message.sender, message.text
    (2, 'user', 'ana', 'Which rows fail?')
    """

    seq: int
    at: datetime
    role: str
    text: str
    sender: str = ""
    epoch: int = 1
    parts: tuple[Part, ...] = ()
    tools: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a journal: everything that happened is one. `data` is None once it was erased.

    `cause` is the seq of the event that led to it; `operation` and `hash` are hexadecimal. Events of a type that this
    version does not know are returned as they are.

    >>> event = next(session.events())
    >>> event.seq, event.type, event.data
    (1, 'session.created', {'id': 'demo', 'title': 'A demonstration'})
    """

    seq: int
    type: str
    at: datetime
    actor: str
    cause: int | None
    operation: str | None
    data: dict[str, JsonField] | None
    hash: str


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A remark about a session. `text` is None once it was erased.

    >>> session.note("Waits for the new data.")
    2
    >>> session.notes()[0].text
    'Waits for the new data.'
    """

    seq: int
    at: datetime
    actor: str
    text: str | None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a session's running epoch used: tokens, and cost in millionths of the provider's currency unit.

    >>> session.usage.tokens_in
    0
    """

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_micros: int = 0


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Where a session's flow stands. `version` is the hash of its files, hexadecimal; `visits` counts nodes entered.

    >>> session.flow is None
    True
    """

    name: str
    path: str | None
    version: str | None
    status: str | None
    node: str | None
    visits: int


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """Who drives a session. `token` only grows: of two drivers the one with the lower token is the earlier.

    >>> session.driver is None
    True
    """

    host: str
    pid: int
    command: str
    user: str
    token: int
    acquired_at: datetime
    expires_at: datetime


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two sessions side by side. They begin alike up to the seq `to_a` in the one and `to_b` in the other.

    `by` says why: `fork` when they share those events, `content` when the same was said, None when nothing is alike.
    `only_a` and `only_b` are the messages that each has alone, oldest first, and `state` the keys that differ.

    >>> client.diff("demo", "demo").only_a
    ()
    """

    by: str | None
    to_a: int
    to_b: int
    only_a: tuple[Message, ...]
    only_b: tuple[Message, ...]
    state: tuple[Differs, ...]


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A session of a tree. `depth` is 0 for the first; `fork_seq` is the event of `fork_of` up to which it shares.

    >>> client.tree("demo")[0].depth
    0
    """

    depth: int
    id: str
    title: str
    status: str
    parent: str | None
    fork_of: str | None
    fork_seq: int | None


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What went in a store without anybody's hand: `action` is `failed`, `trashed`, `erased` or `swept`, `why` the
    rule.

    `count` is how many events the session had, or how many things went; `session` is None once it is deleted.

    >>> client.log().items
    []
    """

    at: datetime
    actor: str
    action: str
    why: str
    count: int
    session: str | None


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What was put in the trash: how many sessions of each status, and the first of them that were left alone.

    >>> client.prune("90d", dry_run=True).by_status
    {}
    """

    by_status: dict[str, int]
    first: tuple[str, ...]


class Page(Generic[S]):
    """A page of a list. `next` is the cursor of the page behind it, None on the last; `total` None unless asked for.

    >>> page = client.list(limit=10, total=True)
    >>> [one.id for one in page], page.more, page.next, page.total
    (['demo'], False, None, 1)
    """

    def __init__(self, items: list[S], next: str | None, total: int | None = None) -> None:
        self.items = items
        self.next = next
        self.total = total

    @property
    def more(self) -> bool:
        """Whether there is a page behind this one."""
        return self.next is not None

    def __iter__(self) -> Iterator[S]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Page({self.items!r}, next={self.next!r}, total={self.total!r})"


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found, in the session with the id `session` and this title.

    `seq` is the event; None for the session's title and description, whose `role` is `title` and which are `at` the
    last change. `snippet` is a line of it; `marks` are the stretches [begin, end) of that, in characters, that were
    looked for. `score` orders the results of one search; the highest is first in each stretch of the index.

    >>> client.search("demonstration").items[0].role
    'title'
    """

    session: str
    title: str
    seq: int | None
    epoch: int
    at: datetime
    role: str
    sender: str
    snippet: str
    marks: tuple[tuple[int, int], ...]
    score: int


class Found(Page[Hit]):
    """A page of what a search found. `next` is the cursor of the page behind it; `total` is there when all results were
    looked at for this page.

    `indexed_to` is None, or the instant since which more was written than is read beside the index: of that, only the
    newest was searched. The index is built behind those who write, and by `retoma store gc`.

    >>> page = client.search("demonstration", limit=1)
    >>> [hit.session for hit in page], page.more, page.total, page.indexed_to
    (['demo'], False, 1, None)
    """

    def __init__(
        self, items: list[Hit], next: str | None, total: int | None, indexed_to: datetime | None
    ) -> None:
        super().__init__(items, next, total)
        self.indexed_to = indexed_to


_ELSEWHERE = {
    "Arrived": ("retoma.importers.bringing", "Arrived"),
    "Backup": ("retoma.runtime.backup", "Done"),
    "Differs": ("retoma.service.branch.diff", "Differs"),
    "Imported": ("retoma.service.transfer.imported", "Imported"),
    "PendingCall": ("retoma.model.call", "Call"),
    "Prompt": ("retoma.model.flow", "Prompt"),
    "Redaction": ("retoma.service.forget.erasing", "Redaction"),
    "Report": ("retoma.service.check.report", "Report"),
    "Visit": ("retoma.model.flow", "Visit"),
}
"""What is returned rarely, and imported then."""


def __getattr__(name: str) -> object:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, found = _ELSEWHERE[name]
    return getattr(import_module(module), found)
