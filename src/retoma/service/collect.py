"""What is due to go, counted, and taken: the trash, deletions that were left, imports nobody went on with, content."""

from __future__ import annotations

from typing import Final

import msgspec

from retoma.model.principal import Principal
from retoma.service.behind import ENOUGH
from retoma.service.erasing import purge
from retoma.service.profiles import TRASH_KEPT_MS
from retoma.service.transfer.incoming import STALE_MS
from retoma.stores.api import Store, Transaction

CHUNK: Final = 500


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What may go. `trashed`: sessions in the trash too long; `deleting`: deletions that a kill left in the middle;

    `imports`: sessions that came in, and that nobody went on with for a day; `cut`: journals whose beginning is still
    to be deleted; `contents`: content that no event refers to, and its bytes; `unindexed`: events that the search
    index does not have yet, when they are many.
    """

    trashed: int = 0
    deleting: int = 0
    imports: int = 0
    cut: int = 0
    contents: int = 0
    content_bytes: int = 0
    unindexed: int = 0

    @property
    def nothing(self) -> bool:
        return self == Due()


def due(tx: Transaction, who: Principal) -> Due:
    """Return what `collect` would do now."""
    counted = tx.audit.due(trashed_before=tx.now - TRASH_KEPT_MS, imports_before=tx.now - STALE_MS)
    standing = tx.search.standing(who.tenant)
    behind = tx.search.unindexed(who.tenant, anew=standing is not None and not standing.tokens)
    # A search reads the newest of what is not indexed; a few events more or less make no difference to it.
    named = dict(zip(Due.__struct_fields__, (*counted, behind if behind >= ENOUGH else 0), strict=True))
    return Due(**named)


def collect(store: Store, who: Principal) -> Due:
    """Take what is due, in short transactions; return what it was. It is in no file of the store afterwards.

    The search index is brought up to date.
    """
    who.may_write()
    found = store.read(lambda tx: due(tx, who))
    if found.nothing:
        return found
    store.write(lambda tx: _doom_stale(tx, who))
    while store.write(lambda tx: purge(tx, who)):
        pass
    while store.write(_drop_contents):
        pass
    store.forget()
    if found.unindexed:
        _index(store, who)
    return found


def _index(store: Store, who: Principal) -> None:
    from retoma.service.indexing import step

    while step(store, who):
        pass


def _doom_stale(tx: Transaction, who: Principal) -> None:
    while (key := tx.transfers.stale(who.tenant, before=tx.now - STALE_MS)) is not None:
        tx.transfers.doom(who.tenant, key)


def _drop_contents(tx: Transaction) -> bool:
    found = tx.audit.unreferenced(after=b"", limit=CHUNK)
    for content, _ in found:
        tx.audit.drop_content(content)
    return bool(found)
