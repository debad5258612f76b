"""SQLite keeps the store's contract, in a file and in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from retoma.stores.conformance.audit import AuditContract
from retoma.stores.conformance.branches import BranchContract
from retoma.stores.conformance.changes import ChangesContract, SharedChangesContract
from retoma.stores.conformance.retention import RetentionContract
from retoma.stores.conformance.search import SearchContract
from retoma.stores.conformance.search_branches import SearchBranchesContract
from retoma.stores.conformance.store import DurableContract, Open, StoreContract
from retoma.stores.conformance.transfers import TransferContract
from retoma.stores.conformance.writers import WriterContract
from retoma.stores.sqlite.store import SqliteStore


class TestFile(
    DurableContract,
    TransferContract,
    AuditContract,
    BranchContract,
    RetentionContract,
    SearchContract,
    SearchBranchesContract,
    WriterContract,
    SharedChangesContract,
):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Open:
        return lambda clock: SqliteStore(tmp_path / "retoma.db", now=clock, random=clock.bytes)


class TestMemory(
    StoreContract,
    TransferContract,
    AuditContract,
    BranchContract,
    RetentionContract,
    SearchContract,
    SearchBranchesContract,
    WriterContract,
    ChangesContract,
):
    @pytest.fixture
    def opened(self) -> Open:
        return lambda clock: SqliteStore(None, now=clock, random=clock.bytes)
