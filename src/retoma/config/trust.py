"""Whom a file or directory that was found, not given, must belong to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from retoma.errors import Refused

__all__ = ["check_trust"]


def check_trust(path: Path, what: str, instead: str) -> None:
    """Raise Refused unless `path` is this user's or root's, and nobody else's to write.

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
    if _others_may_write(facts):
        raise Refused(
            f"{what} {path} can be written by others.",
            code="not_trusted",
            hint=f"chmod go-w '{path}'. {instead}",
            path=str(path),
        )


def _others_may_write(facts: os.stat_result) -> bool:
    # A group with its user's own number is that user's private one, by the convention of the distributions whose
    # umask is 002; what such a group may write, nobody else may.
    group = bool(facts.st_mode & stat.S_IWGRP) and facts.st_gid != facts.st_uid
    return group or bool(facts.st_mode & stat.S_IWOTH)


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
