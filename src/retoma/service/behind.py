"""Whether the search index is behind: asked after commands that write, so it imports nothing of what builds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from retoma.model.ids import TenantKey
from retoma.model.principal import Principal
from retoma.model.session import ARCHIVED, SHOWN

if TYPE_CHECKING:
    from retoma.stores.api import Transaction
    from retoma.stores.api_search import Standing

__all__ = ["ENOUGH", "SHELVES", "are_behind", "due"]

ENOUGH: Final = 256
"""So many events are waited for: a search reads what is not indexed, and small parts have to be merged."""
SHELVES: Final = (SHOWN, ARCHIVED)
"""What is searched, and so what is indexed."""


def due(tx: Transaction, who: Principal) -> bool:
    """Return whether there is enough to do for a step: events to index, a part to finish or to clean."""
    standing = tx.search.standing(who.tenant)
    if standing is not None and any(part.dirty or part.making for part in tx.search.parts(who.tenant)):
        return True
    return are_behind(tx, who.tenant, standing, ENOUGH)


def are_behind(tx: Transaction, tenant: TenantKey, standing: Standing | None, least: int) -> bool:
    """Return whether so many events are not indexed."""
    since, count = standing.listed_to if standing else 0, 0
    for shelf in SHELVES:
        for one in (
            *tx.search.behind(tenant, shelf=shelf, since=since, limit=least),
            *tx.search.due(tenant, shelf=shelf, limit=least),
        ):
            count += one.head_seq - one.after
    return count >= least
