"""A store as a whole: checked, repaired, backed up, counted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from retoma.commands.command import Call, Job, Read
from retoma.commands.opened import Opened
from retoma.model.principal import Principal
from retoma.stores.contract.store import Transaction

if TYPE_CHECKING:
    from retoma.config import StorePlace
    from retoma.runtime.backup import Done
    from retoma.service.check.repair import Repaired
    from retoma.service.check.report import Report
    from retoma.service.inventory import Inventory
    from retoma.service.transfer.copying import Copied
    from retoma.stores.contract.facts import Facts

__all__ = ["BackUp", "Check", "CopyStore", "Repair", "ShowContents", "ShowFacts"]


class Check(Job["Report"], frozen=True, kw_only=True):
    """Return what in the store is not as it was written; `sample` is the part of the sessions to read, 0 to 1.

    Nothing is changed. `progress` is told how many events of how many were checked. Raises Unavailable.
    """

    sample: float | None = None
    progress: Callable[[int, int], None] | None = None

    def work(self, opened: Opened, call: Call) -> Report:
        from retoma.service.check.store import check

        random = opened.sources.random
        return check(opened.store, sample=self.sample, random=random, progress=self.progress)


class Repair(Job["Repaired"], frozen=True, kw_only=True):
    """Put what a report found damaged aside. Nothing is deleted."""

    report: Report

    def work(self, opened: Opened, call: Call) -> Repaired:
        from retoma.service.check.repair import repair

        call.who.may_write()
        return repair(opened.store, self.report)


class BackUp(Job["Done"], frozen=True, kw_only=True):
    """Write one moment of the store to the new file `file`, checked; others go on writing meanwhile.

    With `unchecked` a damaged store is copied as it is. Raises Conflict when there is such a file, Integrity when the
    store is damaged, Unavailable.
    """

    file: Path
    unchecked: bool = False
    progress: Callable[[int, int], None] | None = None

    def work(self, opened: Opened, call: Call) -> Done:
        from retoma.runtime.backup import backup
        from retoma.wiring import open_file

        sources = opened.sources
        return backup(
            opened.store,
            self.file,
            opened=partial(open_file, sources=sources),
            random=sources.random,
            progress=self.progress,
            unchecked=self.unchecked,
        )


class CopyStore(Job["Copied"], frozen=True, kw_only=True):
    """Copy every session to the store at `to`, which is made if it is not there, and prove it by comparing heads.

    Others go on writing meanwhile; a session that was written after it was copied is copied again. Run again, it copies
    what is new. `progress` is told how many sessions of how many were copied. Raises Unavailable.
    """

    to: StorePlace
    progress: Callable[[int, int], None] | None = None

    def work(self, opened: Opened, call: Call) -> Copied:
        from retoma.service.transfer.copying import copy
        from retoma.wiring import open_store

        with closing(open_store(self.to)) as target:
            return copy(opened.store, target, call.who, limits=call.limits, progress=self.progress)


class ShowContents(Read["Inventory"], frozen=True, kw_only=True):
    """Return what the store holds: counts and bytes, by kind and by session. It reads all of it."""

    largest: int = 10

    def read(self, tx: Transaction, who: Principal) -> Inventory:
        from retoma.service.inventory import inventory

        return inventory(tx, largest=self.largest)


class ShowFacts(Job["Facts"], frozen=True, kw_only=True):
    """Return what the store says of itself."""

    def work(self, opened: Opened, call: Call) -> Facts:
        return opened.store.facts()
