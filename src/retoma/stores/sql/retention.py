"""Sessions that were left alone, the marks of due work, and the store's own log, in SQL."""

from __future__ import annotations

from collections.abc import Callable

from blake3 import blake3

from retoma.model.codec import encode
from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.model.retention import Deed, Entry
from retoma.model.session import Status
from retoma.stores.contract.retention import END, START, Alone, LeftAlone, Mark
from retoma.stores.sql.names import Names
from retoma.stores.sql.statements import FRAGMENTS, STATEMENTS, Row, Run, Value


class SqlRetention:
    """Retention over `run`."""

    def __init__(self, run: Run, now: Callable[[], int]) -> None:
        self._run = run
        self._now = now

    def alone(
        self, tenant: TenantKey, asked: LeftAlone, *, after: Mark | None = None, limit: int
    ) -> list[Alone]:
        at, key = after or START
        filters, values = _filters(asked)
        text = f"{FRAGMENTS['untouched']}{filters} {FRAGMENTS['order_untouched']}"
        values |= {"tenant": tenant, "now": self._now(), "at": at, "pk": key, "limit": limit}
        return [
            Alone(SessionKey(key), SessionId(name), Mark(listed_at, key), events, flow_status)
            for key, name, listed_at, events, flow_status in self._run(text, values)
        ]

    def count(self, tenant: TenantKey, asked: LeftAlone) -> int:
        filters, values = _filters(asked)
        values |= {"tenant": tenant, "now": self._now()}
        return int(self._run(f"{FRAGMENTS['count_untouched']}{filters}", values)[0][0])

    def trashed(self, tenant: TenantKey, before: int) -> int:
        return int(self._run(STATEMENTS["count_trashed"], (tenant, before))[0][0])

    def still(self, tenant: TenantKey, key: SessionKey, status: Status, before: int) -> bool:
        return bool(self._run(STATEMENTS["still_untouched"], (key, tenant, status, before)))

    def mark(self, tenant: TenantKey, name: str) -> Mark | None:
        rows = self._run(STATEMENTS["due_mark"], (tenant, name))
        return Mark(*rows[0]) if rows else None

    def put_mark(self, tenant: TenantKey, name: str, mark: Mark) -> None:
        self._run(STATEMENTS["put_due_mark"], (tenant, name, *mark))


class SqlLog:
    """The log over `run`."""

    def __init__(self, run: Run, now: Callable[[], int], names: Names) -> None:
        self._run = run
        self._now = now
        self._names = names

    def add(
        self,
        tenant: TenantKey,
        *,
        actor: str,
        deed: Deed,
        why: str,
        count: int,
        session: tuple[SessionKey, SessionId] | None = None,
    ) -> None:
        named: tuple[Value, ...] = (None, "", None)
        if session is not None:
            named = (*session, self._names.digest(session[1]))
        said = (tenant, self._now(), actor, deed, why, count)
        ((number,),) = self._run(STATEMENTS["add_log"], (*said, *named))
        self._run(STATEMENTS["mark_log"], (marked(number, *said), number))
        self._run(STATEMENTS["count_log"], (tenant,))

    def page(
        self, tenant: TenantKey, *, since: int = 0, before: tuple[int, int] = END, limit: int
    ) -> list[Entry]:
        return _entries(self._run(STATEMENTS["log_page"], (tenant, since, *before, limit)))

    def of(
        self,
        tenant: TenantKey,
        name: str,
        *,
        since: int = 0,
        before: tuple[int, int] = END,
        limit: int,
    ) -> list[Entry]:
        key = self._names.key(tenant, name)
        if key is not None:
            rows = self._run(STATEMENTS["log_of_session"], (key, tenant, since, *before, limit))
        else:
            digest = self._names.digest(name)
            rows = self._run(STATEMENTS["log_of_digest"], (tenant, digest, since, *before, limit))
        return _entries(rows)


def marked(number: int, tenant: int, at: int, actor: str, deed: str, why: str, count: int) -> bytes:
    """Return what stands for an entry, so that a change of it shows: the names in it change, and are not in it."""
    return blake3(encode([number, tenant, at, actor, deed, why, count])).digest(16)


def _entries(rows: list[Row]) -> list[Entry]:
    return [
        Entry(number=pk, at=at, actor=actor, deed=deed, why=why, count=count, id=name, digest=digest)
        for pk, at, actor, deed, why, count, name, digest in rows
    ]


def _filters(asked: LeftAlone) -> tuple[str, dict[str, Value]]:
    """Return what is put behind the index, and what it binds."""
    values: dict[str, Value] = {"status": asked.status, "before": asked.before}
    text = ""
    for name, value in (("agent", asked.agent), ("flow", asked.flow)):
        if value is not None:
            text += " " + FRAGMENTS[f"with_{name}"]
            values[name] = value
    if not asked.waiting:
        text += " " + FRAGMENTS["with_nothing_awaited"]
    for n, tag in enumerate(asked.tags):
        text += " " + FRAGMENTS["with_tag"].format(n=n)
        values[f"tag{n}"] = tag
    for n, (kind, ref) in enumerate(asked.contexts):
        text += " " + FRAGMENTS["with_context"].format(n=n)
        values |= {f"kind{n}": kind, f"ref{n}": ref}
    return text, values
