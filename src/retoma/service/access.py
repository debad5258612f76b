"""What every use case does first: find the session, and know whether this caller may write there now."""

from __future__ import annotations

from collections.abc import Sequence

from retoma.errors import Busy, Conflict, Invalid, Limit, NotFound
from retoma.model import event as kinds
from retoma.model.event import Event, NewEvent
from retoma.model.ids import Operation, SessionId, SessionKey
from retoma.model.lease import FencingToken
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import Head
from retoma.stores.contract.store import Transaction

LAST = "@last"


def head_of(tx: Transaction, who: Principal, session: str) -> Head:
    """Return the session's head. Raises NotFound."""
    head = tx.sessions.head(who.tenant, session)
    if head is None:
        raise missing(tx, who, session)
    return head


def missing(tx: Transaction, who: Principal, session: str) -> NotFound:
    """Return the error for a name that nobody bears, with the nearest that somebody does."""
    from retoma.model.nearest import did_you_mean, nearest

    names = tx.sessions.names(who.tenant, session[:1], limit=1_000) or tx.sessions.names(
        who.tenant, "", limit=1_000
    )
    near = nearest(session, names)
    return NotFound(
        f"There is no session '{session}'.",
        code="no_session",
        hint=f"{did_you_mean(session, near, limit=3)} `retoma session ls` lists the sessions.".lstrip(),
        session=session,
        nearest=list(near),
    )


def resolve(tx: Transaction, who: Principal, text: str) -> SessionId:
    """Return the id that `text` means: an id, the only one that begins so, or @last. Raises NotFound, Invalid."""
    if text == LAST:
        last = tx.sessions.last_written(who.tenant, who.name)
        if last is None:
            raise NotFound(
                f"{who.name} has not written to any session of this store.",
                code="no_session",
                hint="`retoma session ls` lists them.",
            )
        return last
    if tx.sessions.key(who.tenant, text) is not None:
        return SessionId(text)
    names = tx.sessions.names(who.tenant, text, limit=6) if text else []
    if len(names) == 1:
        return names[0]
    if names:
        shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
        count = "more than 5" if len(names) > 5 else f"{len(names)}"
        raise Invalid(
            f"'{text}' matches {count} sessions: {shown}.",
            code="ambiguous",
            hint=f"Type more of the id, at least {_shared(names) + 1} characters.",
        )
    raise missing(tx, who, text)


def _shared(names: Sequence[str]) -> int:
    """Return how many characters all of the names begin with."""
    return next(
        (at for at, letters in enumerate(zip(*names, strict=False)) if len({*letters}) > 1),
        min(map(len, names)),
    )


def fence(tx: Transaction, head: Head, token: FencingToken | None) -> None:
    """Raise Busy when another driver holds the session.

    A holder whose lease lapsed may still write when nobody did since: the first who does ends it (see `append`).
    """
    if token is None and not head.fence:
        return  # a session that never gave a token has no lease to ask for
    lease = tx.leases.check(head.key) if head.fence else None
    if token is None:
        if lease is not None and lease[1] > tx.now:
            raise held(tx, head)
    elif lease is None or lease[0] != token:
        raise held(tx, head, lost=True)


def end_lapsed(tx: Transaction, head: Head) -> None:
    """End the session's lease if it lapsed: another is about to write, and its holder must find that out."""
    lease = tx.leases.check(head.key) if head.fence else None
    if lease is not None and lease[1] <= tx.now:
        tx.leases.drop(head.key)


def held(tx: Transaction, head: Head, *, lost: bool = False) -> Busy:
    """Return the error that says who drives the session, and since when."""
    from retoma.model.times import relative

    lease = tx.leases.get(head.key)
    if lease is None:
        return Busy(
            f"'{head.id}' is no longer driven by this process: the lease was released or reset, or another "
            "process wrote after it "
            "lapsed.",
            code="fenced",
            hint="Nothing was written. Run the command again to resume.",
            session=head.id,
        )
    holder = lease.holder
    said = f"process {holder.pid} on {holder.host} ({holder.command}, started {relative(lease.acquired_at, tx.now)})"
    return Busy(
        f"'{head.id}' was taken over by {said}." if lost else f"'{head.id}' is driven by {said}.",
        code="fenced" if lost else "busy",
        hint=f"Nothing was written. Watch it: retoma session log {head.id}",
        session=head.id,
        holder=holder,
        since=lease.acquired_at,
        expires=lease.expires_at,
        token=lease.token,
    )


