"""What is said of a session, in SQL: texts, labels, shelf, name and notes."""

from __future__ import annotations

from collections.abc import Callable

from retoma.model.codec import encode
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.session import ARCHIVED, SHOWN, TRASHED, About, Head, Session, properties
from retoma.stores.sql.forgetting import TITLE, forget_docs
from retoma.stores.sql.names import Names
from retoma.stores.sql.statements import STATEMENTS, Run


class SqlProfiles:
    """Profiles over `run`."""

    def __init__(self, run: Run, now: Callable[[], int], names: Names) -> None:
        self._run = run
        self._now = now
        self._names = names

    def put(self, tenant: TenantKey, head: Head, session: Session, before: About, about: About) -> None:
        run, key = self._run, head.key
        labels = len(about.tags) + len(about.contexts)
        if run(STATEMENTS["title"], (key,)) != [(session.title,)] or before.description != about.description:
            forget_docs(run, key, [TITLE])
        run(
            STATEMENTS["put_profile"],
            (*properties(session), session.reason, int(session.pinned), labels, key),
        )
        if (before.description, before.metadata) != (about.description, about.metadata):
            run(STATEMENTS["put_about"], (key, about.description, encode(about.metadata)))
        place = (int(session.pinned), head.listed_at, key)
        for tag in set(before.tags) - set(about.tags):
            run(STATEMENTS["drop_tag"], (key, tag))
        for tag in set(about.tags) - set(before.tags):
            run(STATEMENTS["add_tag"], (tenant, tag, *place))
        for kind, ref in set(before.contexts) - set(about.contexts):
            run(STATEMENTS["drop_context"], (key, kind, ref))
        for kind, ref in set(about.contexts) - set(before.contexts):
            run(STATEMENTS["add_context"], (tenant, kind, ref, *place))
        run(STATEMENTS["pin_tags"], (int(session.pinned), key))
        run(STATEMENTS["pin_contexts"], (int(session.pinned), key))
        if not head.trashed:
            self.shelve(key, ARCHIVED if session.archived else SHOWN)

    def shelve(self, key: SessionKey, shelf: int) -> None:
        self._run(STATEMENTS["put_shelf"], (shelf, self._now() if shelf == TRASHED else None, key))
        self._run(STATEMENTS["copy_facts"], (key,))

    def rename(self, tenant: TenantKey, head: Head, session: SessionId) -> None:
        self._names.drop(tenant, head.id)
        if self._names.give(tenant, session, head.key):
            self._run(STATEMENTS["mark_epoch_reused"], (head.key, head.epoch))
            self._run(STATEMENTS["copy_facts"], (head.key,))
        self._run(STATEMENTS["put_id"], (session, head.key))
        self._run(STATEMENTS["rename_in_log"], (session, self._names.digest(session), head.key))

    def add_note(self, key: SessionKey, seq: int) -> None:
        self._run(STATEMENTS["add_note"], (key, seq))

    def notes(self, key: SessionKey) -> list[int]:
        return [seq for (seq,) in self._run(STATEMENTS["notes"], (key,))]

    def trash_due(self, tenant: TenantKey, before: int) -> SessionId | None:
        rows = self._run(STATEMENTS["trash_due"], (tenant, before))
        return SessionId(rows[0][0]) if rows else None
