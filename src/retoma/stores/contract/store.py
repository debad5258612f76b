"""What a store promises. Its contract is this prose; `conformance.py` tests it on every store.

Order: events of a session are numbered from 1 without a gap, and read back in that order. Atomicity: a use case is one
function given a transaction; all that it wrote is there, or nothing. Durability: `Store.write` returns after the commit
is on stable storage. Isolation: writers follow one another; a reader sees one moment and waits for nobody. Absence:
what is not there, or is another tenant's, is None or an empty list here; use cases make that NotFound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

from retoma.model.codec import Json, JsonMap
from retoma.model.event import Event, NewEvent
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.lease import FencingToken, Holder, Lease
from retoma.model.session import SHOWN, About, Head, NewSession, Session, Status

if TYPE_CHECKING:
    from asyncio import Future
    from pathlib import Path

    from retoma.model.transfer import EpochPart, Link, SessionRecord
    from retoma.stores.contract.audit import Audit
    from retoma.stores.contract.branches import Branches
    from retoma.stores.contract.changes import Changes
    from retoma.stores.contract.facts import Facts, Witnessed
    from retoma.stores.contract.pending import PendingCalls
    from retoma.stores.contract.retention import Log, Retention
    from retoma.stores.contract.search import Indexing, Search
    from retoma.stores.sql.migrate import Upgraded

T = TypeVar("T")
Sort: TypeAlias = Literal["updated", "created", "id"]


class Place(msgspec.Struct, frozen=True):
    """Where a page of a list ended: what its last row is sorted by."""

    pinned: int
    at: int
    key: int
    id: str = ""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for. `tags` and `contexts` must all be there; instants are milliseconds UTC.

    Pinned sessions come first, then the newest by `sort`; by `id` they stand in its order alone.
    """

    status: Status | None = None
    agent: str | None = None
    flow: str | None = None
    parent: SessionKey | None = None
    tags: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    ephemeral: bool = False
    since: int | None = None
    before: int | None = None
    shelf: int = SHOWN
    sort: Sort = "updated"


class Journal(Protocol):
    """Events, appended and read. Never changed; their data can be erased, their place cannot."""

    def append(
        self,
        tenant: TenantKey,
        head: Head,
        events: Sequence[NewEvent],
        *,
        actor: str,
        operation: bytes,
        request: bytes | None,
    ) -> Head:
        """Append all or none after `head`, which must be the one read in this transaction; return the new head."""
        ...

    def read(
        self,
        key: SessionKey,
        *,
        after: int = 0,
        limit: int,
        until: int | None = None,
        most_bytes: int | None = None,
    ) -> list[Event]:
        """Return at most `limit` events with seq > `after` (and < `until`), oldest first.

        With `most_bytes` it stops behind the event whose data reaches that many.
        """
        ...

    def restore(self, key: SessionKey, events: Sequence[Event]) -> None:
        """Write events as another store had them. The caller has proved their chain, and moves the head."""
        ...

    def tail(self, key: SessionKey, *, before: int | None = None, after: int = 0, limit: int) -> list[Event]:
        """Return at most `limit` events with `after` < seq < `before`, newest first."""
        ...

    def pick(self, places: Sequence[tuple[SessionKey, int]]) -> dict[tuple[SessionKey, int], Event]:
        """Return events by session and seq; those that are not there are left out."""
        ...

    def naming(self, key: SessionKey) -> list[Event]:
        """Return the events that may give the session its id, newest first: made, forked, and all of its updates."""
        ...

    def operation(self, key: SessionKey, operation: bytes) -> tuple[list[int], bytes | None] | None:
        """Return the seqs that an operation wrote here, else in the past that is shared, and its request's hash.

        None when it never ran.
        """
        ...


