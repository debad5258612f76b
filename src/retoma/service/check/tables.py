"""Rows that belong to the store and to no session's journal: its log, the keys that made sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

from retoma.model.branch import END
from retoma.model.event import CREATED, FORKED
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.retention import Deed
from retoma.service.check.copies import DELETING, same
from retoma.stores.contract.store import Transaction
from retoma.stores.sql.retention import marked

_INTEGERS: Final = (0, 1, 2, 6)


def entry(tx: Transaction, row: Sequence[Any]) -> Iterator[str]:
    """Yield what is wrong with an entry of the store's log."""
    pk, tenant, at, actor, deed, why, count, session, name, digest, mark = row
    if mark is not None and mark != marked(pk, tenant, at, actor, deed, why, count):
        yield f"entry {pk} was changed after it was written"
    elif deed not in get_args(Deed) or any(type(row[n]) is not int for n in _INTEGERS):
        yield f"entry {pk} cannot be read"
    of = tx.audit.session(SessionKey(session)) if type(session) is int else None
    if session is not None and type(session) is not int:
        yield f"entry {pk} refers to a session number that was never given out"
    elif of is None or of["shelf"] == DELETING:
        # Its digest alone says which session it was: one of the names that were let go.
        known = digest is None if session is None else tx.audit.let_go(TenantKey(tenant), digest)
        if name != "" or not known:
            yield f"entry {pk} refers to a session that does not exist"
    elif not same(name, of["id"]) or digest != tx.audit.digest(of["id"]):
        yield f"entry {pk} calls session '{of['id']}' by another id"


def operation(tx: Transaction, row: Sequence[Any]) -> Iterator[str]:
    """Yield what is wrong with what a key made. Events that made a session can be gone: deleted, cut off, undone."""
    tenant, operation_id, request, result, at = row
    if not isinstance(result, bytes):
        yield "an operation id refers to a session number that was never given out"
        return
    key = _session_of(tx, tenant, result)
    of = tx.audit.session(key) if key is not None else None
    if key is None or of is None or of["shelf"] > 2:
        if result[:1] == b"\0" and key is None:
            yield "an operation id refers to a session number that was never given out"
        return
    if of["tenant"] != tenant:
        yield "an operation id refers to a session of another tenant"
    found = tx.journal.operation(key, operation_id)
    events = tx.journal.read(key, after=found[0][0] - 1, limit=1) if found else []
    makes = any(event.type in (CREATED, FORKED) for event in events)
    if makes and not tx.audit.wrote(operation_id, request, at):
        yield f"the request that made session '{of['id']}' differs from its journal"


def _session_of(tx: Transaction, tenant: int, result: bytes) -> SessionKey | None:
    """Return the number of the session that a result names. Format 1 kept the id, which has no NUL."""
    if result[:1] == b"\0":
        number = int.from_bytes(result)
        return SessionKey(number) if len(result) == 8 and number <= END else None
    return tx.sessions.key(TenantKey(tenant), result.decode()) if result else None
