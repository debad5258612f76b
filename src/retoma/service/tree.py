"""What belongs together: a session, its children, and what was forked from it."""

from __future__ import annotations

from collections.abc import Sequence

from retoma.model.principal import Principal
from retoma.model.session import ARCHIVED, SHOWN, Session
from retoma.service.sessions import show
from retoma.stores.contract.store import Listing, Transaction

DEEPEST = 100
"""How deep a tree is shown: as JSON its children are inside each other, and few programs read a thousand levels."""


def tree(tx: Transaction, who: Principal, session: str, *, most: int) -> list[tuple[int, Session]]:
    """Return the session and all below it as (depth, session), parents before children, at most `most`.

    Children come before forks, and each session once. What is more than DEEPEST below it is left out. Raises NotFound.
    """
    found: list[tuple[int, Session]] = []
    seen = set()
    waiting = [(0, show(tx, who, session).session)]
    while waiting and len(found) < most:
        depth, one = waiting.pop()
        if one.key in seen:
            continue
        seen.add(one.key)
        found.append((depth, one))
        if depth == DEEPEST:
            continue
        for below in (
            _forks(tx, who, one, most),
            *(_children(tx, who, one, shelf, most) for shelf in _SHELVES),
        ):
            waiting += [(depth + 1, child) for child in reversed(below)]
    return found


_SHELVES = (ARCHIVED, SHOWN)


def _forks(tx: Transaction, who: Principal, session: Session, most: int) -> Sequence[Session]:
    return tx.branches.forks(who.tenant, session.key, limit=most)


def _children(tx: Transaction, who: Principal, session: Session, shelf: int, most: int) -> Sequence[Session]:
    listing = Listing(parent=session.key, shelf=shelf)
    return [child for child, _ in tx.sessions.list(who.tenant, listing, after=None, limit=most)]