class Sessions(Protocol):
    """Session rows, their names and labels."""

    def key(self, tenant: TenantKey, session: str) -> SessionKey | None: ...
    def name(self, key: SessionKey) -> SessionId | None: ...
    def head(self, tenant: TenantKey, session: str) -> Head | None: ...
    def get(self, tenant: TenantKey, session: str) -> Session | None: ...
    def about(self, key: SessionKey) -> About: ...
    def abouts(self, keys: Sequence[SessionKey]) -> dict[SessionKey, About]: ...
    def names(self, tenant: TenantKey, prefix: str, *, limit: int) -> list[SessionId]:
        """Return at most `limit` names that begin with `prefix`, in order."""
        ...

    def last_written(self, tenant: TenantKey, actor: str) -> SessionId | None: ...
    def tags(self, tenant: TenantKey, prefix: str, *, limit: int) -> list[str]:
        """Return tags that begin with `prefix`, in order, out of the next `limit` from it on."""
        ...

    def add(
        self, tenant: TenantKey, session: SessionId, new: NewSession, *, parent: SessionKey | None
    ) -> Head:
        """Make the rows of a new session with an empty journal. The name must be free."""
        ...

    def set_status(self, key: SessionKey, status: Status, reason: str) -> None: ...
    def spend(self, key: SessionKey, tokens_in: int, tokens_out: int, tokens_cached: int) -> Sequence[int]:
        """Add to the tokens of the current epoch; return the three sums."""
        ...

    def new_epoch(self, head: Head) -> bytes:
        """Begin the next epoch at the journal's next event: state, flow and totals empty. Return the epoch's uid."""
        ...

    def epochs(self, key: SessionKey) -> list[tuple[int, int]]:
        """Return (first seq, number) of each epoch that is kept, in order."""
        ...

    def template(self, key: SessionKey) -> str:
        """Return the template that the session was made from; empty for none."""
        ...

    def hide(self, tenant: TenantKey, head: Head) -> None:
        """Begin a deletion: from now on nothing finds the session; its name is free."""
        ...

    def doomed(self, tenant: TenantKey) -> SessionKey | None: ...
    def drop(self, key: SessionKey) -> None:
        """End a deletion: the rows beside the journal go."""
        ...

    def list(
        self, tenant: TenantKey, listing: Listing, *, after: Place | None, limit: int
    ) -> list[tuple[Session, Place]]: ...
    def among(self, tenant: TenantKey, listing: Listing, keys: Sequence[SessionKey]) -> Sequence[Session]:
        """Return those of `keys` that `listing` means, in no order."""
        ...

    def count(self, tenant: TenantKey, listing: Listing, *, most: int) -> int:
        """Return how many sessions match, counting no further than `most`."""
        ...

    def operation(self, tenant: TenantKey, operation: bytes) -> tuple[bytes, bytes] | None:
        """Return (request hash, result) of an operation of the tenant; None when it never ran."""
        ...

    def add_operation(self, tenant: TenantKey, operation: bytes, request: bytes, result: bytes) -> None: ...


class Profiles(Protocol):
    """What is said of a session: texts, labels, shelf, name, notes."""

    def put(self, tenant: TenantKey, head: Head, session: Session, before: About, about: About) -> None:
        """Write what differs; `head` is the one behind the event that says so."""
        ...

    def shelve(self, key: SessionKey, shelf: int) -> None: ...
    def rename(self, tenant: TenantKey, head: Head, session: SessionId) -> None:
        """Give the session another name, which must be free."""
        ...

    def add_note(self, key: SessionKey, seq: int) -> None: ...
    def notes(self, key: SessionKey) -> list[int]:
        """Return the seqs of its notes, in order."""
        ...

    def trash_due(self, tenant: TenantKey, before: int) -> SessionId | None:
        """Return the session that was put in the trash first, if that was before the instant."""
        ...


class Erasing(Protocol):
    """Forgetting. The chain stays whole: what is erased keeps its digest, a cut journal the hash it begins with."""

    def begin(self) -> None:
        """Say that this transaction takes something away for good: until `Store.forget`, it may be in the files.

        The methods that erase or drop events say so themselves.
        """
        ...

    def erase(self, key: SessionKey, seqs: Sequence[int]) -> None:
        """Forget the data of these events, content only they refer to, and that they are documents of the index."""
        ...

    def cut(self, tenant: TenantKey, head: Head) -> None:
        """Let the journal begin behind `head`. Its events are due to be deleted."""
        ...

    def due(self, tenant: TenantKey) -> tuple[SessionKey, int] | None:
        """Return a session and the last of its events that are still to be deleted."""
        ...

    def done(self, tenant: TenantKey, key: SessionKey) -> None:
        """Say that nothing of the journal is due any more."""
        ...

    def drop_events(self, key: SessionKey, *, until: int | None = None, limit: int) -> bool:
        """Drop the oldest `limit` events (to `until`) that no fork reads, and content of theirs alone; False: none."""
        ...

    def drop_flows(self, key: SessionKey) -> None:
        """Forget which flows the session ran, and versions that no other session did."""
        ...


