"""Backup and restore: a copy is whole, checked and on the disk before it has its name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from retoma.errors import Conflict, Integrity, NotFound, Unavailable
from retoma.model.plain import Mapped
from retoma.service.check.report import Report
from retoma.service.check.store import check
from retoma.stores.contract.store import Store


class Done(msgspec.Struct, Mapped, frozen=True, kw_only=True):
    """What was written: the file, its bytes, and what it holds. `aside` is where the store before it is now.

    Of a copy that was not `checked` it is not known what it holds.
    """

    file: Path
    size_bytes: int
    sessions: int
    events: int
    aside: Path | None = None
    checked: bool = True

    def _plain(self) -> object:
        return msgspec.to_builtins(self, enc_hook=str)


class Files(Protocol):
    """What a dialect does with files that nobody has open."""

    def copy_of(self, file: Path, target: Path) -> None: ...
    def begin_anew(self, file: Path, store_id: bytes) -> None: ...
    def companions(self, file: Path) -> tuple[Path, ...]: ...
    def held(self, file: Path) -> AbstractContextManager[None]: ...


Progress = Callable[[int, int], None]


def backup(
    store: Store,
    target: Path,
    *,
    opened: Callable[[Path], Store],
    random: Callable[[int], bytes],
    progress: Progress | None = None,
    unchecked: bool = False,
) -> Done:
    """Write one moment of the store to the new file `target`, beside writers. Checked and durable when it returns.

    Raises Conflict when there is such a file, Integrity when what was copied is damaged: then there is no file, unless
    it is to be `unchecked`.
    """
    _free(target)
    with _partial(target) as partial:
        store.backup(partial, progress)
        hint = "No backup was written, because the copy would be damaged too. --unchecked writes it nevertheless."
        report = Report() if unchecked else _checked(partial, opened, random, hint)
        _name(partial, target)
    return msgspec.structs.replace(_done(target, report), checked=not unchecked)


def restore(
    file: Path,
    place: Path,
    *,
    files: Files,
    opened: Callable[[Path], Store],
    random: Callable[[int], bytes],
    aside: str | None = None,
) -> Done:
    """Make the backup `file` the store at `place`. It gets an id of its own, and its commits are counted anew.

    A store that is there stays: it raises Conflict, or, with `aside`, its files go into a directory of that name beside
    it. Raises NotFound, Integrity when the backup is damaged: then nothing was changed.
    """
    if not file.is_file():
        raise NotFound(f"There is no file '{file}'.", code="no_file", file=str(file))
    _refuse_taken(place, aside)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _partial(place) as partial:
        files.copy_of(file, partial)
        # Before the lock is held: a copy of an older format is upgraded, which takes the lock of this directory, too.
        report = _checked(partial, opened, random, "Nothing was changed. Use another backup.")
        files.begin_anew(partial, random(16))
        with files.held(place):
            _refuse_taken(place, aside)
            kept = _put_aside(place, files, aside) if aside is not None and _is_store(place) else None
            for left in files.companions(place):
                left.unlink(missing_ok=True)  # of a store that is gone: they belong to no other
            partial.replace(place)
            _sync(place.parent)
    return msgspec.structs.replace(_done(place, report), aside=kept)


def _is_store(place: Path) -> bool:
    return place.exists() and place.stat().st_size > 0


def _refuse_taken(place: Path, aside: str | None) -> None:
    if aside is None and _is_store(place):
        raise Conflict(
            f"A store already exists at {place}.",
            code="store_exists",
            hint="Give another path with --store, or move the existing store aside with --force.",
        )


def _checked(
    file: Path, opened: Callable[[Path], Store], random: Callable[[int], bytes], hint: str
) -> Report:
    with closing(opened(file)) as copy:
        report = check(copy, random=random)
    if not report.whole:
        places = "1 place" if len(report.damage) == 1 else f"{len(report.damage):,} places"
        raise Integrity(
            f"The copy is damaged in {places}. The first: {report.damage[0].detail}",
            code="damaged_copy",
            hint=f"{hint} `retoma store check` lists what is damaged.",
        )
    return report


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Give an empty file beside `target`, readable by its owner alone; what is still there afterwards goes."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".partial", dir=target.parent)
    except OSError as error:
        raise _unwritable(target, error) from error
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        for left in (
            partial,
            *(partial.with_name(partial.name + end) for end in ("-wal", "-shm", "-journal")),
        ):
            left.unlink(missing_ok=True)


def _name(partial: Path, target: Path) -> None:
    try:
        target.hardlink_to(partial)
    except FileExistsError:
        raise _taken(target) from None
    except OSError:
        _free(target)  # a file system without hard links: the look from before has to do
        partial.replace(target)
    _sync(target.parent)


def _put_aside(place: Path, files: Files, name: str) -> Path:
    """Give the store's files another directory. They have both names, until all have the new one."""
    directory = place.parent / name
    directory.mkdir(mode=0o700)
    old = [one for one in (place, *files.companions(place)) if one.exists()]
    for one in old:
        (directory / one.name).hardlink_to(one)
    _sync(directory)
    for one in old:
        one.unlink()
    _sync(place.parent)
    return directory


def _done(file: Path, report: Report) -> Done:
    return Done(file=file, size_bytes=file.stat().st_size, sessions=report.sessions, events=report.events)


def _free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise _taken(target)


def _taken(target: Path) -> Conflict:
    return Conflict(
        f"The file {target} already exists.",
        code="file_exists",
        hint="A backup never replaces a file. Give another name.",
    )


def _unwritable(target: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{target} cannot be written: {error.strerror}.",
        code="unwritable_file",
        hint="Nothing was written. Give another path.",
    )


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
