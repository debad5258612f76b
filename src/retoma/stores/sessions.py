"""Session rows in SQL, with their names and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from blake3 import blake3

from retoma.model.chain import genesis
from retoma.model.codec import decode, encode
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.session import About, Head, NewSession, Session, Status
from retoma.stores.api import Listing, Place
from retoma.stores.sql import FRAGMENTS, STATEMENTS, Row, Run, Value

_KEY = STATEMENTS["session_key"]
_HEAD = STATEMENTS["session_head"]
_ARCHIVED = 1


class SqlSessions:
    """Sessions over `run`."""

    def __init__(self, run: Run, now: Callable[[], int], random: Callable[[int], bytes]) -> None:
        self._run = run
        self._now = now
        self._random = random

    def key(self, tenant: TenantKey, session: str) -> SessionKey | None:
        rows = self._run(_KEY, (tenant, session))
        return SessionKey(rows[0][0]) if rows else None

    def head(self, tenant: TenantKey, session: str) -> Head | None:
        rows = self._run(_KEY, (tenant, session))
        return Head(*self._run(_HEAD, (rows[0][0], tenant))[0]) if rows else None

    def get(self, tenant: TenantKey, session: str) -> Session | None:
        key = self.key(tenant, session)
        rows = self._run(STATEMENTS["session"], (key, tenant)) if key else []
        return _session(rows[0])[0] if rows else None

    def about(self, key: SessionKey) -> About:
        rows = self._run(STATEMENTS["about"], (key,))
        description, metadata = rows[0] if rows else ("", b"{}")
        known = decode(metadata)
        return About(
            description=description,
            metadata=known if isinstance(known, dict) else {},
            tags=tuple(tag for (tag,) in self._run(STATEMENTS["tags"], (key,))),
            contexts=tuple((kind, ref) for kind, ref in self._run(STATEMENTS["contexts"], (key,))),
        )

    def names(self, tenant: TenantKey, prefix: str, *, limit: int) -> list[SessionId]:
        # Names are ASCII, so everything that begins with the prefix sorts before the prefix and a DEL.
        rows = self._run(STATEMENTS["names_from"], (tenant, prefix, prefix + "\x7f", limit))
        return [SessionId(name) for (name,) in rows]

    def last_written(self, tenant: TenantKey, actor: str) -> SessionId | None:
        rows = self._run(STATEMENTS["last_written"], (tenant, actor))
        return SessionId(rows[0][0]) if rows else None

    def add(
        self, tenant: TenantKey, session: SessionId, new: NewSession, *, parent: SessionKey | None
    ) -> Head:
        run, now, uid = self._run, self._now(), self._random(16)
        first = genesis(uid)
        labels = len(new.tags) + len(new.contexts)
        expires = now + new.ttl_ms if new.ttl_ms else None
        row = (
            tenant, session, uid, first, now, now, now, expires,
            new.title, new.agent, new.model, new.thinking, new.channel, parent, labels,
        )  # fmt: skip
        key = SessionKey(run(STATEMENTS["add_session"], row)[0][0])
        run(STATEMENTS["add_name"], (tenant, session, key))
        if new.description or new.metadata:
            run(STATEMENTS["add_about"], (key, new.description, encode(new.metadata)))
        for tag in new.tags:
            run(STATEMENTS["add_tag"], (tenant, tag, 0, now, key))
        for kind, ref in new.contexts:
            run(STATEMENTS["add_context"], (tenant, kind, ref, 0, now, key))
        reused = self.name_used(tenant, session)
        run(STATEMENTS["add_epoch"], (key, 1, self._random(16), 1, now, int(reused)))
        return Head(key, session, "active", 1, 0, 0, first, 0, now, 0, labels)

    def set_status(self, key: SessionKey, status: Status, reason: str) -> None:
        self._run(STATEMENTS["set_status"], (status, reason, key))

    def new_epoch(self, head: Head) -> bytes:
        uid, epoch = self._random(16), head.epoch + 1
        self._run(STATEMENTS["add_epoch"], (head.key, epoch, uid, head.seq + 1, self._now(), 1))
        self._run(STATEMENTS["set_epoch"], (epoch, head.seq + 1, head.key))
        self._run(STATEMENTS["drop_state"], (head.key,))
        self._run(STATEMENTS["drop_visits"], (head.key,))
        return uid

    def hide(self, tenant: TenantKey, head: Head) -> None:
        run = self._run
        run(STATEMENTS["drop_name"], (tenant, head.id))
        run(STATEMENTS["mark_name_used"], (tenant, self._name_digest(head.id)))
        run(STATEMENTS["orphan_children"], (head.key,))
        run(STATEMENTS["hide_session"], (head.key,))
        for statement in ("drop_tags", "drop_contexts", "drop_about", "drop_lease"):
            run(STATEMENTS[statement], (head.key,))

    def doomed(self, tenant: TenantKey) -> SessionKey | None:
        rows = self._run(STATEMENTS["doomed"], (tenant,))
        return SessionKey(rows[0][0]) if rows else None

    def drop(self, key: SessionKey) -> None:
        for statement in ("drop_state", "drop_visits", "drop_epochs", "drop_snapshots", "drop_session"):
            self._run(STATEMENTS[statement], (key,))

    def list(
        self, tenant: TenantKey, listing: Listing, *, after: Place | None, limit: int
    ) -> list[tuple[Session, Place]]:
        source, values, by_label = _source(tenant, listing)
        names = {"o": "o" if by_label else "s", "key": "o.session" if by_label else "s.pk"}
        text = FRAGMENTS["page"].format(columns=FRAGMENTS["columns"], source=source)
        if after is not None:
            text += " " + FRAGMENTS["after"].format_map(names)
            values |= {"pinned": after.pinned, "listed_at": after.listed_at, "pk": after.key}
        text += " " + FRAGMENTS["order"].format_map(names)
        return [_session(row) for row in self._run(text, values | {"limit": limit})]

    def count(self, tenant: TenantKey, listing: Listing, *, most: int) -> int:
        source, values, _ = _source(tenant, listing)
        rows = self._run(FRAGMENTS["count"].format(source=source), values | {"limit": most})
        return int(rows[0][0])

    def operation(self, tenant: TenantKey, operation: bytes) -> tuple[bytes, bytes] | None:
        rows = self._run(STATEMENTS["operation"], (tenant, operation))
        return (rows[0][0], rows[0][1]) if rows else None

    def add_operation(self, tenant: TenantKey, operation: bytes, request: bytes, result: bytes) -> None:
        self._run(STATEMENTS["add_operation"], (tenant, operation, request, result, self._now()))

    def name_used(self, tenant: TenantKey, name: str) -> bool:
        """Return whether a session that is gone bore this name."""
        return bool(self._run(STATEMENTS["name_used"], (tenant, self._name_digest(name))))

    def _name_digest(self, name: str) -> bytes:
        (store,) = self._run(STATEMENTS["store_id"], ())[0]
        return blake3(store + name.encode()).digest(16)


def _source(tenant: TenantKey, listing: Listing) -> tuple[str, dict[str, Value], bool]:
    """Return FROM and WHERE, the values they bind, and whether a label's index drives the order."""
    values: dict[str, Value] = {"tenant": tenant, "shelf": _ARCHIVED if listing.archived else 0}
    tags, contexts = list(listing.tags), list(listing.contexts)
    if tags:
        text = FRAGMENTS["from_tag"]
        values["tag"] = tags.pop(0)
    elif contexts:
        text = FRAGMENTS["from_context"]
        values["kind"], values["ref"] = contexts.pop(0)
    else:
        text = FRAGMENTS["from_recent"]
    simple: dict[str, Value] = {
        "status": listing.status,
        "agent": listing.agent,
        "flow": listing.flow,
        "parent": listing.parent,
        "since": listing.since,
        "before": listing.before,
    }
    for name, value in simple.items():
        if value is not None:
            text += " " + FRAGMENTS[f"with_{name}"]
            values[name] = value
    if listing.ephemeral:
        text += " " + FRAGMENTS["with_expiry"]
    for n, tag in enumerate(tags):
        text += " " + FRAGMENTS["with_tag"].format(n=n)
        values[f"tag{n}"] = tag
    for n, (kind, ref) in enumerate(contexts):
        text += " " + FRAGMENTS["with_context"].format(n=n)
        values |= {f"kind{n}": kind, f"ref{n}": ref}
    return text, values, "FROM session s" not in text


def _session(row: Row) -> tuple[Session, Place]:
    facts: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    place = Place(facts["pinned"], facts.pop("listed_at"), facts["key"])
    facts["archived"] = facts.pop("shelf") == _ARCHIVED
    facts["pinned"] = bool(facts["pinned"])
    return Session(**facts), place


_COLUMNS = (
    "key", "id", "uid", "status", "reason", "title", "agent", "model", "thinking", "channel", "parent",
    "epoch", "seq", "hash", "messages", "tokens_in", "tokens_out", "tokens_cached", "cost_micros",
    "created_at", "updated_at", "expires_at", "pinned", "shelf", "flow", "flow_path", "flow_version", "flow_node",
    "flow_status", "flow_visits", "listed_at",
)  # fmt: skip
