"""State, flow positions, flow versions and leases in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from retoma.errors import Integrity
from retoma.model.call import Pending
from retoma.model.codec import Json, JsonMap, decode, encode
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.lease import LEASE_TTL_MS, FencingToken, Holder, Lease, Ticking, Ticks, no_ticks
from retoma.model.session import Head
from retoma.stores.sql.pack import pack, unpack
from retoma.stores.sql.statements import STATEMENTS, Run, of_several

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


class SqlPending:
    """Pending calls over `run`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def get(self, key: SessionKey) -> list[Pending]:
        found = [(id, kind, decode(what)) for id, kind, what in self._run(STATEMENTS["pending"], (key,))]
        return [Pending(id, kind, what) for id, kind, what in found if isinstance(what, dict)]

    def put(self, key: SessionKey, call: Pending) -> None:
        self._run(STATEMENTS["put_pending"], (key, call.id, call.kind, encode(call.what)))

    def drop(self, key: SessionKey, kind: str) -> None:
        self._run(STATEMENTS["drop_pending_kind"], (key, kind))


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


class _Kept(Holder, frozen=True, kw_only=True):
    """A holder as its row has it: with the term of its lease, and when that ends on the machine's monotonic clock."""

    ttl_ms: int = LEASE_TTL_MS
    ends: Ticks | None = None


class SqlLeases:
    """Leases over `run`. `ticks` reads the machine's monotonic clock; None where there is none."""

    def __init__(self, run: Run, now: Callable[[], int], ticks: Ticking = no_ticks) -> None:
        self._run = run
        self._now = now
        self._ticks = ticks

    def check(self, key: SessionKey) -> tuple[int, int] | None:
        rows = self._run(_LEASE_TOKEN, (key,))
        if not rows:
            return None
        token, expires_at, holder = rows[0]
        return token, self._ends(_kept(holder), expires_at)

    def get(self, key: SessionKey) -> Lease | None:
        rows = self._run(STATEMENTS["lease"], (key,))
        return self._lease(*rows[0]) if rows else None

    def of(self, keys: Sequence[SessionKey]) -> dict[SessionKey, Lease]:
        return {key: self._lease(*row) for key, *row in of_several(self._run, "leases_of", keys)}

    def put(self, head: Head, holder: Holder, *, ttl_ms: int) -> Lease:
        now = self._now()
        lease = Lease(FencingToken(head.fence + 1), holder, now, now + ttl_ms)
        self._run(STATEMENTS["set_fence"], (lease.token, head.key))
        row = (head.key, lease.token, self._held(holder, ttl_ms), now, lease.expires_at)
        self._run(STATEMENTS["put_lease"], row)
        return lease

    def renew(self, key: SessionKey, token: FencingToken, *, ttl_ms: int | None = None) -> bool:
        rows = self._run(_LEASE_TOKEN, (key,))
        if not rows or rows[0][0] != token:
            return False
        kept = _kept(rows[0][2])
        term = kept.ttl_ms if ttl_ms is None else ttl_ms
        row = (self._now() + term, self._held(kept, term), key, token)
        return bool(self._run(STATEMENTS["renew_lease"], row))

    def release(self, key: SessionKey, token: FencingToken) -> None:
        self._run(STATEMENTS["release_lease"], (key, token))

    def drop(self, key: SessionKey) -> None:
        self._run(STATEMENTS["drop_lease"], (key,))

    def _lease(self, token: int, holder: bytes, acquired_at: int, expires_at: int) -> Lease:
        kept = _kept(holder)
        return Lease(FencingToken(token), _holder(kept), acquired_at, self._ends(kept, expires_at))

    def _held(self, holder: Holder, ttl_ms: int) -> bytes:
        ticks = self._ticks()
        ends = ticks._replace(ms=ticks.ms + ttl_ms) if ticks is not None else None
        return encode(_Kept(**msgspec.structs.asdict(_holder(holder)), ttl_ms=ttl_ms, ends=ends))

    def _ends(self, kept: _Kept, expires_at: int) -> int:
        """Return when the lease ends, by this transaction's time.

        A wall clock may be set or stopped at any time. So a lease of this machine, since it was started, ends when its
        monotonic clock says so, whatever the wall clock of the holder or of this process says.
        """
        ticks = self._ticks() if kept.ends is not None else None
        if ticks is None or kept.ends is None or kept.ends.boot != ticks.boot:
            return expires_at
        return self._now() + kept.ends.ms - ticks.ms


def _kept(holder: bytes) -> _Kept:
    return msgspec.json.decode(holder, type=_Kept)


def _holder(kept: Holder) -> Holder:
    return Holder(**{name: getattr(kept, name) for name in Holder.__struct_fields__})
