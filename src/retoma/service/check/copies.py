"""What no event of a session repeats: compared with its second copy, or with what its other rows must be then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from retoma.model.ids import SessionKey, TenantKey
from retoma.model.ledger import Ledger
from retoma.model.session import ARCHIVED, SHOWN, TRASHED
from retoma.stores.contract.store import Transaction

INCOMING, DELETING, QUARANTINED = 3, 4, 5
_COPIED: Final = ("uid", "shelf", "created_at", "expires_at", "parent", "fork_of", "fork_seq", "flow_path")
_SAID: Final = {
    "shelf": "archive or trash state",
    "created_at": "time of creation",
    "expires_at": "time of expiry",
    "fork_of": "session that it was forked from",
    "fork_seq": "event that it was forked after",
    "flow_path": "flow's directory",
}

Row = Mapping[str, Any]


def copied(tx: Transaction, key: SessionKey, row: Row, ledger: Ledger) -> Iterator[str]:
    """Yield what differs of what no event repeats, each as the end of a sentence."""
    copies = tx.audit.rows("copy", key)
    if not copies:
        yield "the second copy of its unjournaled fields is missing"
        return
    *kept, has_files, epoch, uid, reused, made_under = copies[0]
    for name, value in zip(_COPIED, kept, strict=True):
        if not same(row[name], value):
            yield f"its {_SAID.get(name, name)} differs from its second copy"
    epochs = tx.audit.rows("epochs", key)
    first = epochs[0] if epochs else (None,) * 5
    if not all(map(same, (first[0], first[1], first[4]), (epoch, uid, reused))):
        yield "its first epoch differs from its second copy"
    made = made_under and tx.sessions.operation(TenantKey(row["tenant"]), made_under)
    if made_under is not None and (made is None or made[1] != key.to_bytes(8)):
        yield "the operation id that made it does not refer to it"
    if row["warned_for"] is not None:
        yield "it has a warning that no version of Retoma sets"
    yield from _of_version(tx, key, row, ledger, has_files=bool(has_files))


def _of_version(
    tx: Transaction, key: SessionKey, row: Row, ledger: Ledger, *, has_files: bool
) -> Iterator[str]:
    version = row["flow_version"]
    if not isinstance(version, bytes) or not version:
        return
    used, stored = tx.audit.runs(TenantKey(row["tenant"]), key, version)
    if has_files and not stored:
        yield "the files of its flow version are missing"
    if not used and ledger.fork is None:
        yield "its flow version is not listed as its own"


def shelved(tx: Transaction, key: SessionKey, row: Row) -> Iterator[str]:
    """Yield what is wrong with where a session is put away, whatever its journal says."""
    shelf, names = row["shelf"], tx.audit.rows("names", key)
    hidden = shelf in (INCOMING, DELETING)
    aside = bool(tx.audit.rows("aside", key))
    if type(shelf) is not int or not SHOWN <= shelf <= QUARANTINED:
        yield "its archive or trash state is invalid"
    if hidden and (row["id"] != "" or names or tx.audit.rows("tags", key) or tx.audit.rows("contexts", key)):
        yield "it is hidden like a session that is being deleted or imported, but has an id"
    if shelf == DELETING and (row["reason"] or row["parent"] is not None or row["title"]):
        yield "it is hidden like a session that is being deleted, but has tags or other properties"
    if aside != (shelf == QUARANTINED):
        yield "one of its rows says that it is in quarantine, and the other does not"
    elif aside and tx.audit.rows("aside", key)[0][0] != row["id"]:
        yield "the quarantine has another id for it"
    if shelf in (SHOWN, ARCHIVED, QUARANTINED) and row["trashed_at"] is not None and not aside:
        yield "it is not in the trash, but has a time of trashing"
    if shelf == TRASHED and type(row["trashed_at"]) is not int:
        yield "it is in the trash, but has no time of trashing"
    for tenant, last in tx.audit.rows("erasing", key):
        if tenant != row["tenant"] or type(last) is not int or (not hidden and not last <= row["base_seq"]):
            yield "events of its journal are marked for deletion"


def same(kept: object, wanted: object) -> bool:
    """Return whether a value is the one that is wanted, and of its type: SQLite keeps any type in any column."""
    return type(kept) is type(wanted) and kept == wanted