def repeated(tx: Transaction, key: SessionKey, operation: Operation) -> list[int] | None:
    """Return the seqs that this operation wrote when it ran before, else None. Raises Conflict for another request.

    In the past that a fork shares, another request was one to the session that it was forked from.
    """
    if operation.request is None:
        return None
    before = tx.journal.operation(key, operation.id)
    if before is None:
        return None
    seqs, request = before
    if is_same(tx, key, operation, request):
        return seqs
    line = tx.branches.line(key)
    if line is not None and seqs[-1] <= line.inherited_until:
        return None
    raise other_request()


def is_same(tx: Transaction, key: SessionKey, operation: Operation, request: bytes | None) -> bool:
    """Return whether `request` is what `operation` asks of this session, under whatever id the session had then."""
    if request == operation.request:
        return True
    return operation.under is not None and any(
        operation.under(name) == request for name in _names(tx, key)[0]
    )


def named_at(tx: Transaction, key: SessionKey) -> int:
    """Return the event in which a fork was given its id, and became another session than before; 0 for no fork."""
    return _names(tx, key)[1]


def _names(tx: Transaction, key: SessionKey) -> tuple[set[str], int]:
    """Return all ids that the session had since it was made or forked, but for erased ones, and the event of a fork.

    An undo is a fork too, and gives no id: it is still the same session.
    """
    names: set[str] = set()
    named: Event | None = None
    for event in tx.journal.naming(key):
        if event.type == kinds.FORKED and named is not None and named.operation == event.operation:
            return names, named.seq
        data = event.value()
        said = data if event.type == kinds.CREATED else data.get("set")
        if isinstance(said, dict) and isinstance(said.get("id"), str):
            names.add(str(said["id"]))
            named = event
    return names, 0


def other_request() -> Conflict:
    """Return the error for an idempotency key that was used with another request."""
    return Conflict(
        "This idempotency key was used for another request.",
        code="key_reused",
        hint="Repeat the first request unchanged, or choose a new key.",
    )


def expect_head(head: Head, expect: int | None) -> None:
    """Raise Conflict when the caller's picture of the journal is not the newest."""
    if expect is not None and expect != head.seq:
        raise Conflict(
            f"Session '{head.id}' has {head.seq:,} events, not {expect:,}.",
            code="head_moved",
            hint="Another process wrote to it: read the session again, then decide.",
            head=head.seq,
            expected=expect,
        )


def have_room(tx: Transaction, head: Head, count: int, limits: Limits) -> None:
    """Raise Limit when the session may not have `count` events more. What ends or resets it is not asked."""
    if limits.events_per_session is None and not limits.by_template:
        return
    template = tx.sessions.template(head.key) if limits.by_template else ""
    most = limits.events_of(template)
    if most is not None and head.seq + count > most.events:
        raise Limit(
            f"Session '{head.id}' has {head.seq:,} events, and {most.key} allows {most.events:,}.",
            code="too_many_events",
            hint=f"Nothing was written. Use another session, or raise the limit in {limits.where(most.key)}.",
            limit=most.events,
            value=head.seq + count,
            key=most.key,
        )


def append(
    tx: Transaction,
    who: Principal,
    head: Head,
    events: Sequence[NewEvent],
    operation: Operation,
    *,
    token: FencingToken | None = None,
) -> Head:
    """Append `events` as `who`, under `operation`; return the new head.

    `token` is that of the holder who writes. What anybody else writes ends a lease that lapsed.
    """
    if token is None and head.fence:
        end_lapsed(tx, head)
    return tx.journal.append(
        who.tenant, head, events, actor=who.name, operation=operation.id, request=operation.request
    )
