"""What is damaged is put aside, where nothing finds it and nothing of it is deleted."""

from __future__ import annotations

from typing import Final

import msgspec

from retoma.model.ids import SessionKey
from retoma.service.check.report import INDEX, Damage, Report
from retoma.stores.contract.store import Store, Transaction

_TAIL: Final = "A committed tail was gone when this was written."


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """What a repair put aside, by name, and the damage that it cannot put aside.

    `index`: the search index is built anew, as work that is due.
    """

    sessions: tuple[str, ...] = ()
    index: bool = False
    left: tuple[Damage, ...] = ()


def repair(store: Store, report: Report) -> Repaired:
    """Put the damaged sessions and the stray rows of `report` aside, in one transaction, each with what was found.

    Damage of the file itself, and of a flow's version, stays. A tail that is gone is taken note of, once. The search
    index has nothing that the journals do not have, so it is built anew.
    """
    aside: dict[int, list[Damage]] = {}
    left: list[Damage] = []
    index = False
    for one in report.damage:
        if one.what == INDEX:
            index = True
        elif one.key is not None:
            aside.setdefault(one.key, []).append(one)
        elif one.what != "tail":
            left.append(one)
    lost = next((one for one in report.damage if one.what == "tail"), None)

    def put(tx: Transaction) -> None:
        for key, found in aside.items():
            tx.audit.quarantine(
                SessionKey(key), found[0].session or "", " ".join(one.detail for one in found)
            )
        if lost is not None and report.witness is not None:
            tx.audit.quarantine(SessionKey(-report.witness.counter - 1), "", f"{_TAIL} {lost.detail}")
        if index:
            tx.indexing.outdate()

    if aside or lost or index:
        store.write(put)
    if lost is not None:
        store.accept_loss()
    names = tuple(found[0].session or f"number {key}" for key, found in aside.items())
    return Repaired(sessions=names, index=index, left=tuple(left))