class State(Protocol):
    """A session's state, one row a key, and the position of its flow."""

    def get(self, key: SessionKey) -> dict[str, Json]: ...
    def some(self, key: SessionKey, names: Iterable[str]) -> dict[str, Json]: ...
    def value(self, key: SessionKey, name: str) -> Json: ...
    def put(self, key: SessionKey, values: JsonMap, *, seq: int) -> None: ...
    def delete(self, key: SessionKey, names: Iterable[str]) -> None: ...
    def history(self, key: SessionKey) -> list[str]: ...


class Flows(Protocol):
    """Versions of flows, and where one stands. `unwind` keeps the first `visits` nodes, and stands at the last."""

    def begin(self, tenant: TenantKey, key: SessionKey, *, flow: str, path: str, version: bytes) -> None: ...
    def unwind(self, key: SessionKey, *, visits: int, status: str) -> None: ...
    def visit(
        self, key: SessionKey, nodes: Sequence[str], *, visits: int, node: str | None, status: str
    ) -> None:
        """Add `nodes` behind the `visits` that are there, and move the position."""
        ...

    def set_version(self, tenant: TenantKey, key: SessionKey, *, version: bytes, path: str) -> None: ...
    def rename(self, key: SessionKey, node: str, *, visits: int) -> None:
        """Give the last of the `visits` the id that its node has now."""

    def put_version(
        self, tenant: TenantKey, version: bytes, name: str, files: Mapping[str, bytes]
    ) -> None: ...
    def version(self, tenant: TenantKey, version: bytes) -> tuple[str, dict[str, bytes]] | None: ...


class Leases(Protocol):
    """Who drives a session."""

    def check(self, key: SessionKey) -> tuple[int, int] | None:
        """Return (token, expires_at) of the lease, or None.

        A lease of this machine ends by the machine's monotonic clock where there is one: then `expires_at` is when that
        is by this transaction's time, here and wherever a lease is returned.
        """
        ...

    def get(self, key: SessionKey) -> Lease | None: ...
    def of(self, keys: Sequence[SessionKey]) -> dict[SessionKey, Lease]: ...
    def put(self, head: Head, holder: Holder, *, ttl_ms: int) -> Lease:
        """Give the session to `holder` under the next fencing token, whoever had it."""
        ...

    def renew(self, key: SessionKey, token: FencingToken, *, ttl_ms: int | None = None) -> bool:
        """Begin the term again, `ttl_ms` long, or as long as before; return False when another has the session."""
        ...

    def release(self, key: SessionKey, token: FencingToken) -> None: ...
    def drop(self, key: SessionKey) -> None: ...


class Known(NamedTuple):
    """A session that an import may belong to. `shelf` 3 is one that comes in itself, and `reason` what it becomes."""

    key: SessionKey
    id: str
    shelf: int
    seq: int
    hash: bytes
    base_seq: int
    reason: str


class Transfers(Protocol):
    """Sessions on their way out and in. What comes in is hidden, without a name, until it is published."""

    def base(self, tenant: TenantKey, key: SessionKey, uid: bytes) -> Link: ...
    def epochs(self, key: SessionKey) -> list[EpochPart]: ...
    def state(self, key: SessionKey, *, after: str | None, limit: int) -> list[tuple[str, bytes, int]]:
        """Return at most `limit` keys behind `after` in order: key, JSON, and the event that set it."""
        ...

    def visits(self, key: SessionKey, *, after: int, limit: int) -> list[str]: ...
    def of_uid(self, tenant: TenantKey, uid: bytes, created_at: int) -> list[Known]: ...
    def stale(self, tenant: TenantKey, *, before: int) -> SessionKey | None:
        """Return a session that comes in, and in which nobody wrote since `before`."""
        ...

    def begin(
        self, tenant: TenantKey, uid: bytes, created_at: int, *, base: tuple[int, bytes], becomes: str
    ) -> SessionKey:
        """Make a hidden session whose journal begins after `base`. `becomes` says what is to come of it."""
        ...

    def take(self, tenant: TenantKey, key: SessionKey) -> int:
        """Return the token under which to write there from now on; state and visits begin anew."""
        ...

    def token(self, tenant: TenantKey, key: SessionKey) -> int | None: ...
    def add_events(self, key: SessionKey, events: Sequence[Event]) -> None: ...
    def add_state(self, key: SessionKey, rows: Sequence[tuple[str, bytes, int]]) -> None: ...
    def add_visits(self, key: SessionKey, nodes: Sequence[str], *, first: int) -> None: ...
    def doom(self, tenant: TenantKey, key: SessionKey) -> None:
        """Begin the deletion of a hidden session; nothing happens to one that is shown."""
        ...

    def publish(
        self,
        tenant: TenantKey,
        key: SessionKey,
        name: str,
        record: SessionRecord,
        *,
        parent: SessionKey | None,
    ) -> None:
        """Show a hidden session under a free name, as `record` describes it."""
        ...

    def extend(
        self, tenant: TenantKey, into: SessionKey, name: str, key: SessionKey, record: SessionRecord
    ) -> None:
        """Put the hidden session `key` behind the head of `into`, which becomes what `record` describes."""
        ...

    def retell(self, tenant: TenantKey, key: SessionKey, name: str, record: SessionRecord) -> None:
        """Make a shown session what `record` describes, with an empty state and history: the caller adds them."""
        ...


