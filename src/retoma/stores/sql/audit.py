"""Rows as they are, in SQL: what `store check` holds against the journals, and what `store info` counts."""

from __future__ import annotations

from collections.abc import Callable

from retoma.model.branch import END
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.stores.contract.audit import Quarantined, Stray
from retoma.stores.sql.names import Names
from retoma.stores.sql.sessions import drop_rows, hide_rows
from retoma.stores.sql.statements import FRAGMENTS, STATEMENTS, Row, Run, Value

_COLUMNS = tuple(FRAGMENTS["audit_columns"].replace(",", " ").split())


class SqlAudit:
    """The audit over `run`."""

    def __init__(self, run: Run, now: Callable[[], int], names: Names) -> None:
        self._run = run
        self._now = now
        self._names = names

    def sessions(self, *, after: int, limit: int) -> list[tuple[SessionKey, str, int, int]]:
        rows = self._run(STATEMENTS["session_keys"], (after, limit))
        return [(SessionKey(key), name, shelf, events) for key, name, shelf, events in rows]

    def branches(self, *, after: int, limit: int) -> list[SessionKey]:
        return [SessionKey(key) for (key,) in self._run(STATEMENTS["branches"], (after, limit))]

    def systems(self, *, after: int, limit: int) -> list[tuple[SessionKey, bytes, int]]:
        rows = self._run(STATEMENTS["systems"], (after, limit))
        return [(SessionKey(key), value, seq) for key, value, seq in rows]

    def session(self, key: SessionKey) -> dict[str, Value] | None:
        rows = self._run(STATEMENTS["session_row"], (key,))
        return dict(zip(_COLUMNS, rows[0], strict=True)) if rows else None

    def events(self, key: SessionKey, *, after: int, until: int | None = None, limit: int) -> list[Row]:
        return self._run(STATEMENTS["audit_events"], (*_between(key, after, until), limit))

    def seqs(self, key: SessionKey, *, after: int, until: int | None = None, limit: int) -> list[int]:
        rows = self._run(STATEMENTS["audit_seqs"], (*_between(key, after, until), limit))
        return [seq for (seq,) in rows]

    def content(self, content: bytes) -> Row | None:
        rows = self._run(STATEMENTS["audit_content"], (content,))
        return rows[0] if rows else None

    def rows(self, what: str, key: SessionKey) -> list[Row]:
        return self._run(STATEMENTS[_OF_SESSION[what]], (key,))

    def visits(self, key: SessionKey, *, after: int, limit: int) -> list[Row]:
        return self._run(STATEMENTS["audit_visits"], (key, after, limit))

    def strays(self, *, limit: int) -> list[Stray]:
        rows = self._run(STATEMENTS["whole_strays"], (limit,))
        journals = self._run(STATEMENTS["whole_stray_journals"], (limit,))
        return [Stray(*row) for row in rows] + [Stray("journal", key) for (key,) in journals]

    def unreferenced(self, *, after: bytes, limit: int) -> list[tuple[bytes, int]]:
        return [
            (content, stored) for content, stored in self._run(STATEMENTS["unreferenced"], (after, limit))
        ]

    def flow_versions(self, *, after: tuple[int, bytes], limit: int) -> list[Row]:
        return self._run(STATEMENTS["flow_versions"], (*after, limit))

    def log(self, *, after: int, limit: int) -> list[Row]:
        return self._run(STATEMENTS["audit_log"], (after, limit))

    def operations(self, *, after: tuple[int, bytes], limit: int) -> list[Row]:
        return self._run(STATEMENTS["audit_operations"], (*after, limit))

    def wrote(self, operation: bytes, request: bytes, at: int) -> bool:
        return bool(self._run(STATEMENTS["wrote"], (operation, request, at)))

    def runs(self, tenant: TenantKey, key: SessionKey, version: bytes) -> tuple[bool, bool]:
        ((used, stored),) = self._run(STATEMENTS["runs_version"], (tenant, version, key))
        return bool(used), bool(stored)

    def let_go(self, tenant: TenantKey, digest: bytes) -> bool:
        return bool(self._run(STATEMENTS["name_used"], (tenant, digest)))

    def digest(self, name: str) -> bytes:
        return self._names.digest(name)

    def due(self, *, trashed_before: int, imports_before: int) -> tuple[int, ...]:
        rows = self._run(STATEMENTS["whole_due"], {"trashed": trashed_before, "imports": imports_before})
        return rows[0]

    def drop_content(self, content: bytes) -> None:
        self._run(STATEMENTS["drop_blob"], (content,))

    def commits(self) -> tuple[bytes, int, bytes]:
        store, counter, rolling = self._run(STATEMENTS["commits"])[0]
        return store, counter, rolling

    def quarantined(self, *, after: int = 0, limit: int) -> list[Quarantined]:
        return [Quarantined(*row) for row in self._run(STATEMENTS["quarantined"], (after, limit))]

    def quarantine(self, key: SessionKey, name: str, why: str) -> None:
        for tenant, bears in self._run(STATEMENTS["names_of"], (key,)):
            self._names.drop(TenantKey(tenant), SessionId(bears))
        self._run(STATEMENTS["quarantine_session"], (key,))
        self._run(STATEMENTS["add_quarantine"], (key, name, self._now(), why))

    def release(self, tenant: TenantKey, key: SessionKey, name: SessionId) -> None:
        self._run(STATEMENTS["release_session"], (name, key))
        self._names.give(tenant, name, key)
        self._run(STATEMENTS["drop_quarantine"], (key,))

    def discard(self, tenant: TenantKey, key: SessionKey) -> None:
        hide_rows(self._run, key)
        if key > 0 and self.session(key) is None:
            for statement in _STRAY:
                self._run(STATEMENTS[statement], (key,))
            drop_rows(self._run, key)
            self._run(STATEMENTS["add_erasing"], (tenant, key, END))
        self._run(STATEMENTS["drop_quarantine"], (key,))

    def count(self, what: str) -> list[Row]:
        return self._run(STATEMENTS[_COUNTS[what]])

    def largest(self, *, limit: int) -> list[Row]:
        return self._run(STATEMENTS["whole_journals"], (limit,))


def _between(key: SessionKey, after: int, until: int | None) -> tuple[int, int]:
    return key << 32 | after, (key + 1) << 32 if until is None else key << 32 | until


_STRAY = ("quarantine_names", "drop_flow_uses")
"""What the last steps of a deletion have found gone already."""
_OF_SESSION = {
    "names": "names_of",
    "about": "about",
    "tags": "audit_tags",
    "contexts": "audit_contexts",
    "epochs": "epoch_rows",
    "notes": "notes",
    "pending": "pending",
    "lease": "lease",
    "erasing": "whole_erasing",
    "copy": "second_copy",
    "aside": "quarantine_of",
}
_COUNTS = {
    "log": "whole_log_counts",
    "sessions": "whole_shelves",
    "kinds": "whole_kinds",
    "contents": "whole_contents",
    "flow_versions": "whole_flow_versions",
    "states": "whole_states",
    "search": "whole_search",
}
