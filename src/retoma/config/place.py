"""Which store a name says, and the one rule by which every verb finds it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from retoma.config.trust import check_trust
from retoma.errors import Invalid
from retoma.model.utf8 import unreadable

__all__ = [
    "DATABASE",
    "DIRECTORY",
    "StorePlace",
    "found_place",
    "named_place",
    "shown_url",
    "without_passwords",
]

DIRECTORY = ".retoma"
DATABASE = "retoma.db"
_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_INSTEAD = "Or give a store: --store PATH."
_HOST = r"(\[[\da-fA-F:.]+\]|[^:,/?#\[\]]*)(:\d+)?"
_SERVER = re.compile(rf"{_HOST}(,{_HOST})*(/.*)?")
_PARAMETER = re.compile(r"[?&][a-z_]+=")
_USER_ENDS = re.compile(r"[:/?#]")
_URL = re.compile(r"(?<=['/])postgres(?:ql)?:/+[^'\n]*(?=')|postgres(?:ql)?:/+(?:[^'\"\n]*@)?[^\s'\"]*")
_CONNECTION = re.compile(
    r"postgres(ql)?:|(?:.*\s)?(host|hostaddr|user|password|dbname|service)\s*=", re.IGNORECASE
)
"""The beginning of what is meant for PostgreSQL and is no URL: as a path it would be shown, and made."""


class StorePlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a store is, there or not. `path` is the SQLite file; `given` says a person named it just now.

    `url` may hold a password; `shown` never does.
    """

    kind: Literal["sqlite", "memory", "postgresql"]
    path: Path | None = None
    url: str
    given: bool
    source: str

    @property
    def shown(self) -> str:
        """The place for people."""
        if self.path is not None:
            return str(self.path.parent if self.path.name == DATABASE else self.path)
        return shown_url(self.url)


def shown_url(url: str) -> str:
    """Return a PostgreSQL URL without anything that may be a password, however its special characters are written."""
    scheme, mark, rest = url.partition("://")
    secret, at, server = rest.rpartition("@")
    user = _USER_ENDS.split(secret or server, maxsplit=1)[0]
    server = server.partition("?")[0]
    if not at:
        # What looks like a port may be a password whose server was forgotten.
        return f"{scheme}{mark}{server if _SERVER.fullmatch(server) else user}"
    # In a parameter's value, what follows the '@' may belong to a password.
    return f"{scheme}{mark}{user}@{'…' if _PARAMETER.search(secret) else server}"


def without_passwords(text: str) -> str:
    """Return `text` with each PostgreSQL URL in it as it is shown: an error may quote one given as another argument."""
    # A path has lost the second slash.
    return _URL.sub(lambda found: shown_url(re.sub(":/+", "://", found[0], count=1)), text)


def named_place(name: str, *, base: Path, home: Path, source: str, given: bool) -> StorePlace:
    """Return what `name` says, relative to `base`. Raises Invalid for an empty name and for an unknown scheme."""
    scheme, mark, rest = name.partition("://")
    if not name.strip():
        raise Invalid(
            f"The store's name is empty ({source}).",
            code="bad_store",
            hint="Give a directory, :memory:, sqlite:///FILE or postgresql://…",
        )
    if name == ":memory:" or (scheme == "sqlite" and mark and rest in ("", "/", "/:memory:")):
        return StorePlace(kind="memory", url=":memory:", given=given, source=source)
    if mark and scheme in ("postgresql", "postgres"):
        return StorePlace(kind="postgresql", url=name, given=given, source=source)
    if mark and (scheme != "sqlite" or not rest.startswith("/")):
        raise Invalid(
            f"'{scheme}://' is not a kind of store ({source})."
            if scheme != "sqlite"
            else f"'{name}' does not name a file.",
            code="bad_store",
            hint="Give a directory, :memory:, sqlite:///FILE (four slashes if FILE is absolute) or postgresql://…",
        )
    if not mark and _CONNECTION.match(name):
        raise Invalid(
            f"The store's name is not a PostgreSQL URL ({source}).",
            code="bad_store",
            hint="Write postgresql://USER@HOST:PORT/DATABASE. A directory of such a name is given as ./NAME.",
        )
    if mark:
        return _sqlite(base / rest[1:], source=source, given=given)
    return _sqlite(_database(base / _at_home(name, home)), source=source, given=given)


def found_place(*, cwd: Path, data_directory: Path) -> StorePlace:
    """Return the nearest `.retoma/` from `cwd` upwards, else the user's own. Raises Refused if it is not trusted."""
    for above in (cwd, *cwd.parents):
        if (above / DIRECTORY).is_dir():
            _check(above / DIRECTORY)
            return _sqlite(above / DIRECTORY / DATABASE, source=f"found:{above / DIRECTORY}", given=False)
    if data_directory.is_dir():
        _check(data_directory)
    return _sqlite(data_directory / DATABASE, source="default", given=False)


def _check(directory: Path) -> None:
    """Raise Refused unless a directory that was found, and the database in it, are to be trusted."""
    check_trust(directory, "The store", _INSTEAD)
    if (directory / DATABASE).exists():
        check_trust(directory / DATABASE, "The store", _INSTEAD)


def _sqlite(path: Path, *, source: str, given: bool) -> StorePlace:
    if bad := unreadable(str(path)):
        raise Invalid(
            f"The store's path '{bad}' is not UTF-8.",
            code="bad_store",
            hint="Give another path: --store PATH.",
        )
    return StorePlace(kind="sqlite", path=path, url=f"sqlite:///{path}", given=given, source=source)


def _database(path: Path) -> Path:
    is_file = path.is_file() or (path.suffix in _SUFFIXES and not path.is_dir())
    return path if is_file else path / DATABASE


def _at_home(name: str, home: Path) -> Path:
    return home / name[2:] if name.startswith("~/") else Path(name)
