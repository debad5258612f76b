"""The client: a store, opened, and the sessions in it."""

from __future__ import annotations

from os import PathLike, fspath
from types import TracebackType
from typing import Self

from retoma.client.carried import Carrying
from retoma.client.comparing import Comparing
from retoma.client.door import Door
from retoma.client.faces import Blocking
from retoma.client.found import Finding
from retoma.client.searched import Searching
from retoma.client.session import Session
from retoma.service import sessions


class Client(Finding[Session], Comparing[Session], Searching, Carrying, Blocking):
    """Sessions in one store, for one user. Close it, or use it in a `with`. Any number of threads may use one client.

    `retoma.open()` makes it. What it returned was durable; errors are below `retoma.RetomaError`, each with a stable
    `code`, a `hint` that says what to do, and its facts as attributes. A process that was forked off opens its own.

    >>> with retoma.open(":memory:") as client:
    ...     client.create("user-123").append("user", "Hello")
    2
    """

    def close(self) -> None:
        """Close the store and let go of what this client holds. Everything stays. Twice is no error.

        >>> client.close()
        >>> client.get("demo")
        Traceback (most recent call last):
        ...
        retoma.errors.Unavailable: This client was closed. Open another: retoma.open().
        """
        self._door.close()

    def __enter__(self) -> Self:
        self._ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _handle(self, whole: sessions.Whole) -> Session:
        return Session(self._door, whole)

    def _own(self, found: object) -> Session | None:
        return found if isinstance(found, Session) and found._door is self._door else None


def open(store: str | PathLike[str] | None = None, *, user: str | None = None) -> Client:
    """Open a store and return its client. Close it, or use it in a `with`.

    `store` is a directory or a file, `sqlite:///FILE`, `postgresql://…`, or `:memory:` for one that is gone when it
    is closed. Without it the store is found as on the command line: `RETOMA_STORE`, `retoma.toml`, the nearest
    `.retoma/` from the working directory upwards, else the user's own. One that is not there is made. `user` is
    who the journal names as the writer; the system's user unless given. Limits of `retoma.toml` hold.

    Raises Unavailable when the store cannot be opened, Integrity for a file that is none, Invalid for a name that
    says no store and for a mistake in `retoma.toml`, Refused for a found store or configuration of another user.

    A file of an older format is upgraded. The logger `retoma` warns then, and names the file that is kept as it was. On
    PostgreSQL an older store raises Unavailable (`older_store`): `retoma store migrate` upgrades it.

    >>> with retoma.open(directory / "store") as client:
    ...     client.create("user-123").id
    'user-123'
    """
    return Client(opened(store, user=user))


def opened(store: str | PathLike[str] | None = None, *, user: str | None = None) -> Door:
    """Return the way into a store, for either face."""
    from retoma.config import find_store, load_settings
    from retoma.model.principal import LOCAL_TENANT, Principal
    from retoma.wiring import open_store

    settings = load_settings(overrides={"store": None if store is None else fspath(store)})
    who = Principal(LOCAL_TENANT, user or settings.environment.user or "local")
    place = find_store(settings)
    opened = open_store(place)
    if opened.upgraded is not None:
        import logging

        logging.getLogger("retoma").warning("%s", opened.upgraded)
    return Door(
        opened,
        who,
        limits=settings.limits,
        retention=settings.retention(place) if settings.sets("retention") else None,
        templates=settings.templates if settings.sets("templates") else {},
        indexes=True,
    )
