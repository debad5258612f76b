"""Whether there is work for the search index: asked after commands that write, so it imports nothing that builds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from retoma.model.principal import Principal

if TYPE_CHECKING:
    from retoma.stores.contract.search import Standing
    from retoma.stores.contract.store import Transaction

__all__ = ["ENOUGH", "SLACK_MS", "due", "since_when"]

ENOUGH: Final = 256
"""So many events are waited for: a search reads what is not indexed, and small pieces of an index are to be merged."""
SLACK_MS: Final = 60_000
"""A session is looked for this much longer: another machine's clock may be behind, and a commit may take its time."""


def due(tx: Transaction, who: Principal, least: int = ENOUGH) -> bool:
    """Return whether there is work for a step: `least` events to index, or terms to take out."""
    standing = tx.search.standing(who.tenant)
    # Or the clock went back: then lists are moved now to instants at which nobody would look for them.
    if standing is not None and (tx.now < standing.listed_to or tx.search.dirty()):
        return True
    behind = tx.search.behind(who.tenant, since=since_when(tx, standing), limit=least)
    return (
        sum(one.head_seq - one.after for one in (*behind, *tx.search.due(who.tenant, limit=least))) >= least
    )


def since_when(tx: Transaction, standing: Standing | None) -> int:
    """Return the instant before which lists moved no session with events that are not indexed."""
    return min(standing.listed_to, tx.now - SLACK_MS) if standing is not None else 0
