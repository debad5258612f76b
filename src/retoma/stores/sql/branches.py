"""Forks in SQL: rows of a new session that begins with another's past, and who reads what of whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from retoma.model.branch import Line, Segment
from retoma.model.chain import genesis
from retoma.model.codec import encode
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.session import ARCHIVED, SHOWN, About, Head, Session, properties
from retoma.stores.contract.branches import Kept, Reader
from retoma.stores.sql.names import Names
from retoma.stores.sql.sessions import session_of
from retoma.stores.sql.statements import STATEMENTS, Run


class SqlBranches:
    """Branches over `run`."""

    def __init__(self, run: Run, now: Callable[[], int], names: Names) -> None:
        self._run = run
        self._now = now
        self._names = names

    def line(self, key: SessionKey) -> Line | None:
        rows = self._run(STATEMENTS["line_ends"], (key,))
        return Line(key, self.inherited(key), *rows[0]) if rows else None

    def inherited(self, key: SessionKey) -> list[Segment]:
        return [Segment(*row) for row in self._run(STATEMENTS["segments"], (key,))]

    def start(self, tenant: TenantKey, key: SessionKey, uid: bytes) -> tuple[int, bytes]:
        ((seq, linked),) = self._run(STATEMENTS["session_base"], (key, tenant))
        return seq, linked or genesis(uid)

    # Made

    def add(
        self,
        tenant: TenantKey,
        name: SessionId,
        of: Session,
        like: Session,
        about: About,
        *,
        at: int,
        linked: bytes,
        epoch_uid: bytes,
    ) -> Head:
        run, now = self._run, self._now()
        base, first = self.start(tenant, of.key, of.uid)
        inherited = self.inherited(of.key)
        line = Line(of.key, inherited, base, of.seq)
        labels, pinned = len(about.tags) + len(about.contexts), int(like.pinned)
        ((epoch_seq,),) = run(STATEMENTS["epoch_begins"], (of.key, like.epoch))
        shelf = ARCHIVED if like.archived else SHOWN
        row = (
            tenant, name, like.uid, like.status, shelf, pinned, like.epoch, epoch_seq, at, linked, base, first,
            like.messages, labels, now, now, now, like.expires_at, *properties(like), like.template,
            line.source(at), at, like.tokens_in, like.tokens_out, like.tokens_cached,
            like.cost_micros, like.flow, like.flow_path, like.flow_version, like.flow_node,
            like.flow_status, like.flow_visits,
        )  # fmt: skip
        key = SessionKey(run(STATEMENTS["add_fork"], row)[0][0])
        self._names.give(tenant, name, key)
        if inherited:
            run(STATEMENTS["fork_segments"], (key, of.key, at))
        if at > line.inherited_until:
            run(STATEMENTS["add_segment"], (key, line.inherited_until + 1, at, of.key))
        if about.description or about.metadata:
            run(STATEMENTS["add_about"], (key, about.description, encode(about.metadata)))
        for tag in about.tags:
            run(STATEMENTS["add_tag"], (tenant, tag, pinned, now, key))
        for kind, ref in about.contexts:
            run(STATEMENTS["add_context"], (tenant, kind, ref, pinned, now, key))
        run(STATEMENTS["fork_epochs"], (key, of.key, like.epoch))
        run(STATEMENTS["renew_epoch"], (epoch_uid, key, like.epoch))
        run(STATEMENTS["fork_notes"], (key, of.key, at))
        run(STATEMENTS["fork_flow_uses"], (key, of.key))
        run(STATEMENTS["copy_facts"], (key,))
        return Head(
            key,
            name,
            like.status,
            like.epoch,
            epoch_seq,
            at,
            linked,
            0,
            now,
            like.messages,
            labels,
            shelf,
            base,
        )

    def copy_state(self, of: SessionKey, to: SessionKey) -> None:
        self._run(STATEMENTS["fork_state"], (to, of))
        self._run(STATEMENTS["fork_visits"], (to, of))

    def put_history(self, key: SessionKey, nodes: Sequence[str]) -> None:
        for position, node in enumerate(nodes, 1):
            self._run(STATEMENTS["add_visit"], (key, position, node))

    def succeed(self, tenant: TenantKey, old: Head, new: SessionKey) -> None:
        run = self._run
        run(STATEMENTS["take_place"], (new, old.key))
        run(STATEMENTS["leave_parent"], (old.key,))
        run(STATEMENTS["move_children"], (new, old.key))
        for line in (old.key, new):
            run(STATEMENTS["copy_facts"], (line,))
        run(STATEMENTS["move_key"], (new, old.key))
        run(STATEMENTS["move_lease"], (new, old.key))
        run(STATEMENTS["move_log"], (new, old.id, self._names.digest(old.id), old.key))
        run(STATEMENTS["move_operation"], (new.to_bytes(8), tenant, old.key.to_bytes(8)))

    # Who reads

    def forks(self, tenant: TenantKey, key: SessionKey, *, limit: int) -> list[Session]:
        return [session_of(row) for row in self._run(STATEMENTS["forks_of"], (key, tenant, limit))]

    def readers(self, key: SessionKey, *, since: int = 1) -> list[Reader]:
        rows = self._run(STATEMENTS["readers"], (key, since))
        return [Reader(SessionKey(reader), SessionId(name), *stretch) for reader, name, *stretch in rows]

    def points(self, key: SessionKey) -> list[int]:
        return [seq for (seq,) in self._run(STATEMENTS["fork_points"], (key,))]

    def reads(self, key: SessionKey, seq: int) -> bool:
        return self._run(STATEMENTS["read_until"], (key, seq))[0][0] is not None

    def shared_until(self, key: SessionKey) -> int:
        return self._run(STATEMENTS["shared_until"], (key,))[0][0] or 0

    # Snapshots

    def snapshot(self, key: SessionKey, *, at: int) -> Kept | None:
        line = self.line(key)
        if line is None:
            return None
        after = line.inherited_until
        rows = self._run(STATEMENTS["own_snapshot"], (key, after, at)) if at > after else []
        found = [(key, *row) for row in rows] or self._run(STATEMENTS["inherited_snapshot"], (key, at))
        if not found:
            return None
        source, seq, state = found[0]
        hashes = self._run(STATEMENTS["event_hash"], (source << 32 | seq,))
        return Kept(SessionKey(source), seq, hashes[0][0], state) if hashes else None

    def put_snapshot(self, source: SessionKey, seq: int, state: bytes) -> None:
        self._run(STATEMENTS["put_snapshot"], (source, seq, state))

    def drop_snapshots(self, source: SessionKey) -> None:
        self._run(STATEMENTS["drop_snapshots_beyond"], (source,))
        self._run(STATEMENTS["drop_snapshots"], (source,))
