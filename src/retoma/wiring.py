"""Settings → an opened store, and where time and randomness come from: the only place that names concrete classes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from retoma.config import StorePlace
from retoma.errors import Unavailable
from retoma.model.ids import TenantKey
from retoma.model.lease import Ticking, no_ticks
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.times import FIRST, LAST
from retoma.runtime.process import ticks
from retoma.stores.contract.store import Store, Transaction

if TYPE_CHECKING:
    from retoma.runtime.backup import Done
    from retoma.stores.postgres.store import PostgresStore
    from retoma.stores.sql.migrate import Upgraded, Upgrades
    from retoma.stores.sqlite.upkeep import SqliteFiles


class Sources(NamedTuple):
    """Time and randomness, handed to whatever needs them. `elapsed` counts seconds, and only goes forward.

    `ticks` is a clock that all processes of the machine share, and that nobody sets.
    """

    now: Callable[[], int]
    random: Callable[[int], bytes]
    elapsed: Callable[[], float] = time.monotonic
    ticks: Ticking = no_ticks


def now_ms() -> int:
    """Return the time in milliseconds UTC; of a clock outside the years 1 to 9999, the nearest that a date can say."""
    try:
        ms = time.time_ns() // 1_000_000
    except OverflowError:
        # Nanoseconds in 64 bits end in the year 2262.
        ms = int(time.clock_gettime(time.CLOCK_REALTIME) * 1_000)
    return min(max(ms, FIRST), LAST)


def pooled(source: Callable[[int], bytes], size: int = 4096) -> Callable[[int], bytes]:
    """Return a drop-in for `source` that asks it for `size` bytes at a time: a system call for each salt costs more.

    Each byte is given out once. Not for use across a fork: nothing here forks.
    """
    pool, at = b"", 0

    def take(n: int) -> bytes:
        nonlocal pool, at
        start = at
        at += n
        if at > len(pool):
            pool, start, at = source(max(size, n)), 0, n
        return pool[start : start + n]

    return take


SYSTEM = Sources(now_ms, os.urandom, ticks=ticks)


def open_store(place: StorePlace, sources: Sources = SYSTEM, *, upgrades: bool = True) -> Store:
    """Open the store at `place`, making it when it is not there. A file of an older format is upgraded, and kept.

    Raises Unavailable, also (`older_store`) for an older store on a server, and without `upgrades`; Integrity.
    """
    return _opened(place, sources, _upgrades() if upgrades and place.kind != "postgresql" else None)


def migrate_store(place: StorePlace) -> Upgraded | None:
    """Upgrade the store at `place`, on a server too; return what was done, None when it has this format already."""
    store = _opened(place, SYSTEM, _upgrades())
    try:
        store.read(lambda tx: None)
        return store.upgraded
    finally:
        store.close()


def older_format(place: StorePlace) -> int | None:
    """Return the format of the store at `place` when it is older than this one; nothing is changed."""
    try:
        open_store(place, upgrades=False).close()
    except Unavailable as error:
        format = error.facts.get("format")
        if error.code == "older_store" and isinstance(format, int):
            return format
        raise
    return None


def _upgrades(*, keeps: bool = True) -> Upgrades:
    from retoma.stores.sql.migrate import Upgrades

    def repair(tx: Transaction, before: int) -> int:
        from retoma.service.upgrade import upgrade  # with all of `check`: for an upgrade alone

        return upgrade(tx, before)

    return Upgrades(repair, keeps)


def _opened(place: StorePlace, sources: Sources, upgrades: Upgrades | None) -> Store:
    if place.kind == "postgresql":
        return _open_postgres(place, sources, upgrades)
    from retoma.stores.sqlite.store import SqliteStore

    # Salts are drawn by the one thread that holds the store's writer, so a pool needs no lock.
    random = pooled(sources.random)
    return SqliteStore(
        place.path, now=sources.now, random=random, upgrades=upgrades, sweep=swept, ticks=sources.ticks
    )


def swept(tx: Transaction) -> bool:
    """Remove one more piece of what was deleted or cut off; False when nothing was left."""
    from retoma.service.forget.erasing import sweep

    return sweep(tx, Principal(TenantKey(LOCAL_TENANT), "local"))


def _open_postgres(place: StorePlace, sources: Sources, upgrades: Upgrades | None = None) -> PostgresStore:
    try:
        from retoma.stores.postgres.store import PostgresStore
    except ImportError as error:
        raise Unavailable(
            f"{place.shown} is a PostgreSQL URL, but the PostgreSQL driver is not installed.",
            code="no_postgresql",
            hint="Install it where Retoma is: pip install 'psycopg[binary]' (pipx inject retoma 'psycopg[binary]').",
        ) from error
    return PostgresStore(
        place.url,
        shown=place.shown,
        now=sources.now,
        random=sources.random,
        upgrades=upgrades,
        ticks=sources.ticks,
    )


def is_there(place: StorePlace) -> bool:
    """Return whether there is a store at `place`, or was: a lost one is not taken for none, and does not open."""
    if place.path is None or place.path.exists():
        return True
    from retoma.stores.sqlite.upkeep import committed_to

    return committed_to(place.path) > 0


def create_store(place: StorePlace) -> bool:
    """Make the store at `place`, or see that it opens; return whether it was made. An older one stays as it is."""
    made = place.path is not None and not place.path.exists()
    if older_format(place) is None and place.kind == "postgresql":
        store = _open_postgres(place, SYSTEM)
        try:
            return store.make()
        finally:
            store.close()
    return made


def open_file(path: Path, sources: Sources = SYSTEM) -> Store:
    """Open the SQLite file `path`, a copy: an upgrade keeps nothing beside it. Raises Unavailable, Integrity."""
    url = f"sqlite:///{path}"
    place = StorePlace(kind="sqlite", path=path, url=url, given=True, source="file")
    return _opened(place, sources, _upgrades(keeps=False))


def restore_store(place: StorePlace, file: Path, *, aside: str | None = None) -> Done:
    """Make the backup `file` the store at `place`. Raises as `runtime.backup.restore` does."""
    from retoma.runtime.backup import restore

    target = _file_of(place)
    return restore(file, target, files=_files(), opened=open_file, random=SYSTEM.random, aside=aside)


def _files() -> SqliteFiles:
    from retoma.stores.sqlite.upkeep import SqliteFiles

    return SqliteFiles()


def _file_of(place: StorePlace) -> Path:
    if place.path is None:
        raise Unavailable(
            f"{place.shown} is not a file.",
            code="not_a_file",
            hint="For PostgreSQL, use pg_restore, or `retoma store copy FILE URL`."
            if place.kind == "postgresql"
            else "Give a file with --store PATH.",
        )
    return place.path
