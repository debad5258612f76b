"""What the environment says: the only reader of os.environ."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from retoma.errors import Unavailable

__all__ = ["Environment", "read_environment", "working_directory"]


_FOR_TOOLS = ("PATH", "HOME", "LANG", "TMPDIR")


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of it. Empty variables are absent ones.

    `dumb`: the terminal can do nothing but print.
    `columns` is there when COLUMNS is set, `completing` while a shell asks for completions. `user` names who acts.
    `for_tools` is what of it the tools of flows see.
    """

    home: Path
    user: str = ""
    debug: bool = False
    no_color: bool = False
    dumb: bool = False
    session: str | None = None
    store: str | None = None
    lang: str = ""
    columns: int | None = None
    completing: str = ""
    xdg_config_home: Path | None = None
    xdg_data_home: Path | None = None
    for_tools: Mapping[str, str] = {}

    def config_directory(self) -> Path:
        """Return where the user's own `retoma.toml` is, there or not."""
        return self._directory("config", self.xdg_config_home, ".config")

    def data_directory(self) -> Path:
        """Return where the user's own store is, there or not."""
        return self._directory("data", self.xdg_data_home, ".local/share")

    def _directory(self, kind: str, chosen: Path | None, usual: str) -> Path:
        if chosen is not None:
            return chosen / "retoma"
        linux: bool = sys.platform == "linux"
        if linux:
            return self.home / usual / "retoma"
        # Imported where the places differ: on Linux it would cost more than the rest of a listing's start.
        import platformdirs

        find = platformdirs.user_config_path if kind == "config" else platformdirs.user_data_path
        return find("retoma", appauthor=False)


def read_environment(environ: Mapping[str, str] | None = None) -> Environment:
    """Return what `environ` says; the process's own, if none is given."""
    read = os.environ if environ is None else environ
    columns = read.get("COLUMNS", "")
    return Environment(
        home=Path(read.get("HOME") or Path.home()),
        user=_text(read.get("LOGNAME") or read.get("USER") or _account()),
        debug=read.get("RETOMA_DEBUG", "") not in ("", "0"),
        no_color=bool(read.get("NO_COLOR")) or read.get("TERM") == "dumb",
        dumb=read.get("TERM", "") in ("", "dumb"),
        session=read.get("RETOMA_SESSION") or None,
        store=read.get("RETOMA_STORE") or None,
        lang=read.get("LC_ALL") or read.get("LC_MESSAGES") or read.get("LANG") or "",
        columns=int(columns) if columns.isdecimal() and int(columns) else None,
        completing=read.get("_RETOMA_COMPLETE", ""),
        xdg_config_home=_absolute(read.get("XDG_CONFIG_HOME")),
        xdg_data_home=_absolute(read.get("XDG_DATA_HOME")),
        for_tools={name: read[name] for name in _FOR_TOOLS if read.get(name)},
    )


def working_directory() -> Path:
    """Return the working directory. Raises Unavailable when it was deleted under the process."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise Unavailable(
            "The working directory no longer exists.",
            code="no_directory",
            hint="Change to a directory that exists.",
        ) from error


def _account() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _text(value: str) -> str:
    return value.encode(errors="replace").decode()


def _absolute(value: str | None) -> Path | None:
    # The XDG specification: a relative path is to be ignored.
    return Path(value) if value and value.startswith("/") else None
