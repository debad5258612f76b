"""Session rows in SQL, with their names and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from retoma.model.chain import genesis
from retoma.model.codec import decode, encode
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.session import ARCHIVED, SHOWN, About, Head, NewSession, Session, Status, properties
from retoma.stores.contract.store import Listing, Place
from retoma.stores.sql import listing as listing_of
from retoma.stores.sql.forgetting import TITLE, forget_docs, forget_session
from retoma.stores.sql.names import Names
from retoma.stores.sql.statements import STATEMENTS, Row, Run, in_chunks, of_several

_HEAD = STATEMENTS["session_head"]


class SqlSessions:
    """Sessions over `run`."""

    def __init__(
        self, run: Run, now: Callable[[], int], random: Callable[[int], bytes], names: Names
    ) -> None:
        self._run = run
        self._now = now
        self._random = random
        self._names = names

    def key(self, tenant: TenantKey, session: str) -> SessionKey | None:
        return self._names.key(tenant, session)

    def head(self, tenant: TenantKey, session: str) -> Head | None:
        rows = self._run(_HEAD, (tenant, session))
        if not rows and self.key(tenant, session) is not None:
            # Whoever this waited for gave the name to another line.
            rows = self._run(_HEAD, (tenant, session))
        return Head(*rows[0]) if rows else None

    def get(self, tenant: TenantKey, session: str) -> Session | None:
        key = self.key(tenant, session)
        rows = self._run(STATEMENTS["session"], (key, tenant)) if key else []
        return session_of(rows[0]) if rows else None

    def about(self, key: SessionKey) -> About:
        rows = self._run(STATEMENTS["about"], (key,))
        description, metadata = rows[0] if rows else ("", b"{}")
        tags = [tag for (tag,) in self._run(STATEMENTS["tags"], (key,))]
        contexts = [(kind, ref) for kind, ref in self._run(STATEMENTS["contexts"], (key,))]
        return _about(description, metadata, tags, contexts)

    def abouts(self, keys: Sequence[SessionKey]) -> dict[SessionKey, About]:
        tags: dict[SessionKey, list[str]] = {key: [] for key in keys}
        contexts: dict[SessionKey, list[tuple[str, str]]] = {key: [] for key in keys}
        for key, tag in of_several(self._run, "tags_of", keys):
            tags[key].append(tag)
        for key, kind, ref in of_several(self._run, "contexts_of", keys):
            contexts[key].append((kind, ref))
        said = {key: (text, data) for key, text, data in of_several(self._run, "abouts", keys)}
        return {key: _about(*said.get(key, ("", b"{}")), tags[key], contexts[key]) for key in tags}

    def names(self, tenant: TenantKey, prefix: str, *, limit: int) -> list[SessionId]:
        return self._names.beginning(tenant, prefix, limit=limit)

    def last_written(self, tenant: TenantKey, actor: str) -> SessionId | None:
        rows = [
            row
            for shelf, pinned in ((SHOWN, 0), (SHOWN, 1), (ARCHIVED, 0), (ARCHIVED, 1))
            for row in self._run(STATEMENTS["last_written"], (tenant, shelf, pinned, actor))
        ]
        return SessionId(max(rows)[2]) if rows else None

    def tags(self, tenant: TenantKey, prefix: str, *, limit: int) -> list[str]:
        rows = self._run(STATEMENTS["tags_from"], (tenant, prefix, limit))
        return [tag for (tag,) in rows if tag.startswith(prefix)]

    def add(
        self, tenant: TenantKey, session: SessionId, new: NewSession, *, parent: SessionKey | None
    ) -> Head:
        run, now, uid = self._run, self._now(), self._random(16)
        first = genesis(uid)
        labels = len(new.tags) + len(new.contexts)
        expires = now + new.ttl_ms if new.ttl_ms else None
        row = (
            tenant, session, uid, first, now, now, now, expires,
            *properties(new), parent, labels, new.template,
        )  # fmt: skip
        key = SessionKey(run(STATEMENTS["add_session"], row)[0][0])
        reused = self._names.give(tenant, session, key)
        if new.description or new.metadata:
            run(STATEMENTS["add_about"], (key, new.description, encode(new.metadata)))
        for tag in new.tags:
            run(STATEMENTS["add_tag"], (tenant, tag, 0, now, key))
        for kind, ref in new.contexts:
            run(STATEMENTS["add_context"], (tenant, kind, ref, 0, now, key))
        run(STATEMENTS["add_epoch"], (key, 1, self._random(16), 1, now, int(reused)))
        run(STATEMENTS["copy_facts"], (key,))
        return Head(key, session, "active", 1, 0, 0, first, 0, now, 0, labels)

    def set_status(self, key: SessionKey, status: Status, reason: str) -> None:
        self._run(STATEMENTS["set_status"], (status, reason, key))

    def spend(self, key: SessionKey, tokens_in: int, tokens_out: int, tokens_cached: int) -> Sequence[int]:
        return self._run(STATEMENTS["spend"], (tokens_in, tokens_out, tokens_cached, key))[0]

    def new_epoch(self, head: Head) -> bytes:
        uid, epoch = self._random(16), head.epoch + 1
        self._run(STATEMENTS["add_epoch"], (head.key, epoch, uid, head.seq + 1, self._now(), 1))
        self._run(STATEMENTS["set_epoch"], (epoch, head.seq + 1, head.key))
        self._run(STATEMENTS["drop_state"], (head.key,))
        self._run(STATEMENTS["drop_pending"], (head.key,))
        self._run(STATEMENTS["drop_visits"], (head.key,))
        self._run(STATEMENTS["copy_facts"], (head.key,))
        return uid

    def epochs(self, key: SessionKey) -> list[tuple[int, int]]:
        return [(first, epoch) for first, epoch in self._run(STATEMENTS["epochs"], (key,))]

    def hide(self, tenant: TenantKey, head: Head) -> None:
        self._names.drop(tenant, head.id)
        hide_rows(self._run, head.key)

    def template(self, key: SessionKey) -> str:
        return str(self._run(STATEMENTS["template_of"], (key,))[0][0])

    def doomed(self, tenant: TenantKey) -> SessionKey | None:
        rows = self._run(STATEMENTS["doomed"], (tenant,))
        return SessionKey(rows[0][0]) if rows else None

    def drop(self, key: SessionKey) -> None:
        drop_rows(self._run, key)

    def list(
        self, tenant: TenantKey, listing: Listing, *, after: Place | None, limit: int
    ) -> list[tuple[Session, Place]]:
        asked = listing_of.page(tenant, listing, after=after, limit=limit)
        return [
            (session_of(row), Place(row[_PINNED], row[-1], row[0], row[1]))
            for row in self._run(asked.text, asked.values)
        ]

    def among(self, tenant: TenantKey, listing: Listing, keys: Sequence[SessionKey]) -> Sequence[Session]:
        asked = (listing_of.among(tenant, listing, keys=chunk) for chunk in in_chunks(keys))
        return [session_of(row) for one in asked for row in self._run(one.text, one.values)]

    def count(self, tenant: TenantKey, listing: Listing, *, most: int) -> int:
        asked = listing_of.count(tenant, listing, most=most)
        return int(self._run(asked.text, asked.values)[0][0])

    def name(self, key: SessionKey) -> SessionId | None:
        return self._names.of(key)

    def operation(self, tenant: TenantKey, operation: bytes) -> tuple[bytes, bytes] | None:
        rows = self._run(STATEMENTS["operation"], (tenant, operation))
        return (rows[0][0], rows[0][1]) if rows else None

    def add_operation(self, tenant: TenantKey, operation: bytes, request: bytes, result: bytes) -> None:
        self._run(STATEMENTS["add_operation"], (tenant, operation, request, result, self._now()))
        self._run(STATEMENTS["copy_key"], (operation, int.from_bytes(result)))


def hide_rows(run: Run, key: SessionKey) -> None:
    """Hide a session whose name is dropped, and drop what shows it in lists."""
    forget_docs(run, key, [TITLE])
    for statement in (
        "hide_session",
        "forget_in_log",
        "drop_tags",
        "drop_contexts",
        "drop_about",
        "drop_lease",
    ):
        run(STATEMENTS[statement], (key,))


def drop_rows(run: Run, key: SessionKey) -> None:
    """Drop the rows of a session whose events are gone."""
    forget_session(run, key)
    for statement in (
        "free_sources", "drop_segments", "drop_state", "drop_pending", "drop_visits", "drop_notes", "drop_epochs",
        "drop_snapshots", "drop_copy", "drop_session",
    ):  # fmt: skip
        run(STATEMENTS[statement], (key,))


def _about(
    description: str, metadata: bytes, tags: Iterable[str], contexts: Iterable[tuple[str, str]]
) -> About:
    known = decode(metadata)
    return About(
        description=description,
        metadata=known if isinstance(known, dict) else {},
        tags=tuple(tags),
        contexts=tuple(contexts),
    )


def session_of(row: Row) -> Session:
    """Return a session from its row, whose columns are those of the fragment `columns`, in the order of its fields."""
    facts: dict[str, Any] = dict(zip(_COLUMNS, row, strict=False))
    facts["archived"] = facts["archived"] == ARCHIVED
    facts["pinned"] = bool(facts["pinned"])
    return Session(**facts)


_COLUMNS = Session.__struct_fields__
_PINNED = _COLUMNS.index("pinned")
