"""What is due to go, counted and taken: by age, from the trash, deletions and unfinished imports, content."""

from __future__ import annotations

from typing import Final

import msgspec

from retoma.model.principal import Principal
from retoma.model.retention import TRASH_KEPT_MS, Retention
from retoma.service.clock import Time
from retoma.service.forget.erasing import purge
from retoma.service.retention import standing as standing_of
from retoma.service.search.behind import ENOUGH
from retoma.service.search.indexing import step
from retoma.service.transfer.incoming import STALE_MS
from retoma.stores.contract.store import Store, Transaction

CHUNK: Final = 500


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What may go. `idle`: active sessions to be failed; `over`: final ones to be put in the trash, by `[retention]`.

    `trashed`: sessions in the trash too long; `deleting`: deletions that a kill left in the middle; `imports`: sessions
    that came in, and that nobody went on with for a day; `cut`: journals whose beginning is still to be deleted;
    `contents`: content that no event refers to, and its bytes; `unindexed`: events that the search index does not
    have yet, when they are many.
    """

    idle: int = 0
    over: int = 0
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


def due(tx: Transaction, who: Principal, rules: Retention | None, time: Time) -> Due:
    """Return what is due at `time`."""
    standing = standing_of(tx, who, rules, time)
    trashed, deleting, imports, cut, contents, size = tx.audit.due(
        trashed_before=time.trash - TRASH_KEPT_MS, imports_before=time.now - STALE_MS
    )
    return Due(
        idle=standing.idle,
        over=standing.over,
        trashed=trashed,
        deleting=deleting,
        imports=imports,
        cut=cut,
        contents=contents,
        content_bytes=size,
        unindexed=_unindexed(tx, who),
    )


def _unindexed(tx: Transaction, who: Principal) -> int:
    count = tx.search.unindexed(who.tenant)
    # A search reads the newest of what is not indexed: a few events more or less make no difference to it.
    return count if count >= ENOUGH else 0


def collect(store: Store, who: Principal, time: Time) -> None:
    """Take what no rule need be set for and is due at `time`, in short transactions.

    It is in no file of the store afterwards. The search index is brought up to date.
    """
    who.may_write()
    store.write(lambda tx: _doom_stale(tx, who, time))
    while store.write(lambda tx: purge(tx, who, now=time.trash)):
        pass
    while store.write(lambda tx: _drop_contents(tx, who)):
        pass
    store.forget()
    while step(store, who):
        pass


def _doom_stale(tx: Transaction, who: Principal, time: Time) -> None:
    count = 0
    while (key := tx.transfers.stale(who.tenant, before=time.now - STALE_MS)) is not None:
        tx.transfers.doom(who.tenant, key)
        count += 1
    if count:
        _log(tx, who, "imports that were abandoned for a day", count)


def _drop_contents(tx: Transaction, who: Principal) -> bool:
    found = tx.audit.unreferenced(after=b"", limit=CHUNK)
    for content, _ in found:
        tx.audit.drop_content(content)
    if found:
        tx.erasing.begin()
        _log(tx, who, "unreferenced content", len(found))
    return bool(found)


def _log(tx: Transaction, who: Principal, why: str, count: int) -> None:
    tx.log.add(who.tenant, actor=who.name, deed="swept", why=why, count=count)
