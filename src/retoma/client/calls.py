"""One opened store and one principal, with a method for each use case, by id. Thin: every rule is in service/."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import msgspec

from retoma.client.upkeep import Upkeep
from retoma.config import Settings, StorePlace, find_store
from retoma.errors import Busy
from retoma.model.changes import Changes
from retoma.model.codec import Json, encode
from retoma.model.event import Event
from retoma.model.ids import Operation, SessionId, SessionKey, TenantKey, given_operation, new_operation
from retoma.model.lease import FencingToken
from retoma.model.message import Message, content, role
from retoma.model.principal import LOCAL_TENANT, Principal
from retoma.model.session import NewSession, Session, Status
from retoma.service import access, profiles, sessions, timeline
from retoma.service.deleting import Deleted, delete
from retoma.stores.api import Listing, Place, Transaction
from retoma.wiring import Sources, open_store

if TYPE_CHECKING:
    from retoma.model.transfer import Format
    from retoma.model.veil import Veil
    from retoma.runtime.drive import Drive, Request
    from retoma.runtime.signal import Sent
    from retoma.service import erasing
    from retoma.service import flows as positions
    from retoma.service.branches import Forked
    from retoma.service.diff import Diff
    from retoma.service.found import Asked, Cursor, Found
    from retoma.service.transfer.bringing import Arrived
    from retoma.service.transfer.detect import Source
    from retoma.service.transfer.imported import Imported
    from retoma.service.undo import Undone

T = TypeVar("T")


__all__ = ["Calls", "client_at", "open_client"]


class Calls(Upkeep):
    """Sessions in one store, for one principal. Close it, or use it in a `with`."""

    def resolve(self, session: str) -> SessionId:
        """Return the id that an id, a unique beginning of one, or @last means. Raises NotFound, Invalid."""
        return self._store.read(lambda tx: access.resolve(tx, self._who, session))

    def create(self, new: NewSession, *, template: str | None = None, key: str | None = None) -> SessionId:
        """Make a session and return its id; what `new` leaves open a template gives.

        Raises Invalid, Conflict, NotFound (its parent, the template), Limit.
        """
        operation = self._operation(key, "create", new if template is None else [new, template])
        if template is not None:
            from retoma.model.template import applied

            new = applied(self._templates, template, new)
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
        self, listings: Sequence[Listing], *, after: Place | None = None, limit: int = 50
    ) -> sessions.Page:
        """Return a page of sessions, newest first."""
        return self._store.read(lambda tx: sessions.ls(tx, self._who, listings, after=after, limit=limit))

    def count(self, listings: Sequence[Listing], *, most: int | None = None) -> int:
        """Return how many sessions `listings` mean, counting no further than `most`."""
        return self._store.read(lambda tx: sessions.count(tx, self._who, listings, most=most))

    def change(
        self, session: str, to: Status, *, reason: str = "", key: str | None = None
    ) -> tuple[Status, Status]:
        """Change the session's status; return the old and the new. Raises NotFound, Refused."""
        operation = self._operation(key, "change", [session, to, reason])
        return self._store.write(
            lambda tx: sessions.change(tx, self._who, session, to, reason=reason, operation=operation)
        )

    def update(self, session: str, changes: Changes, *, key: str | None = None) -> sessions.Whole:
        """Change what is said of the session. Raises NotFound, Invalid, Refused."""
        operation = self._operation(key, "update", [session, changes])
        return self._store.write(
            lambda tx: profiles.update(tx, self._who, session, changes, operation=operation)
        )

    def set_id(self, session: str, new: str, *, key: str | None = None) -> SessionId:
        """Give the session another id; its history stays. Raises NotFound, Invalid, Conflict, Busy."""
        operation = self._operation(key, "set_id", [session, new])
        return self._unless_driven(
            session, lambda tx: profiles.rename(tx, self._who, session, new, operation=operation)
        )

    def note(self, session: str, text: str, *, key: str | None = None) -> int:
        """Add a note; return its seq. Raises NotFound, Invalid."""
        operation = self._operation(key, "note", [session, text])
        return self._store.write(lambda tx: profiles.note(tx, self._who, session, text, operation=operation))

    def notes(self, session: str) -> Sequence[Event]:
        """Return the session's notes, oldest first. Raises NotFound."""
        return self._store.read(lambda tx: profiles.notes(tx, self._who, session))

    def trash(self, session: str, *, key: str | None = None) -> None:
        """Hide the session; seven days later it is deleted. Raises NotFound, Busy."""
        operation = self._operation(key, "trash", session)
        self._unless_driven(session, lambda tx: profiles.trash(tx, self._who, session, operation=operation))
        self.tidy()

    def restore(self, session: str, *, key: str | None = None) -> None:
        """Take the session out of the trash. Raises NotFound, Refused."""
        operation = self._operation(key, "restore", session)
        self._store.write(lambda tx: profiles.restore(tx, self._who, session, operation=operation))

    def reset(self, session: str, *, erase: bool = False, key: str | None = None) -> int:
        """Begin a new epoch and return its number; with `erase` the earlier ones are deleted. Raises NotFound."""
        operation = self._operation(key, "reset", [session, erase])
        if not erase:
            return self._store.write(
                lambda tx: sessions.reset(tx, self._who, session, operation=operation)
            ).epoch
        from retoma.runtime.forget import reset_erasing

        epoch = reset_erasing(self._store, self._who, session, operation)
        self.tidy()
        return epoch

    def redact(
        self,
        session: str,
        selection: erasing.Selection,
        *,
        pattern: str | None = None,
        key: str | None = None,
        dry_run: bool = False,
    ) -> erasing.Redaction:
        """Forget the content of events, and what they left in the state; return what was taken. Raises NotFound, Busy.

        Sessions that share the events forget them, too, and a pattern is looked for in what forks wrote themselves.
        With `dry_run` nothing is changed. `pattern` is what `selection.wanted` was made of, for the key.
        """
        from retoma.runtime.forget import redact

        asked = [session, selection.first, selection.last, pattern]
        operation = None if dry_run else self._operation(key, "redact", asked)
        return redact(self._store, self._who, session, selection, operation)

    def fork(
        self, session: str, new: str | None = None, *, at: int | None = None, key: str | None = None
    ) -> Forked:
        """Make a session, called `new` if given, that shares the past of this one up to event `at`, or its last one.

        Raises NotFound, Invalid, Conflict, Refused, Limit.
        """
        from retoma.runtime.branch import fork

        operation = self._operation(key, "fork", [session, new, at])
        return fork(self._store, self._who, session, new, seq=at, operation=operation, limits=self._limits)

    def undo(self, session: str, *, token: FencingToken | None = None, key: str | None = None) -> Undone:
        """Take the session back to before the last user message or input; what was is kept under another id.

        `token` is the lease's of whoever drives it. Raises NotFound, Busy, Refused.
        """
        from retoma.runtime.branch import undo

        operation = self._operation(key, "undo", session)
        return undo(self._store, self._who, session, operation=operation, token=token)

    def diff(self, a: str, b: str, *, at: int | None = None) -> Diff:
        """Return what two sessions have in common and what each has alone, as both were at event `at` if given.

        Raises NotFound, Invalid.
        """
        from retoma.service.diff import Diff

        return Diff(self._store, self._who, a, b, at=at)

    def forks(self, session: str) -> Sequence[str]:
        """Return the sessions that share what this one wrote itself. Raises NotFound."""
        from retoma.service.erasing import forks_of

        return [name for name, _ in self._store.read(lambda tx: forks_of(tx, self._who, session))]

    def tree(self, session: str, *, most: int = 1_000) -> Sequence[tuple[int, Session]]:
        """Return the session and all below it as (depth, session), parents first. Raises NotFound."""
        from retoma.service.tree import tree

        return self._store.read(lambda tx: tree(tx, self._who, session, most=most))

    def delete(self, session: str, *, with_forks: bool = False, key: str | None = None) -> Deleted:
        """Delete the session for good: rows, state and journal, in no file of the store any more. Raises NotFound.

        What forks share of it stays for them; `with_forks` they are deleted, too.
        """
        operation = self._operation(key, "delete", [session, with_forks] if with_forks else session)
        deleted = self._store.write(
            lambda tx: delete(tx, self._who, session, with_forks=with_forks, operation=operation)
        )
        self.tidy()
        return deleted

    def append(
        self,
        session: str,
        said_by: str,
        said: Json,
        *,
        sender: str = "",
        key: str | None = None,
        expect: int | None = None,
    ) -> int:
        """Append a message, a text or parts; return its seq once it is durable.

        Raises NotFound, Refused, Busy, Invalid, Conflict, Limit.
        """
        operation = self._operation(key, "append", [session, said_by, said, *([sender] if sender else [])])
        checked, whole = role(said_by), said if isinstance(said, str) else content(said)

        def use_case(tx: Transaction) -> int:
            return timeline.append(
                tx,
                self._who,
                session,
                checked,
                whole,
                sender=sender,
                operation=operation,
                expect=expect,
                limits=self._limits,
            )

        return self._unless_driven(session, use_case)

    def messages(
        self,
        session: str,
        *,
        last: int | None = None,
        since: int = 0,
        before: int | None = None,
        epochs: bool = False,
    ) -> Sequence[Message]:
        """Return the conversation, oldest first; the `last` ones of it, if so. Raises NotFound."""
        if last is None:
            return [*self.conversation(session, since=since, epochs=epochs)]
        return self._store.read(
            lambda tx: timeline.messages(
                tx, self._who, session, last=last, since=since, before=before, epochs=epochs
            )
        )

    def conversation(self, session: str, *, since: int = 0, epochs: bool = False) -> Iterator[Message]:
        """Yield the conversation from behind `since`, oldest first, read in pages of 1,000 events. Raises NotFound."""
        following: int | None = since
        while following is not None:
            page, following = self._store.read(self._page(session, following, epochs=epochs))
            yield from page

    def events(self, session: str, *, since: int = 0) -> Iterator[Event]:
        """Yield the journal from after `since`, oldest first, read in pages of 1,000. Raises NotFound."""
        while page := self._events(session, since):
            yield from page
            since = page[-1].seq

    def follow(
        self, session: str, *, since: int = 0, wait: Callable[[], None] | None = None
    ) -> Iterator[Event]:
        """Yield the journal from after `since` and what comes, until the session is over. Raises NotFound."""
        from retoma.runtime.follow import follow, pause

        line: SessionKey | None = None

        def read(seq: int) -> Sequence[Event]:
            nonlocal line
            page, _, line = self._store.read(
                lambda tx: timeline.following(tx, self._who, session, line=line, after=seq)
            )
            return page

        def status() -> Status:
            return self._store.read(lambda tx: access.head_of(tx, self._who, session)).status

        return follow(read, status, since=since, wait=wait or pause)

    def search(self, asked: Asked, *, after: Cursor | None = None, limit: int = 20) -> Found:
        """Return a page of what answers `asked`, the best of what is new first.

        Raises Invalid for an empty query, NotFound for its session.
        """
        from retoma.service.search import search

        return self._store.read(lambda tx: search(tx, self._who, asked, after=after, limit=limit))

    def drive(self, request: Request) -> Drive:
        """Open a flow in a session and hold it. Raises Invalid (the flow), Busy, Refused, Limit.

        Its tools see PATH, HOME, LANG and TMPDIR of this process, unless the request says otherwise.
        """
        from retoma.config import read_environment
        from retoma.runtime.drive import Drive
        from retoma.runtime.process import this_holder

        holder = this_holder(self._who.name)
        now, random = self._sources.now, self._sources.random
        if request.tools.environment is None:
            tools = msgspec.structs.replace(request.tools, environment=read_environment().for_tools)
            request = msgspec.structs.replace(request, tools=tools)
        return Drive(self._store, self._who, holder, now, random, request, limits=self._limits)

    def signal(self, session: str, name: str, *, locale: str = "") -> Sent:
        """Send the flow of a session that nobody drives a signal. Raises NotFound, Refused, Busy."""
        from retoma.runtime.signal import send_signal

        return send_signal(self.drive, self.position(session), name, locale=locale)

    def position(self, session: str, *, at: int | None = None) -> positions.Snapshot:
        """Return the session with its state, and its flow's position and history, as they were at event `at` if given.

        Raises NotFound, Invalid.
        """
        if at is None:
            from retoma.service.flows import look

            return self._store.read(lambda tx: look(tx, self._who, session))
        from retoma.runtime.branch import look as look_back

        return look_back(self._store, self._who, session, at)

    def export(
        self, session: str, format: Format = "json", *, veil: Veil | None = None
    ) -> Generator[bytes, None, None]:
        """Return the pieces of a file with the session as it stands now. Raises NotFound, Invalid (the format).

        json and jsonl can be imported again; csv, md and html have the conversation alone. What `veil` hides is in none
        of them. While it is read it raises Integrity for a damaged event, and Conflict when the session was cut or
        deleted meanwhile.
        """
        from retoma.service.transfer.export import export

        return export(self._store, self._who, session, format, veil=veil)

    def import_(self, stream: BinaryIO, *, name: str | None = None, erase_too: bool = False) -> Imported:
        """Read an exported session (json or jsonl) from `stream` and keep it, as `name` if given.

        Nothing is shown before all of it is proved; what was here already is not added again. What the source erased
        meanwhile stays here, or is erased, too, with `erase_too`. Raises Invalid for what
        is no export, Integrity with the line for a damaged one, Conflict for a taken id or a session that went another
        way here, Busy, Limit, Unavailable.
        """
        from retoma.service.transfer.incoming import import_

        return import_(self._store, self._who, stream, name=name, limits=self._limits, erase_too=erase_too)

    def bring(
        self,
        file: Path | BinaryIO,
        *,
        source: Source = "auto",
        name: str | None = None,
        erase_too: bool = False,
    ) -> Arrived:
        """Keep the sessions of a file, an export or another tool's, under `name` if it is one.

        What is whole in another tool's file is kept, and the rest told in `notices`; each session has its own outcome.
        Raises OSError when it cannot be read, Integrity when nothing of it is whole, Invalid, and as `import_` does.
        """
        from retoma.config.opened import open_file
        from retoma.service.transfer.bringing import bring
        from retoma.service.transfer.given import Given

        with ExitStack() as opened:
            if isinstance(file, Path):
                stream = opened.enter_context(open_file(file))
                given = Given(str(file), stream, file.stat().st_mtime_ns // 1_000_000, file)
            else:
                given = Given("standard input", file, self._sources.now())
            return bring(
                self._store,
                self._who,
                given,
                source=source,
                name=name,
                limits=self._limits,
                erase_too=erase_too,
            )

    def _unless_driven(self, session: str, use_case: Callable[[Transaction], T]) -> T:
        """Write; a holder on this machine whose process is gone stands in nobody's way."""
        try:
            return self._store.write(use_case)
        except Busy as busy:
            from retoma.runtime.lease import write_over

            return write_over(self._store, self._who, session, use_case, busy)

    def _page(
        self, session: str, since: int, *, epochs: bool
    ) -> Callable[[Transaction], tuple[Sequence[Message], int | None]]:
        return lambda tx: timeline.conversation(tx, self._who, session, since=since, epochs=epochs)

    def _events(self, session: str, since: int) -> Sequence[Event]:
        return self._store.read(lambda tx: timeline.events(tx, self._who, session, after=since))

    def _operation(self, key: str | None, verb: str, request: object) -> Operation:
        return operation_of(self._sources, key, verb, request)


def operation_of(sources: Sources, key: str | None, verb: str, request: object) -> Operation:
    """Return the identity of a write: the caller's key with the hash of what it asks, or one of its own.

    `request` is the session's id, or a list that begins with it; of a new session what is said of it.
    """
    if key is None:
        return Operation(new_operation(sources.now(), sources.random))
    from blake3 import blake3

    def under(session: str) -> bytes:
        asked = [session, *request[1:]] if isinstance(request, list) else session
        return blake3(encode([verb, asked])).digest(16)

    return Operation(given_operation(key), blake3(encode([verb, request])).digest(16), under)


def open_client(settings: Settings) -> Calls:
    """Open the store that the settings lead to, as its local owner."""
    place = find_store(settings)
    return Calls(
        open_store(place),
        _owner(settings.environment.user),
        limits=settings.limits,
        retention=settings.retention(place) if settings.sets("retention") else None,
        templates=settings.templates if settings.sets("templates") else {},
    )


def client_at(place: StorePlace, *, user: str = "") -> Calls:
    """Open the store at `place`, as its local owner."""
    return Calls(open_store(place), _owner(user))


def _owner(user: str) -> Principal:
    return Principal(TenantKey(LOCAL_TENANT), user or "local")
