"""Forgetting, in SQL: the data of events, the beginnings of journals, versions of flows that nobody runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retoma.model.branch import END
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.session import Head
from retoma.stores.sql.forgetting import forget_docs, forget_gone
from retoma.stores.sql.statements import STATEMENTS, Run


class SqlErasing:
    """Erasing over `run`. SQLite overwrites what is erased here; `Store.forget` takes out its copies, and the log's."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.began = False
        """Whether this transaction erases."""

    def begin(self) -> None:
        self.began = True

    def erase(self, key: SessionKey, seqs: Sequence[int]) -> None:
        self.begin()
        forget_docs(self._run, key, [(seq, seq + 1) for seq in seqs])
        for seq in seqs:
            k = key << 32 | seq
            blobs = self._run(STATEMENTS["blob_of_event"], (k,))
            self._run(STATEMENTS["erase_event"], (k,))
            self._drop_blobs(content for (content,) in blobs)

    def cut(self, tenant: TenantKey, head: Head) -> None:
        self.begin()
        run, key = self._run, head.key
        forget_docs(run, key, [(1, head.seq + 1)])
        run(STATEMENTS["cut_journal"], (head.seq, head.hash, key))
        run(STATEMENTS["drop_notes_until"], (key, head.seq))
        run(STATEMENTS["drop_epochs_until"], (key, head.epoch))
        run(STATEMENTS["copy_facts"], (key,))
        run(STATEMENTS["free_sources"], (key,))
        run(STATEMENTS["drop_segments"], (key,))
        run(STATEMENTS["drop_snapshots"], (key,))
        run(STATEMENTS["add_erasing"], (tenant, key, head.seq))
        self.drop_flows(key)

    def due(self, tenant: TenantKey) -> tuple[SessionKey, int] | None:
        rows = self._run(STATEMENTS["erasing"], (tenant,))
        return (SessionKey(rows[0][0]), rows[0][1]) if rows else None

    def done(self, tenant: TenantKey, key: SessionKey) -> None:
        forget_gone(self._run, key)
        self._run(STATEMENTS["drop_erasing"], (tenant, key))

    def drop_events(self, key: SessionKey, *, until: int | None = None, limit: int) -> bool:
        low, high = self._unread(key, END if until is None else until)
        (end,) = self._run(STATEMENTS["last_of_chunk"], (low, high, limit))[0]
        if end is None:
            return False
        self.begin()
        forget_docs(self._run, key, [((low & END) + 1, (end & END) + 1)])
        blobs = self._run(STATEMENTS["blobs_of"], (low, end))
        self._run(STATEMENTS["drop_events"], (low, end))
        self._run(STATEMENTS["drop_snapshots_between"], (key, low & END, end & END))
        self._drop_blobs(content for (content,) in blobs)
        return True

    def _unread(self, key: SessionKey, until: int) -> tuple[int, int]:
        """Return what the first stretch of rows that no fork reads lies between."""
        low, high = key << 32, (key << 32) + until + 1
        while True:
            (first,) = self._run(STATEMENTS["first_event"], (low, high))[0]
            if first is None:
                return low, low
            (read,) = self._run(STATEMENTS["read_until"], (key, first & END))[0]
            if read is None:
                break
            low = (key << 32) + read
        (following,) = self._run(STATEMENTS["read_next"], (key, first & END))[0]
        return first - 1, high if following is None else min(high, (key << 32) + following)

    def drop_flows(self, key: SessionKey) -> None:
        """Forget which versions a session ran, and those that no other session did."""
        used = self._run(STATEMENTS["flow_uses"], (key,))
        self._run(STATEMENTS["drop_flow_uses"], (key,))
        for tenant, version in used:
            self._run(STATEMENTS["hold_flow_version"], (tenant, version))
            self._run(STATEMENTS["drop_flow_version"], (tenant, version))

    def _drop_blobs(self, contents: Iterable[bytes]) -> None:
        for content in contents:
            self._run(STATEMENTS["hold_blob"], (content,))
            self._run(STATEMENTS["drop_blob"], (content,))
