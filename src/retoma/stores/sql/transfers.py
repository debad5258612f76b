"""Sessions on their way out and in, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET

from retoma.model.chain import genesis
from retoma.model.codec import encode
from retoma.model.event import NOTE, Event
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.session import ARCHIVED, SHOWN, properties
from retoma.model.transfer import ContextPart, EpochPart, Link, SessionRecord
from retoma.stores.contract.store import Known
from retoma.stores.sql.forgetting import TITLE, forget_docs
from retoma.stores.sql.journal import SqlJournal
from retoma.stores.sql.names import Names
from retoma.stores.sql.statements import STATEMENTS, Run, Value
from retoma.stores.witness import packed_head


class SqlTransfers:
    """What only export and import need, over `run`."""

    def __init__(self, run: Run, now: Callable[[], int], names: Names, journal: SqlJournal) -> None:
        self._run = run
        self._now = now
        self._names = names
        self._journal = journal

    # Out

    def base(self, tenant: TenantKey, key: SessionKey, uid: bytes) -> Link:
        ((seq, cut),) = self._run(STATEMENTS["session_base"], (key, tenant))
        return Link(seq=seq, hash=(cut or genesis(uid)).hex())

    def epochs(self, key: SessionKey) -> list[EpochPart]:
        return [
            EpochPart(epoch=epoch, uid=uid.hex(), first_seq=first, began_at=at, reused=bool(reused))
            for epoch, uid, first, at, reused in self._run(STATEMENTS["epoch_rows"], (key,))
        ]

    def state(self, key: SessionKey, *, after: str | None, limit: int) -> list[tuple[str, bytes, int]]:
        if after is None:
            rows = self._run(STATEMENTS["first_state_page"], (key, limit))
        else:
            rows = self._run(STATEMENTS["state_page"], (key, after, limit))
        return [(name, value, seq) for name, value, seq in rows]

    def visits(self, key: SessionKey, *, after: int, limit: int) -> list[str]:
        return [node for (node,) in self._run(STATEMENTS["visits_page"], (key, after, limit))]

    # In

    def of_uid(self, tenant: TenantKey, uid: bytes, created_at: int) -> list[Known]:
        return [Known(*row) for row in self._run(STATEMENTS["sessions_of_uid"], (tenant, created_at, uid))]

    def stale(self, tenant: TenantKey, *, before: int) -> SessionKey | None:
        rows = self._run(STATEMENTS["stale_incoming"], (tenant, before))
        return SessionKey(rows[0][0]) if rows else None

    def begin(
        self, tenant: TenantKey, uid: bytes, created_at: int, *, base: tuple[int, bytes], becomes: str
    ) -> SessionKey:
        seq, last = base
        now = self._now()
        values = (
            tenant, uid, seq, last, seq, None if last == genesis(uid) else last, created_at, created_at, now, becomes,
        )  # fmt: skip
        return SessionKey(self._run(STATEMENTS["add_incoming"], values)[0][0])

    def take(self, tenant: TenantKey, key: SessionKey) -> int:
        token: int = self._run(STATEMENTS["take_incoming"], (self._now(), key, tenant))[0][0]
        self._run(STATEMENTS["drop_state"], (key,))
        self._run(STATEMENTS["drop_pending"], (key,))
        self._run(STATEMENTS["drop_visits"], (key,))
        return token

    def token(self, tenant: TenantKey, key: SessionKey) -> int | None:
        rows = self._run(STATEMENTS["incoming_token"], (key, tenant))
        return rows[0][0] if rows else None

    def add_events(self, key: SessionKey, events: Sequence[Event]) -> None:
        self._journal.restore(key, events)
        for event in events:
            if event.type == NOTE:
                self._run(STATEMENTS["add_note"], (key, event.seq))
        last = events[-1]
        self._run(STATEMENTS["move_incoming"], (last.seq, last.hash, self._now(), key))
        self._journal.moved.append(packed_head(key, last.seq, last.hash))

    def add_state(self, key: SessionKey, rows: Sequence[tuple[str, bytes, int]]) -> None:
        for row in rows:
            self._run(STATEMENTS["put_state"], (key, *row))

    def add_visits(self, key: SessionKey, nodes: Sequence[str], *, first: int) -> None:
        for position, node in enumerate(nodes, first):
            self._run(STATEMENTS["add_visit"], (key, position, node))

    def doom(self, tenant: TenantKey, key: SessionKey) -> None:
        self._run(STATEMENTS["doom_incoming"], (key, tenant))

    def publish(
        self,
        tenant: TenantKey,
        key: SessionKey,
        name: str,
        record: SessionRecord,
        *,
        parent: SessionKey | None,
    ) -> None:
        used = self._names.give(tenant, SessionId(name), key)
        self._become(tenant, key, name, record, used=used)
        self._run(STATEMENTS["set_parent"], (parent, key, tenant))
        self._run(STATEMENTS["copy_facts"], (key,))

    def extend(
        self, tenant: TenantKey, into: SessionKey, name: str, key: SessionKey, record: SessionRecord
    ) -> None:
        low, shift = key << 32, (into - key) << 32
        self._run(STATEMENTS["hand_over_events"], (shift, low, (key + 1) << 32))
        self._clear(into)
        self._run(STATEMENTS["hand_over_state"], (into, key))
        self._run(STATEMENTS["hand_over_pending"], (into, key))
        self._run(STATEMENTS["hand_over_visits"], (into, key))
        self._run(STATEMENTS["hand_over_notes"], (into, key))
        self._run(STATEMENTS["drop_session"], (key,))
        self._become(tenant, into, name, record, used=False)
        self._run(STATEMENTS["copy_facts"], (into,))

    def retell(self, tenant: TenantKey, key: SessionKey, name: str, record: SessionRecord) -> None:
        self._clear(key)
        self._become(tenant, key, name, record, used=False)
        self._run(STATEMENTS["copy_facts"], (key,))

    def _clear(self, key: SessionKey) -> None:
        for statement in (
            "drop_state",
            "drop_pending",
            "drop_visits",
            "drop_epochs",
            "drop_about",
            "drop_tags",
            "drop_contexts",
        ):
            self._run(STATEMENTS[statement], (key,))

    def _become(
        self, tenant: TenantKey, key: SessionKey, name: str, record: SessionRecord, *, used: bool
    ) -> None:
        run, epoch, listed = self._run, record.epochs[-1], record.updated_at
        flow, usage, pinned = record.flow, record.usage, int(record.pinned)
        template = "" if record.template is UNSET else record.template
        position: tuple[Value, ...] = (None, None, None, None, None, 0)
        if flow is not None:
            version = bytes.fromhex(flow.version) if flow.version else None
            position = (flow.name, flow.path, version, flow.node, flow.status, flow.visits)
        row = (
            name, ARCHIVED if record.archived else SHOWN, pinned, record.status, record.reason, epoch.epoch,
            epoch.first_seq, record.head.seq, bytes.fromhex(record.head.hash), record.messages,
            len(record.tags) + len(record.contexts), record.updated_at, listed, record.expires_at, *properties(record),
            usage.tokens_in, usage.tokens_out,
            usage.tokens_cached, usage.cost_micros, *position, template, key, tenant,
        )  # fmt: skip
        # It may be older than what is indexed, and lists do not show then that it is behind.
        forget_docs(run, key, [TITLE])
        run(STATEMENTS["add_search_due"], (tenant, key))
        run(STATEMENTS["publish_session"], row)
        self._journal.moved.append(packed_head(key, record.head.seq, bytes.fromhex(record.head.hash)))
        if record.description or record.metadata:
            run(STATEMENTS["add_about"], (key, record.description, encode(record.metadata)))
        for tag in record.tags:
            run(STATEMENTS["add_tag"], (tenant, tag, pinned, listed, key))
        for kind, ref in map(_pair, record.contexts):
            run(STATEMENTS["add_context"], (tenant, kind, ref, pinned, listed, key))
        if flow is not None and flow.version:
            run(STATEMENTS["add_flow_use"], (tenant, bytes.fromhex(flow.version), key))
        for one in record.epochs:
            values = (
                key,
                one.epoch,
                bytes.fromhex(one.uid),
                one.first_seq,
                one.began_at,
                int(one.reused or used),
            )
            run(STATEMENTS["add_epoch"], values)


def _pair(context: ContextPart) -> tuple[str, str]:
    return context.kind, context.ref
