"""PostgreSQL keeps the store's contract, each test in a schema of its own."""

from __future__ import annotations

import pytest

from retoma.stores.conformance import DurableContract, Open
from retoma.stores.conformance_audit import AuditContract
from retoma.stores.conformance_transfers import TransferContract
from retoma.stores.postgres.store import PostgresStore


class TestDatabase(DurableContract, TransferContract, AuditContract):
    @pytest.fixture
    def opened(self, database: str) -> Open:
        return lambda clock: PostgresStore(database, shown="test", now=clock, random=clock.bytes)
