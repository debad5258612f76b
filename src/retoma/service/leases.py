"""Driving a session: one holder at a time, each with a higher fencing token than the one before."""

from __future__ import annotations

from retoma.model.lease import LEASE_TTL_MS, FencingToken, Holder, Lease
from retoma.model.principal import Principal
from retoma.model.session import in_trash
from retoma.service.access import head_of, held
from retoma.stores.contract.store import Transaction


def acquire(
    tx: Transaction,
    who: Principal,
    session: str,
    holder: Holder,
    *,
    over: FencingToken | None = None,
    ttl_ms: int = LEASE_TTL_MS,
) -> Lease:
    """Take the session for `holder`, for `ttl_ms`. Raises Busy with who holds it since when, and Refused in the trash.

    `over` is the token of a holder that the caller knows to be gone: exactly that one is taken over before its time.
    """
    who.may_write()
    head = head_of(tx, who, session)
    if head.trashed:
        raise in_trash(head.id)
    lease = tx.leases.check(head.key)
    if lease is not None and lease[1] > tx.now and lease[0] != over:
        raise held(tx, head)
    return tx.leases.put(head, holder, ttl_ms=ttl_ms)


def renew(
    tx: Transaction, who: Principal, session: str, token: FencingToken, *, ttl_ms: int = LEASE_TTL_MS
) -> bool:
    """Keep the session for another term; return False when it is another's now or gone."""
    key = tx.sessions.key(who.tenant, session)
    return key is not None and tx.leases.renew(key, token, ttl_ms=ttl_ms)


def keep(tx: Transaction, who: Principal, session: str, token: FencingToken) -> None:
    """Take a lease that lapsed again, if nobody wrote since. One that was lost stays lost: the next write says so."""
    head = tx.sessions.head(who.tenant, session)
    lease = tx.leases.check(head.key) if head is not None else None
    if head is not None and lease is not None and lease[0] == token and lease[1] <= tx.now:
        tx.leases.renew(head.key, token)


def release(tx: Transaction, who: Principal, session: str, token: FencingToken) -> None:
    """Let go of the session, if it is still held under `token`."""
    key = tx.sessions.key(who.tenant, session)
    if key is not None:
        tx.leases.release(key, token)
