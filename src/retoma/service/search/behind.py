"""Whether the search index is behind: asked after commands that write, so it imports nothing of what builds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from retoma.model.ids import TenantKey
from retoma.model.principal import Principal
from retoma.stores.contract.search import SHELVES

if TYPE_CHECKING:
    from retoma.stores.contract.search import Standing
    from retoma.stores.contract.store import Transaction

__all__ = ["ENOUGH", "SHELVES", "SLACK_MS", "are_behind", "clock_went_back", "due", "since_when"]

ENOUGH: Final = 256
"""So many events are waited for: a search reads what is not indexed, and small parts have to be merged."""
SLACK_MS: Final = 60_000
"""A session is looked for this much longer: another machine's clock may be behind, and a commit may take its time."""


def due(tx: Transaction, who: Principal) -> bool:
    """Return whether there is enough to do for a step: events to index, a part to finish or to clean."""
    standing = tx.search.standing(who.tenant)
    if standing is not None and (
        clock_went_back(tx, standing)
        or any(part.dirty or part.making for part in tx.search.parts(who.tenant))
    ):
        return True
    return are_behind(tx, who.tenant, standing, ENOUGH)


def since_when(tx: Transaction, standing: Standing | None) -> int:
    """Return the instant before which lists moved no session that is behind."""
    return min(standing.listed_to, tx.now - SLACK_MS) if standing is not None else 0


def clock_went_back(tx: Transaction, standing: Standing) -> bool:
    """Return whether lists are moved now to instants at which nobody would look for them."""
    return tx.now < standing.listed_to


def are_behind(tx: Transaction, tenant: TenantKey, standing: Standing | None, least: int) -> bool:
    """Return whether so many events are not indexed."""
    since, count = since_when(tx, standing), 0
    for shelf in SHELVES:
        for one in (
            *tx.search.behind(tenant, shelf=shelf, since=since, limit=least),
            *tx.search.due(tenant, shelf=shelf, limit=least),
        ):
            count += one.head_seq - one.after
    count += sum(one.head_seq - one.after for one in tx.search.gone(tenant, limit=least))
    return count >= least
