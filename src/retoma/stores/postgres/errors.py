"""What PostgreSQL's errors mean, and which of them pass when the transaction runs again."""

from __future__ import annotations

import psycopg
from psycopg import errors

from retoma.errors import Integrity, Invalid, RetomaError, Unavailable
from retoma.stores.postgres.connection import Dropped, Silent

_SAFE = "Everything saved so far is safe; this command wrote nothing."

_CONNECTING = (
    (
        ("password authentication failed", "no password supplied", "authentication failed"),
        "wrong_password",
        "The server of {shown} refused the user or the password.",
        "Nothing was changed. Correct them in the store's URL, or in a .pgpass file.",
    ),
    (
        ("pg_hba.conf", "SSL", "certificate"),
        "refused_by_server",
        "The server of {shown} does not accept this machine: {said}.",
        "Nothing was changed. See pg_hba.conf on the server, and sslmode in the URL.",
    ),
    (
        ("does not exist",),
        "no_database",
        "There is no such database or role at {shown}: {said}.",
        "Nothing was changed. Create it with createdb, or correct the store's URL.",
    ),
    (
        ("too many clients", "connection slots", "too many connections"),
        "too_many_connections",
        "The server of {shown} accepts no more connections.",
        "Nothing was written. Raise max_connections on the server, or end other processes.",
    ),
)


_STATED: tuple[tuple[tuple[type[psycopg.Error], ...], type[RetomaError], str, str, str], ...] = (
    (
        (errors.ReadOnlySqlTransaction,),
        Unavailable,
        "read_only_store",
        "The server of {shown} is read-only: it is a replica, or the database is set to read-only.",
        "Nothing was written. Use the primary in the store's URL (?target_session_attrs=read-write finds it).",
    ),
    (
        (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure),
        Unavailable,
        "locked",
        "Another process holds a lock in {shown} that this command needs.",
        "Nothing was written. Run the command again.",
    ),
    (
        (errors.QueryCanceled,),
        Unavailable,
        "slow_server",
        "The server of {shown} exceeded its time limit: {said}.",
        _SAFE,
    ),
    (
        (errors.DiskFull, errors.OutOfMemory),
        Unavailable,
        "disk_full",
        "The server of {shown} has no disk space left: {said}.",
        f"{_SAFE} Free some space there.",
    ),
    (
        (errors.ProgramLimitExceeded,),
        Invalid,
        "too_long",
        "A name, a tag or a key is longer than PostgreSQL can index (about 2,700 bytes).",
        "Nothing was written. Use a shorter one.",
    ),
    (
        (errors.DuplicateTable, errors.UndefinedColumn, errors.UndefinedTable),
        Integrity,
        "not_a_store",
        "{shown} has tables of another program: {said}.",
        "Nothing was changed. Use a separate database, or a separate schema: ?options=-csearch_path%3DNAME",
    ),
    (
        (errors.InsufficientPrivilege, errors.InvalidSchemaName),
        Unavailable,
        "read_only_store",
        "This user may not do that in {shown}: {said}.",
        "Nothing was written. Grant the permission, or use another user.",
    ),
    (
        (errors.CharacterNotInRepertoire, errors.UntranslatableCharacter),
        Invalid,
        "nul",
        "PostgreSQL cannot store a text with a NUL character.",
        "Nothing was written. Remove the NUL character.",
    ),
    (
        (errors.DataCorrupted, errors.IndexCorrupted),
        Integrity,
        "damaged_store",
        "{shown} is damaged: {said}.",
        "Restore a backup.",
    ),
)


_PASSES = (
    Dropped,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.UniqueViolation,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
)


def again(error: BaseException, *, connected: bool) -> bool:
    """Return whether the same transaction may succeed in a moment.

    `connected` says that there was a connection before: one that was there is waited for.
    """
    if isinstance(error, _PASSES):
        return True
    if type(error) is psycopg.OperationalError:  # libpq could not connect, and has no code for why
        return _starting(error) or (connected and "FATAL" not in str(error))
    return False


def tries(error: BaseException) -> int:
    """Return how often it is worth trying: of two who wrote the same row, the later one finds it at the next look."""
    return 5 if isinstance(error, errors.UniqueViolation) else 100


def lost(error: psycopg.Error) -> bool:
    """Return whether the answer was lost: what was asked may have been done."""
    return isinstance(error, (Dropped, Silent)) or (error.sqlstate or "")[:3] in {"57P", "080"}


def gone(error: Exception) -> bool:
    """Return whether it was the server or the way there, and not what was asked."""
    if isinstance(error, psycopg.Error):
        return lost(error) or not error.sqlstate
    return True


def translate(error: BaseException, shown: str, *, unsure: bool = False) -> RetomaError:
    """Return what a driver's error means for the store at `shown`. `unsure`: COMMIT was asked for, and not answered."""
    if isinstance(error, Silent) or unsure:
        return Unavailable(
            f"The server of {shown} stopped answering.",
            code="silent_server",
            hint="It is unknown whether the last write was saved. Check, or repeat it with the same --key."
            if unsure
            else _SAFE + " Check the server and the network, then run the command again.",
        )
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return _stated(error, shown)
    if isinstance(error, psycopg.ProgrammingError):
        return Invalid(
            f"The store's URL {shown} is not a valid PostgreSQL URL.",
            code="bad_store",
            hint="Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE; special characters in a password "
            "must be written as %XX.",
        )
    return _unreachable(error, shown)


def _stated(error: psycopg.Error, shown: str) -> RetomaError:
    said = str(error)
    for kinds, family, code, sentence, hint in _STATED:
        if isinstance(error, kinds):
            return family(sentence.format(shown=shown, said=said), code=code, hint=hint)
    if lost(error):
        return _unreachable(error, shown)
    return Unavailable(f"The store {shown} could not be read or written: {said}.", code="io", hint=_SAFE)


def _unreachable(error: BaseException, shown: str) -> RetomaError:
    first = str(error).split("FATAL:")[-1].split("\n")[0]
    said = " ".join(first.rpartition(" failed: ")[2].split()).rstrip(".")
    connecting = isinstance(error, psycopg.OperationalError) and "FATAL" in str(error)
    for signs, code, sentence, hint in _CONNECTING if connecting else ():
        if any(sign in said for sign in signs):
            return Unavailable(sentence.format(shown=shown, said=said), code=code, hint=hint)
    return Unavailable(
        f"The server of {shown} cannot be reached: {said}.",
        code="no_server",
        hint="Everything saved so far is safe. Check that the server is running and reachable, then run the "
        "command again.",
    )


def _starting(error: psycopg.OperationalError) -> bool:
    return any(
        sign in str(error)
        for sign in ("starting up", "shutting down", "recovery mode", "accepting connections")
    )
