"""What SQLite's and the system's errors mean. Nothing above the stores knows apsw."""

from __future__ import annotations

import apsw

from retoma.errors import Integrity, RetomaError, Unavailable


class Translated:
    """A `with` in which they become ours. `shown` is the store's place."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and (ours := translated(error, self._shown)) is not error:
            raise ours from error


def translated(error: BaseException, shown: str) -> BaseException:
    """Return what `error` means for the store at `shown`; itself, if it is neither SQLite's nor the system's."""
    return translate(error, shown) if isinstance(error, (apsw.Error, OSError)) else error


def translate(error: apsw.Error | OSError, shown: str) -> RetomaError:
    """Return what a driver's or the system's error means for the store at `shown`."""
    full = isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno in {28, 122})
    if full:
        return Unavailable(
            f"The disk is full: {shown} could not be written.",
            code="disk_full",
            hint="Everything saved so far is safe; this command wrote nothing. Free some space, then run "
            "the command again.",
        )
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError, apsw.FormatError, apsw.SQLError)):
        return Integrity(
            f"The store file {shown} is damaged: {error}.",
            code="damaged_store",
            hint="Nothing was changed. Restore a backup, or move the file away to start a new store.",
        )
    readonly = isinstance(
        error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, PermissionError)
    )
    if readonly or (isinstance(error, OSError) and error.errno == 30):
        return Unavailable(
            f"The store {shown} cannot be opened: the directory or the file is read-only, or belongs to another user "
            "(reading a store that others may write to needs to write files beside it).",
            code="read_only_store",
            hint="Nothing was changed. Make it writable, or give another path with --store.",
        )
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return Unavailable(
            f"Another process holds a lock on {shown}.",
            code="locked",
            hint="Nothing was written. Run the command again.",
        )
    reason = "the system refused it" if str(error) == "not an error" else error
    return Unavailable(
        f"The store {shown} could not be read or written: {reason}.",
        code="io",
        hint="Everything saved so far is safe; this command wrote nothing. Check the disk, then run the command again.",
    )
