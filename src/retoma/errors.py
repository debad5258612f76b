"""What can go wrong, by what the caller can do about it.

One base and nine families. Each error has a stable `code`, a sentence that says what happened and to what, a `hint`
that says what to do, and its facts as attributes. No HTTP status and no exit status is known here.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "Busy",
    "Conflict",
    "Integrity",
    "Invalid",
    "Limit",
    "NotFound",
    "Refused",
    "RetomaError",
    "Unavailable",
]


class RetomaError(Exception):
    """The base of every error that Retoma raises on purpose.

    `code` is stable across releases and is what programs should test; `facts` are also readable as attributes.

    >>> try:
    ...     client.session("dmo")
    ... except retoma.RetomaError as error:
    ...     error.code, error.message, error.nearest
    ('no_session', "There is no session 'dmo'.", ['demo'])
    """

    family: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.family
        self.hint = hint
        self.facts = facts

    def __getattr__(self, name: str) -> object:
        # Reached only for names that are not set: a fact, or nothing.
        try:
            return self.__dict__["facts"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class NotFound(RetomaError):
    """What was named is not there (or is another tenant's, which looks the same).

    >>> client.delete("nobody")
    Traceback (most recent call last):
    ...
    retoma.errors.NotFound: There is no session 'nobody'. ...
    """

    family = "not_found"


class Conflict(RetomaError):
    """The write was based on something that is no longer so; read again, then decide.

    >>> client.create("demo")
    Traceback (most recent call last):
    ...
    retoma.errors.Conflict: Session 'demo' already exists. ...
    """

    family = "conflict"


class Refused(RetomaError):
    """The state of the session does not allow it; the sentence says which states do.

    >>> session.pause()
    >>> session.append("user", "Hello?")
    Traceback (most recent call last):
    ...
    retoma.errors.Refused: Session 'demo' is suspended and accepts no messages. ...
    """

    family = "refused"


class Invalid(RetomaError):
    """The request itself is wrong; the same request will never succeed.

    >>> session.append("narrator", "Night fell.")
    Traceback (most recent call last):
    ...
    retoma.errors.Invalid: 'narrator' is not a role. Roles: user, assistant, system, tool.
    """

    family = "invalid"


class Limit(RetomaError):
    """A limit that was set is reached; facts: `limit` and `value`.

    >>> session.append_many([("user", "again")] * 10_001)
    Traceback (most recent call last):
    ...
    retoma.errors.Limit: One transaction accepts at most 10,000 entries; there are 10,001. ...
    """

    family = "limit"


class Busy(RetomaError):
    """Another driver holds the session; facts: `holder`, `since` and `expires`.

    >>> with session.lease():
    ...     client.session("demo").append("user", "From another handle")
    Traceback (most recent call last):
    ...
    retoma.errors.Busy: 'demo' is driven by process ...
    """

    family = "busy"


class Integrity(RetomaError):
    """What is stored is damaged: reading it would return something that was not written.

    >>> (directory / "store.db").write_bytes(b"Not a database, but a text of some length." * 100) > 0
    True
    >>> retoma.open(directory / "store.db")
    Traceback (most recent call last):
    ...
    retoma.errors.Integrity: ...
    """

    family = "integrity"


class Unavailable(RetomaError):
    """The store, the disk or a server does not answer as it should; nothing was written.

    >>> client.close()
    >>> session.append("user", "Too late")
    Traceback (most recent call last):
    ...
    retoma.errors.Unavailable: This client was closed. Open a new one: retoma.open().
    """

    family = "unavailable"
