"""Whom a file or directory that was found, not given, must belong to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from retoma.errors import Refused

__all__ = ["check_trust"]


def check_trust(path: Path, what: str, instead: str) -> None:
    """Raise Refused unless `path` is this user's or root's, and not everybody's to write.

    A symbolic link is judged too: its owner chose what it points to. `what` names it in the sentence; `instead` says
    what else one can do.
    """
    me = os.geteuid()
    facts = path.stat()
    for owner in (path.lstat().st_uid, facts.st_uid):
        if owner not in (me, 0):
            raise Refused(
                f"{what} {path} belongs to another user ({_name(owner)}).",
                code="not_trusted",
                hint=f"If it is yours: chown {_name(me)} '{path}'. {instead}",
                path=str(path),
            )
    # The group is left out: a checkout under umask 002 is its group's to write, and a user's group is mostly his own.
    if facts.st_mode & stat.S_IWOTH:
        raise Refused(
            f"{what} {path} is writable by everybody.",
            code="not_trusted",
            hint=f"chmod o-w '{path}'. {instead}",
            path=str(path),
        )


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
