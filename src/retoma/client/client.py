"""The client: a store, opened, and the sessions in it."""

from __future__ import annotations

from os import PathLike, fspath
from types import TracebackType
from typing import Self

from retoma.client.carried import Carrying
from retoma.client.comparing import Comparing
from retoma.client.flows import Flows
from retoma.client.found import Finding
from retoma.client.searched import Searching
from retoma.commands.opened import Opened, opened


class Client(Finding, Comparing, Searching, Flows, Carrying):
    """Sessions in one store, for one user. Close it, or use it in a `with`. Any number of threads may use one client.

    `retoma.open()` makes it. What it returned was durable; errors are below `retoma.RetomaError`, each with a stable
    `code`, a `hint` that says what to do, and its facts as attributes. A process that was forked off opens its own.

    >>> with retoma.open(":memory:") as client:
    ...     client.create("user-123").append("user", "Hello")
    2
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def close(self) -> None:
        """Close the store and let go of what this client holds. Everything stays. Twice is no error.

        >>> client.close()
        >>> client.get("demo")
        Traceback (most recent call last):
        ...
        retoma.errors.Unavailable: This client was closed. Open a new one: retoma.open().
        """
        self._opened.close()

    def __enter__(self) -> Self:
        self._ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
    return Client(opened_store(store, user))


def opened_store(store: str | PathLike[str] | None, user: str | None) -> Opened:
    """Open a store for either face."""
    from retoma.config import load_settings

    settings = load_settings(overrides={"store": None if store is None else fspath(store)})
    found = opened(settings, user=user, indexes=True)
    if found.store.upgraded is not None:
        import logging

        logging.getLogger("retoma").warning("%s", found.store.upgraded)
    return found