class Transaction(Protocol):
    """All a use case can see and change. `now` is one instant (ms UTC) for the whole of it."""

    now: int
    random: Callable[[int], bytes]

    @property
    def sessions(self) -> Sessions: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def profiles(self) -> Profiles: ...
    @property
    def pending(self) -> PendingCalls: ...
    @property
    def erasing(self) -> Erasing: ...
    @property
    def state(self) -> State: ...
    @property
    def flows(self) -> Flows: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def transfers(self) -> Transfers: ...
    @property
    def retention(self) -> Retention: ...
    @property
    def log(self) -> Log: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def branches(self) -> Branches: ...
    @property
    def search(self) -> Search: ...
    @property
    def indexing(self) -> Indexing: ...


class Store(Protocol):
    """Runs use cases, each in one transaction. Callers that write at the same time may share it, and its commit."""

    def write(self, use_case: Callable[[Transaction], T]) -> T:
        """Run `use_case` and commit; return what it returned once that is durable.

        It may run twice, so it has no effect but through its transaction. What it raises undoes all it wrote. Raises
        Unavailable when another process keeps writing.
        """
        ...

    def submit(self, use_case: Callable[[Transaction], T]) -> Future[T]:
        """Run `use_case` as `write` does, for a task of the running event loop, which awaits the Future.

        One that is cancelled before its turn is not run; later, the result is dropped and the write stands.
        """
        ...

    def read(self, use_case: Callable[[Transaction], T]) -> T:
        """Run `use_case` on one moment of the store."""
        ...

    def changes(self) -> Changes:
        """Return wake-ups for who follows the store: something was committed, by this process or another.

        Nothing depends on them. A listener costs a writer one datagram, and holds it up in no case. `close` of this
        object wakes its listeners, too.
        """
        ...

    def forget(self, *, wait: bool = True) -> None:
        """Make sure that no byte of what was erased is in the store's files, nor in backups from now on.

        Where a reader is in the way, the next writer of any process does it. Raises Unavailable after waiting for that
        reader for 10 seconds; without `wait`, returns at once.
        """
        ...

    @property
    def read_only(self) -> bool:
        """Whether the store can be read alone: it is a file that nobody may write to, or on such a medium."""

    @property
    def unforgotten(self) -> bool:
        """Whether this object erased something since `forget` was last done."""

    @property
    def writes(self) -> int:
        """How many transactions this object has committed since it was opened; 0 when none changed anything."""

    @property
    def upgraded(self) -> Upgraded | None:
        """The upgrade that opening it did; None when there was nothing to upgrade."""

    def facts(self) -> Facts: ...
    def engine_check(self) -> list[str]:
        """Return what the database's own check finds wrong, a sentence each: nothing when all is well."""
        ...

    def witness(self) -> Witnessed:
        """Hold what the store says of its commits against what is kept outside of it."""
        ...

    def accept_loss(self) -> None:
        """Let what is kept outside begin anew: it has seen commits that are gone for good."""
        ...

    def backup(self, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
        """Write one moment of the store to the new file `target`, beside writers; durable on return.

        `progress` is told how many pieces of how many are done. Raises Unavailable where the server has its own way."""
        ...

    def compact(self) -> None:
        """Give free space inside the store back to the file system. Needs as much again while it runs."""
        ...

    def close(self) -> None: ...
