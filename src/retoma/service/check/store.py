"""The whole store, session by session: pages of events, each in a short read, so that writers wait for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from retoma.errors import Integrity
from retoma.model.flow import version_of
from retoma.model.ids import SessionKey
from retoma.service.check.copies import DELETING, QUARANTINED
from retoma.service.check.index import REBUILD, Index
from retoma.service.check.moments import Moments
from retoma.service.check.report import INDEX, Damage, Report
from retoma.service.check.session import OneSession
from retoma.service.check.tables import entry, operation
from retoma.stores.contract.audit import Stray
from retoma.stores.contract.facts import Witnessed
from retoma.stores.contract.store import Store, Transaction
from retoma.stores.sql.legible import UNREADABLE
from retoma.stores.sql.pack import unpack

PAGE: Final = 1_000
SESSIONS: Final = 500
BACKUP: Final = "Restore a backup."
_FIRST: Final = -(1 << 63)
"""Before every number that a damaged row may have."""
_AGAIN: Final = 5

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Is told how many events of how many were looked at."""


def check(
    store: Store,
    *,
    sample: float | None = None,
    random: Callable[[int], bytes],
    progress: Progress | None = None,
) -> Report:
    """Return what is not as it was written. Nothing is changed, and writers are not stopped.

    With `sample` that part of the sessions is looked at, chosen by chance, and SQLite's own check is left out.
    Raises Unavailable.
    """
    return _Check(store, sample, random, progress or (lambda done, total: None)).run()


