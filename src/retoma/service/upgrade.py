"""What an upgrade does to rows that earlier versions wrote, in the transaction of the steps of the format."""

from __future__ import annotations

from typing import Final

from retoma.model.call import without_call
from retoma.model.codec import decode
from retoma.model.principal import LOCAL_TENANT
from retoma.model.state import SYS
from retoma.service.check.branches import repair
from retoma.stores.contract.store import Transaction
from retoma.stores.sql.migrate import FORMAT

_PAGE: Final = 1_000


def upgrade(tx: Transaction, before: int) -> int:
    """Repair what a store of the format `before` may hold, note it in the store's log, and return how many rows."""
    _move_calls(tx)
    repaired = repair(tx)
    why = f"from format {before} to {FORMAT}"
    tx.log.add(LOCAL_TENANT, actor="retoma", deed="upgraded", why=why, count=repaired)
    return repaired


def _move_calls(tx: Transaction) -> None:
    """Move the calls that flows wait for out of the state, where older formats kept them."""
    after = 0
    while page := tx.audit.systems(after=after, limit=_PAGE):
        for key, value, seq in page:
            system, call = without_call(decode(value)) if b'"call":' in value else (None, None)
            if call is not None:
                tx.state.put(key, {SYS: system}, seq=seq)
                tx.pending.put(key, call)
        after = page[-1][0]
