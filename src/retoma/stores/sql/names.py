"""Which session bears a name, and which names were in use before."""

from __future__ import annotations

from blake3 import blake3

from retoma.model.ids import SessionId, SessionKey, TenantKey
from retoma.stores.sql.statements import STATEMENTS, Run

_KEY = STATEMENTS["session_key"]


class Names:
    """Names over `run`. One that was let go is remembered as a digest, with the store's salt."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def key(self, tenant: TenantKey, name: str) -> SessionKey | None:
        rows = self._run(_KEY, (tenant, name))
        return SessionKey(rows[0][0]) if rows else None

    def of(self, key: SessionKey) -> SessionId | None:
        rows = self._run(STATEMENTS["name_of"], (key,))
        return SessionId(rows[0][0]) if rows else None

    def beginning(self, tenant: TenantKey, prefix: str, *, limit: int) -> list[SessionId]:
        # Names are ASCII, so everything that begins with the prefix sorts before the prefix and a DEL.
        rows = self._run(STATEMENTS["names_from"], (tenant, prefix, prefix + "\x7f", limit))
        return [SessionId(name) for (name,) in rows]

    def give(self, tenant: TenantKey, name: SessionId, key: SessionKey) -> bool:
        """Give a session its name, which must be free; return whether it was in use before."""
        self._run(STATEMENTS["add_name"], (tenant, name, key))
        return bool(self._run(STATEMENTS["name_used"], (tenant, self.digest(name))))

    def drop(self, tenant: TenantKey, name: SessionId) -> None:
        self._run(STATEMENTS["drop_name"], (tenant, name))
        self._run(STATEMENTS["mark_name_used"], (tenant, self.digest(name)))

    def digest(self, name: str) -> bytes:
        """Return what stands for a name that was let go."""
        (salt,) = self._run(STATEMENTS["name_salt"], ())[0]
        return blake3(salt + name.encode()).digest(16)