class _Check:
    def __init__(
        self, store: Store, sample: float | None, random: Callable[[int], bytes], progress: Progress
    ) -> None:
        self._store = store
        self._random = random
        self._progress = progress
        self._report = Report(sample=sample, damage=[], quarantined=[])
        self._moments = Moments()
        self._total = 0

    def run(self) -> Report:
        report = self._report
        report.witness = self._tried(self._store.witness)
        if report.witness is not None:
            self._witnessed(report.witness)
        parts = [self._quarantine, self._sessions, self._strays, self._versions, self._log, self._operations]
        if report.sample is None:
            parts = [self._engine, *parts, self._unreferenced, self._index]
        for part in parts:
            self._tried(part)
        return report

    # The store

    def _witnessed(self, witness: Witnessed) -> None:
        if witness.lost:
            self._report.add(
                Damage(
                    what="tail",
                    detail=f"The store knows {witness.counter:,} commits, but its witness file has seen "
                    f"{witness.seen or 0:,}: the last commits are missing.",
                    hint="Restore a backup, or check what the newest sessions have lost; --repair then "
                    "accepts the loss.",
                )
            )

    def _engine(self) -> None:
        for said in self._tried(self._store.engine_check) or ():
            hint = "Restore a backup. Until then, do not write to the store."
            self._report.add(Damage(what="file", detail=f"The store's file is damaged: {said}.", hint=hint))

    def _quarantine(self) -> None:
        after, page = _FIRST, SESSIONS
        while found := self._read(lambda tx, after=after: tx.audit.quarantined(after=after, limit=page)):
            if found[-1].key <= after:
                return
            self._report.quarantined.extend(found)
            after = found[-1].key

    def _strays(self) -> None:
        for what, key in self._read(_strays) or ():
            detail = f"There is a {what} of session number {key}, which does not exist."
            self._report.add(Damage(what="stray", detail=detail, key=key))

    def _versions(self) -> None:
        after = (_FIRST, b"")
        while True:
            found = self._read(lambda tx, after=after: tx.audit.flow_versions(after=after, limit=20))
            if not found or (found[-1][0], found[-1][1]) <= after:
                return
            for tenant, version, name, codec, files in found:
                after = (tenant, version)
                if not _is_version(version, codec, files):
                    detail = f"The stored version {version.hex()[:12]} of flow '{name}' is damaged."
                    hint = "Sessions that run it continue with the flow's directory, if it exists."
                    self._report.add(Damage(what="flow", detail=detail, hint=hint))

    def _log(self) -> None:
        for _, said, there in self._read(lambda tx: tx.audit.count("log")) or ():
            detail = f"The store's log has {there:,} entries, but {said:,} were written."
            self._report.add(Damage(what="log", detail=detail, hint=BACKUP))
        after = _FIRST
        while found := self._read(
            lambda tx, after=after: _page(tx, tx.audit.log(after=after, limit=SESSIONS), entry)
        ):
            rows, wrong = found
            for detail in wrong:
                self._report.add(
                    Damage(what="log", detail=f"The store's log is damaged: {detail}.", hint=BACKUP)
                )
            if not rows or rows[-1][0] <= after:
                return
            after = rows[-1][0]

    def _operations(self) -> None:
        after = (_FIRST, b"")
        while found := self._read(
            lambda tx, after=after: _page(tx, tx.audit.operations(after=after, limit=SESSIONS), operation)
        ):
            rows, wrong = found
            for detail in wrong:
                self._report.add(
                    Damage(what="key", detail=f"The store's keys are damaged: {detail}.", hint=BACKUP)
                )
            if not rows or (rows[-1][0], rows[-1][1]) <= after:
                return
            after = (rows[-1][0], rows[-1][1])

    def _unreferenced(self) -> None:
        after = b""
        while found := self._read(lambda tx, after=after: tx.audit.unreferenced(after=after, limit=PAGE)):
            if found[-1][0] <= after:
                return
            self._report.unreferenced += len(found)
            after = found[-1][0]

    def _index(self) -> None:
        index = Index(self._store)
        for detail in index.wrong():
            self._report.add(Damage(what=INDEX, detail=detail, hint=REBUILD))
        self._report.documents = index.documents

    def _read(self, use_case: Callable[..., T]) -> T | None:
        return self._tried(lambda: self._store.read(use_case))

    def _tried(self, read: Callable[[], T]) -> T | None:
        """Return what `read` returns, or None when it cannot be read, which is listed."""
        try:
            return read()
        except UNREADABLE as error:
            self._report.add(Damage(what="file", detail=f"Part of the store cannot be read: {_said(error)}."))
            return None

    # Sessions

    def _sessions(self) -> None:
        after = 0
        shelves = self._read(lambda tx: tx.audit.count("sessions")) or ()
        # A damaged row may have anything in the place of a number; this one only says how far the bar is.
        counts = [row[-2] for row in shelves if row[0] not in (DELETING, QUARANTINED)]
        self._total = sum(count for count in counts if isinstance(count, int))
        while found := self._read(lambda tx, after=after: tx.audit.sessions(after=after, limit=SESSIONS)):
            for key, name, *_ in found:
                if self._chosen():
                    self._session(key, name)
                self._tell(0)
            if found[-1][0] <= after:
                return  # a damaged tree can lead back; the file's own check says that it is damaged
            after = found[-1][0]

    def _tell(self, more: int) -> None:
        self._progress(self._report.events + more, self._total)

    def _chosen(self) -> bool:
        sample = self._report.sample
        return sample is None or int.from_bytes(self._random(4)) < sample * (1 << 32)

    def _session(self, key: SessionKey, name: str) -> None:
        """Check one session; one that is cut or deleted meanwhile is looked at again."""
        for _ in range(_AGAIN):
            one = OneSession(self._store.read, key, name, self._moments, self._tell)
            try:
                done = one.run()
            except UNREADABLE as error:
                one.wrong(None, f"it cannot be read ({_said(error)})")
                done = True
            if done:
                break
        for damage in one.damage:
            self._report.add(damage)
        if one.journal is not None:
            self._report.sessions += 1
            self._report.events += one.read
            self._report.contents += one.journal.contents
            self._report.erased += one.journal.erased
            self._report.cut += one.base > 0


def _page(
    tx: Transaction,
    rows: Sequence[tuple[Any, ...]],
    compared: Callable[[Transaction, Sequence[Any]], Iterator[str]],
) -> tuple[Sequence[tuple[Any, ...]], list[str]]:
    return rows, [said for row in rows for said in compared(tx, row)]


def _strays(tx: Transaction) -> list[Stray]:
    """Return the stray rows that nobody put aside, in the same moment."""
    return [one for one in tx.audit.strays(limit=1_000) if not tx.audit.rows("aside", SessionKey(one.key))]


def _is_version(version: bytes, codec: str, files: bytes) -> bool:
    try:
        data = unpack(codec, files)
        return data is not None and (
            version_of(msgspec.msgpack.decode(data, type=dict[str, bytes])) == version.hex()
        )
    except UNREADABLE:
        return False


def _said(error: BaseException) -> str:
    return error.message.rstrip(".") if isinstance(error, Integrity) else type(error).__name__
