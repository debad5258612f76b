"""What an upgrade does to rows that earlier versions wrote, in the transaction of the steps of the format."""

from __future__ import annotations

from retoma.model.principal import LOCAL_TENANT
from retoma.service.check.branches import repair
from retoma.stores.contract.store import Transaction
from retoma.stores.sql.migrate import FORMAT


def upgrade(tx: Transaction, before: int) -> int:
    """Repair what a store of the format `before` may hold, note it in the store's log, and return how many rows."""
    repaired = repair(tx)
    why = f"from format {before} to {FORMAT}"
    tx.log.add(LOCAL_TENANT, actor="retoma", deed="upgraded", why=why, count=repaired)
    return repaired
