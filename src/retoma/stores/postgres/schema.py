"""The tables of a store in PostgreSQL: looked at by each new connection, made and brought up to date under one lock."""

from __future__ import annotations

from collections.abc import Callable

from retoma.stores.postgres.connection import Wire
from retoma.stores.sql import migrate
from retoma.stores.sql.migrate import Migration, Upgraded, Upgrades


class Schema:
    """The tables of the store at `shown`. `format` is the newest that was seen; 0: there were none."""

    def __init__(
        self, shown: str, now: Callable[[], int], random: Callable[[int], bytes], upgrades: Upgrades | None
    ) -> None:
        self.upgraded: Upgraded | None = None
        self._shown = shown
        self._upgrades = upgrades
        self._now = now
        self._random = random
        self._known = migrate.migrations("postgresql")
        self.format = 0

    def look(self, wire: Wire) -> list[Migration]:
        """Set up the connection and return what the tables need.

        Raises Unavailable for a store of a newer Retoma, and without `upgrades` for one of an older format.
        """
        ((*_, made),) = wire.ask("began")
        applied = [(version, checksum) for version, checksum in wire.ask("applied")] if made else []
        self.format = max([self.format, *(version for version, _ in applied)])
        pending = migrate.pending(self._known, applied, self._shown)
        if pending and self.format and self._upgrades is None:
            raise migrate.older_store(self.format, self._shown)
        return pending

    def migrate(self, wire: Wire) -> None:
        """Make the tables, or upgrade an older store, in one transaction; of several processes one does it."""
        wire.begin("")
        wire.ask("one_at_a_time", (0,))
        pending, before = self.look(wire), self.format
        if pending and before:
            wire.ask("hold_tables")
        self.make(wire, pending)
        repaired = 0
        if pending and before and self._upgrades is not None:
            wire.transaction.now = self._now()
            repaired = self._upgrades.repair(wire.transaction, before)
        wire.commit()
        if pending and before:
            self.upgraded = Upgraded(self._shown, before, repaired)
        self.format = migrate.FORMAT

    def make(self, wire: Wire, pending: list[Migration]) -> None:
        """Run what is pending, in the transaction that is open."""
        for step in pending:
            for text in _statements(step.text):
                wire.put(text)
            now = self._now()
            wire.ask("add_migration", (step.version, step.name, step.checksum, now))
            if step.version == 1:
                wire.ask("add_store", (self._random(16), now, b"\0" * 32))


def _statements(text: str) -> list[str]:
    """Return the statements of a migration, one by one: a pipeline takes no more at a time."""
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in bare.split(";\n") if statement.strip()]
