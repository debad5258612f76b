"""State, flow positions, flow versions and leases in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from retoma.errors import Integrity
from retoma.model.codec import Json, JsonMap, decode, encode
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.lease import FencingToken, Holder, Lease
from retoma.model.session import Head
from retoma.stores.pack import pack, unpack
from retoma.stores.sql import STATEMENTS, Run, of_several

_LEASE_TOKEN = STATEMENTS["lease_token"]


class SqlState:
    """State rows over `run`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def get(self, key: SessionKey) -> dict[str, Json]:
        return {name: decode(value) for name, value in self._run(STATEMENTS["state"], (key,))}

    def some(self, key: SessionKey, names: Iterable[str]) -> dict[str, Json]:
        return {
            name: decode(value)
            for name in names
            for (value,) in self._run(STATEMENTS["state_key"], (key, name))
        }

    def value(self, key: SessionKey, name: str) -> Json:
        return self.some(key, (name,)).get(name)

    def put(self, key: SessionKey, values: JsonMap, *, seq: int) -> None:
        for name, value in values.items():
            self._run(STATEMENTS["put_state"], (key, name, encode(value), seq))

    def delete(self, key: SessionKey, names: Iterable[str]) -> None:
        for name in names:
            self._run(STATEMENTS["drop_state_key"], (key, name))

    def history(self, key: SessionKey) -> list[str]:
        return [node for (node,) in self._run(STATEMENTS["visits"], (key,))]


class SqlFlows:
    """Flow positions and versions over `run`."""

    def __init__(self, run: Run, now: Callable[[], int]) -> None:
        self._run = run
        self._now = now

    def begin(self, tenant: TenantKey, key: SessionKey, *, flow: str, path: str, version: bytes) -> None:
        self._run(STATEMENTS["begin_flow"], (flow, path, version, key))
        self._run(STATEMENTS["add_flow_use"], (tenant, version, key))
        self._run(STATEMENTS["copy_facts"], (key,))

    def visit(
        self, key: SessionKey, nodes: Sequence[str], *, visits: int, node: str | None, status: str
    ) -> None:
        for position, name in enumerate(nodes, visits + 1):
            self._run(STATEMENTS["add_visit"], (key, position, name))
        self._run(STATEMENTS["move_flow"], (node, status, visits + len(nodes), key))

    def unwind(self, key: SessionKey, *, visits: int, status: str) -> None:
        self._run(STATEMENTS["cut_visits"], (key, visits))
        self._run(STATEMENTS["unwind_flow"], (status, visits, key))

    def set_version(self, tenant: TenantKey, key: SessionKey, *, version: bytes, path: str) -> None:
        self._run(STATEMENTS["set_flow_version"], (version, path, key))
        self._run(STATEMENTS["add_flow_use"], (tenant, version, key))
        self._run(STATEMENTS["copy_facts"], (key,))

    def rename(self, key: SessionKey, node: str, *, visits: int) -> None:
        self._run(STATEMENTS["rename_visit"], (node, key, visits))

    def put_version(self, tenant: TenantKey, version: bytes, name: str, files: Mapping[str, bytes]) -> None:
        codec, stored = pack(msgspec.msgpack.encode(dict(files)))
        self._run(STATEMENTS["add_flow_version"], (tenant, version, name, codec, stored, self._now()))

    def version(self, tenant: TenantKey, version: bytes) -> tuple[str, dict[str, bytes]] | None:
        rows = self._run(STATEMENTS["flow_version"], (tenant, version))
        if not rows:
            return None
        name, codec, stored = rows[0]
        data = unpack(codec, stored)
        if data is None:
            raise Integrity(
                f"The stored version {version.hex()[:12]} of flow '{name}' is damaged.", code="damaged_flow"
            )
        return name, msgspec.msgpack.decode(data, type=dict[str, bytes])


class SqlLeases:
    """Leases over `run`."""

    def __init__(self, run: Run, now: Callable[[], int]) -> None:
        self._run = run
        self._now = now

    def check(self, key: SessionKey) -> tuple[int, int] | None:
        rows = self._run(_LEASE_TOKEN, (key,))
        return rows[0] if rows else None

    def get(self, key: SessionKey) -> Lease | None:
        rows = self._run(STATEMENTS["lease"], (key,))
        if not rows:
            return None
        return _lease(*rows[0])

    def of(self, keys: Sequence[SessionKey]) -> dict[SessionKey, Lease]:
        return {key: _lease(*row) for key, *row in of_several(self._run, "leases_of", keys)}

    def put(self, head: Head, holder: Holder, *, ttl_ms: int) -> Lease:
        now = self._now()
        lease = Lease(FencingToken(head.fence + 1), holder, now, now + ttl_ms)
        self._run(STATEMENTS["set_fence"], (lease.token, head.key))
        self._run(STATEMENTS["put_lease"], (head.key, lease.token, encode(holder), now, lease.expires_at))
        return lease

    def renew(self, key: SessionKey, token: FencingToken, *, ttl_ms: int) -> bool:
        return bool(self._run(STATEMENTS["renew_lease"], (self._now() + ttl_ms, key, token)))

    def release(self, key: SessionKey, token: FencingToken) -> None:
        self._run(STATEMENTS["release_lease"], (key, token))

    def drop(self, key: SessionKey) -> None:
        self._run(STATEMENTS["drop_lease"], (key,))


def _lease(token: int, holder: bytes, acquired_at: int, expires_at: int) -> Lease:
    return Lease(FencingToken(token), msgspec.json.decode(holder, type=Holder), acquired_at, expires_at)
