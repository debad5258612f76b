"""Which configuration files this user has looked at and trusts, each as it was then.

A `retoma.toml` comes with a directory, and a directory may come from anybody. So a command that is named in one that
was found is run only once `retoma trust` was given for that path with that content. The user's own file needs none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from blake3 import blake3

from retoma.config.environment import Environment
from retoma.config.file import ConfigFile
from retoma.config.trust import check_trust
from retoma.errors import Refused, Unavailable

__all__ = ["Trusted", "distrust", "is_trusted", "list_trusted", "require_trust", "trust"]

_INSTEAD = "Or delete it."


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is trusted: where it is, the BLAKE3 of its content, and since when (ms UTC)."""

    path: str
    blake3: str
    at: int


def trust(file: ConfigFile, environment: Environment, *, at: int) -> Trusted:
    """Remember that the user trusts `file` as it is; durable on return. Raises Unavailable, Refused."""
    place = _place(file.path)
    record = Trusted(path=_said(place), blake3=_hash(file), at=at)
    directory = _directory(environment)
    target = _record(directory, place, record.blake3)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_trust(directory, "The directory of trusted files", _INSTEAD)
        _write(target, msgspec.json.encode(record))
    except OSError as error:
        raise Unavailable(
            f"{directory} cannot be written: {error.strerror}.",
            code="trust_unwritable",
            hint="Retoma stores there which files you trust. Set XDG_DATA_HOME to use another place.",
        ) from error
    return record


def distrust(path: Path, environment: Environment) -> int:
    """Forget whatever was trusted at `path`; return how many contents that were."""
    place, count = _place(path), 0
    for record in list_trusted(environment):
        target = _record(_directory(environment), place, record.blake3)
        if record.path == _said(place) and target.exists():
            target.unlink(missing_ok=True)
            count += 1
    return count


def is_trusted(file: ConfigFile, environment: Environment) -> bool:
    """Return whether commands that `file` names may be run."""
    if _place(file.path).parent == _place(environment.config_directory()):
        return True
    directory = _directory(environment)
    if not _record(directory, _place(file.path), _hash(file)).is_file():
        return False
    check_trust(directory, "The directory of trusted files", _INSTEAD)
    return True


def require_trust(file: ConfigFile, key: str, environment: Environment) -> None:
    """Raise Refused unless a command that `file` names under `key` may be run."""
    if not is_trusted(file, environment):
        raise Refused(
            f"{file.path} names a command ({key}), and you have not trusted this version of the file.",
            code="untrusted_command",
            hint=f"Read it, then run: retoma trust '{file.path}'",
            path=str(file.path),
            key=key,
        )


def list_trusted(environment: Environment) -> Iterator[Trusted]:
    """Yield what is trusted, in the order of the paths; what cannot be read is none."""
    directory = _directory(environment)
    if not directory.is_dir():
        return
    check_trust(directory, "The directory of trusted files", _INSTEAD)
    found: list[Trusted] = []
    for path in directory.glob("*.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Trusted))
        except (OSError, msgspec.DecodeError):
            continue
    yield from sorted(found, key=lambda one: (one.path, one.at))


def _write(target: Path, data: bytes) -> None:
    part = target.with_suffix(".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    part.replace(target)
    # The directory is synced too: without it the new name can vanish in a power cut.
    above = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)


def _directory(environment: Environment) -> Path:
    return environment.data_directory() / "trusted"


def _record(directory: Path, place: Path, content: str) -> Path:
    # A name of its own for each path and content: two commands at once do not undo each other.
    named = blake3(os.fsencode(place) + b"\0" + content.encode())
    return directory / f"{named.hexdigest(16)}.json"


def _place(path: Path) -> Path:
    return path.resolve()


def _said(place: Path) -> str:
    """Return the path as text; bytes that are none are replaced."""
    return os.fsencode(place).decode(errors="replace")


def _hash(file: ConfigFile) -> str:
    return blake3(file.content).hexdigest()
