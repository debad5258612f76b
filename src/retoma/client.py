"""The client: one opened store and one principal, with a method for each use case. Thin: every rule is in service/."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from retoma.config import Settings, StorePlace, find_store
from retoma.errors import Busy
from retoma.model.codec import encode
from retoma.model.event import Event
from retoma.model.ids import Operation, SessionId, TenantKey, given_operation, new_operation
from retoma.model.message import Message, role
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession, Session, Status
from retoma.service import access, leases, sessions, timeline
from retoma.service import flows as positions
from retoma.stores.api import Facts, Listing, Place, Store, Transaction
from retoma.wiring import SYSTEM, Sources, open_store

if TYPE_CHECKING:
    from retoma.model.transfer import Format
    from retoma.runtime.drive import Drive, Request
    from retoma.service.transfer.incoming import Imported

__all__ = ["Client", "client_at", "open_client"]


class Client:
    """Sessions in one store, for one principal. Close it, or use it in a `with`."""

    def __init__(
        self,
        store: Store,
        who: Principal,
        *,
        sources: Sources = SYSTEM,
        limits: sessions.Limits | None = None,
    ) -> None:
        self._store = store
        self._who = who
        self._sources = sources
        self._limits = limits

    def resolve(self, session: str) -> SessionId:
        """Return the id that an id, a unique beginning of one, or @last means. Raises NotFound, Invalid."""
        return self._store.read(lambda tx: access.resolve(tx, self._who, session))

    def create(self, new: NewSession, *, key: str | None = None) -> SessionId:
        """Make a session and return its id. Raises Invalid, Conflict, NotFound (its parent), Limit."""
        operation = self._operation(key, "create", new)
        return self._store.write(
            lambda tx: sessions.create(tx, self._who, new, operation=operation, limits=self._limits)
        )

    def get(self, session: str) -> Session | None:
        """Return the session, or None."""
        return self._store.read(lambda tx: sessions.get(tx, self._who, session))

    def show(self, session: str) -> sessions.Whole:
        """Return all there is to say of the session. Raises NotFound."""
        return self._store.read(lambda tx: sessions.show(tx, self._who, session))

    def list(
        self, listings: Sequence[Listing], *, after: Place | None = None, limit: int = 50, total: bool = False
    ) -> sessions.Page:
        """Return a page of sessions, newest first."""
        return self._store.read(
            lambda tx: sessions.ls(tx, self._who, listings, after=after, limit=limit, total=total)
        )

    def change(
        self, session: str, to: Status, *, reason: str = "", key: str | None = None
    ) -> tuple[Status, Status]:
        """Change the session's status; return the old and the new. Raises NotFound, Refused."""
        operation = self._operation(key, "change", [session, to, reason])
        return self._store.write(
            lambda tx: sessions.change(tx, self._who, session, to, reason=reason, operation=operation)
        )

    def delete(self, session: str, *, key: str | None = None) -> None:
        """Delete the session for good: rows, state and journal, in no file of the store any more. Raises NotFound."""
        operation = self._operation(key, "delete", session)
        self._store.write(lambda tx: sessions.delete(tx, self._who, session, operation=operation))
        self.purge()

    def purge(self) -> None:
        """Remove what is left of deleted sessions, in short transactions."""
        removed = False
        while self._store.write(lambda tx: sessions.purge(tx, self._who)):
            removed = True
        if removed:
            self._store.forget()

    def append(
        self, session: str, said_by: str, content: str, *, key: str | None = None, expect: int | None = None
    ) -> int:
        """Append a message; return its seq once it is durable. Raises NotFound, Refused, Busy, Invalid, Conflict."""
        operation = self._operation(key, "append", [session, said_by, content])
        checked = role(said_by)

        def use_case(tx: Transaction) -> int:
            return timeline.append(
                tx, self._who, session, checked, content, operation=operation, expect=expect
            )

        try:
            return self._store.write(use_case)
        except Busy as busy:
            from retoma.runtime.lease import gone_token

            gone = gone_token(busy)
            if gone is None:
                raise
            self._store.write(lambda tx: leases.release(tx, self._who, session, gone))
            return self._store.write(use_case)

    def messages(
        self, session: str, *, last: int | None = None, since: int = 0, epochs: bool = False
    ) -> Sequence[Message]:
        """Return the conversation, oldest first. Raises NotFound."""
        return self._store.read(
            lambda tx: timeline.messages(tx, self._who, session, last=last, since=since, epochs=epochs)
        )

    def events(self, session: str, *, since: int = 0) -> Iterator[Event]:
        """Yield the journal from after `since`, oldest first, read in pages of 1,000. Raises NotFound."""
        while page := self._events(session, since):
            yield from page
            since = page[-1].seq

    def drive(self, request: Request) -> Drive:
        """Open a flow in a session and hold it. Raises Invalid (the flow), Busy, Refused, Limit."""
        from retoma.runtime.drive import Drive
        from retoma.runtime.process import this_holder

        holder = this_holder(self._who.name)
        now, random = self._sources
        return Drive(self._store, self._who, holder, now, random, request, limits=self._limits)

    def position(self, session: str) -> positions.Snapshot:
        """Return the session with its state, and its flow's position and history. Raises NotFound."""
        return self._store.read(lambda tx: positions.look(tx, self._who, session))

    def export(self, session: str, format: Format = "json") -> Generator[bytes, None, None]:
        """Return the pieces of a file with the session as it stands now. Raises NotFound, Invalid (the format).

        json and jsonl can be imported again; csv and md have the conversation alone. While it is read it raises
        Integrity for a damaged event, and Conflict when the session was cut or deleted meanwhile.
        """
        from retoma.service.transfer.export import export

        return export(self._store, self._who, session, format)

    def import_(self, stream: BinaryIO, *, name: str | None = None) -> Imported:
        """Read an exported session (json or jsonl) from `stream` and keep it, as `name` if given.

        Nothing is shown before all of it is proved; what was here already is not added again. Raises Invalid for what
        is no export, Integrity with the line for a damaged one, Conflict for a taken id or a session that went another
        way here, Busy, Limit, Unavailable.
        """
        from retoma.service.transfer.incoming import import_

        return import_(self._store, self._who, stream, name=name, limits=self._limits)

    def facts(self) -> Facts:
        """Return what the store says of itself."""
        return self._store.facts()

    def close(self) -> None:
        """Close the store. Everything stays."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _events(self, session: str, since: int) -> Sequence[Event]:
        return self._store.read(lambda tx: timeline.events(tx, self._who, session, after=since))

    def _operation(self, key: str | None, verb: str, request: object) -> Operation:
        if key is None:
            return Operation(new_operation(self._sources.now(), self._sources.random))
        from blake3 import blake3

        return Operation(given_operation(key), blake3(encode([verb, request])).digest(16))


def open_client(settings: Settings) -> Client:
    """Open the store that the settings lead to, as its local owner."""
    limits = sessions.Limits(settings.limits.sessions, settings.limits.sessions_active)
    return client_at(find_store(settings), user=settings.environment.user, limits=limits)


def client_at(place: StorePlace, *, user: str = "", limits: sessions.Limits | None = None) -> Client:
    """Open the store at `place`, as its local owner."""
    return Client(open_store(place), Principal(TenantKey(LOCAL_TENANT), user or "local"), limits=limits)
