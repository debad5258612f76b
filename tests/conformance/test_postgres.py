"""PostgreSQL keeps the store's contract, each test in a schema of its own."""

from __future__ import annotations

import pytest

from retoma.stores.conformance.audit import AuditContract
from retoma.stores.conformance.branches import BranchContract
from retoma.stores.conformance.changes import SharedChangesContract
from retoma.stores.conformance.retention import RetentionContract
from retoma.stores.conformance.search import SearchContract
from retoma.stores.conformance.search_branches import SearchBranchesContract
from retoma.stores.conformance.store import DurableContract, Open
from retoma.stores.conformance.transfers import TransferContract
from retoma.stores.conformance.writers import WriterContract
from retoma.stores.postgres.store import PostgresStore


class TestDatabase(
    DurableContract,
    TransferContract,
    AuditContract,
    BranchContract,
    RetentionContract,
    SearchContract,
    SearchBranchesContract,
    SharedChangesContract,
):
    # Appends that meet share a transaction here (test_postgres_groups.py); nobody promises in which order they come.
    test_who_gives_up_later_has_written = WriterContract.test_who_gives_up_later_has_written
    test_every_caller_is_answered = WriterContract.test_every_caller_is_answered_threads_and_tasks_alike
    test_a_closed_store_refuses = WriterContract.test_what_is_submitted_to_a_closed_store_is_refused

    @pytest.fixture
    def opened(self, database: str) -> Open:
        return lambda clock: PostgresStore(database, shown="test", now=clock, random=clock.bytes)
