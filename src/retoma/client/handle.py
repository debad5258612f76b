"""What a session's handle knows: the session as it was when the handle last read it whole, or wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import msgspec

from retoma.client import public
from retoma.client.door import Door
from retoma.client.faces import Act, Face, Work, Write
from retoma.errors import Unavailable
from retoma.model.codec import JsonField
from retoma.model.ids import Operation
from retoma.model.session import Session as Row
from retoma.model.session import Status
from retoma.service import entries, leases, sessions
from retoma.stores.api import Transaction
from retoma.values import Driver, Flow, Usage

if TYPE_CHECKING:
    from retoma.runtime.lease import Held

R = TypeVar("R")


class Handle(Face):
    """A session that a client took up. Its attributes are a snapshot: as of the last time that this handle read the
    session whole (`refresh`), or wrote in it. Any number of threads or tasks may use one handle.
    """

    def __init__(self, door: Door, whole: sessions.Whole) -> None:
        self._door = door
        self._whole = whole
        self._seen_at = door.now()
        self._seeing = Lock()
        self._held: Held | None = None
        self._disconnected = False

    # What it is

    @property
    def id(self) -> str:
        """Its name, unique in its store."""
        return self._row.id

    @property
    def title(self) -> str:
        """The name that people read; empty when it has none."""
        return self._row.title

    @property
    def description(self) -> str:
        """What it is, at length."""
        return self._whole.about.description

    @property
    def status(self) -> Status:
        """`active`, `suspended`, `completed` or `failed`."""
        return self._row.status

    @property
    def reason(self) -> str:
        """Why its status is what it is, as was said at the last change; mostly empty."""
        return self._row.reason

    @property
    def agent(self) -> str:
        """The agent that answers in it; empty for the default one."""
        return self._row.agent

    @property
    def model(self) -> str:
        """The model that is asked; empty for the agent's own."""
        return self._row.model

    @property
    def thinking(self) -> str:
        """How hard the model thinks: `off`, `low`, `medium`, `high`; empty when nothing was said."""
        return self._row.thinking

    @property
    def channel(self) -> str:
        """Where replies go; empty for nowhere."""
        return self._row.channel

    @property
    def parent(self) -> str | None:
        """The id of the session that it belongs to."""
        return self._row.parent

    @property
    def tags(self) -> list[str]:
        """Its tags, in order."""
        return list(self._whole.about.tags)

    @property
    def contexts(self) -> list[tuple[str, str]]:
        """What it is about, as (kind, reference), in order."""
        return list(self._whole.about.contexts)

    @property
    def metadata(self) -> dict[str, JsonField]:
        """Values for programs; a change of this dictionary changes nothing else."""
        return dict(self._whole.about.metadata)

    # Where it stands

    @property
    def head(self) -> int:
        """How many events it has; what `expect=` is held against."""
        return self._row.seq

    @property
    def message_count(self) -> int:
        """How many messages the running epoch has, those of tools too."""
        return self._row.messages

    @property
    def epoch(self) -> int:
        """How often it was begun, counted from 1."""
        return self._row.epoch

    @property
    def usage(self) -> Usage:
        """What the running epoch used."""
        return public.usage(self._row)

    @property
    def flow(self) -> Flow | None:
        """Where its flow stands; None when it runs none."""
        return public.flow(self._row)

    @property
    def driver(self) -> Driver | None:
        """Who drove it when this handle last read it whole; None when nobody did."""
        return public.driver(self._whole.lease, self._seen_at)

    @property
    def created_at(self) -> datetime:
        """When it was made, UTC."""
        return public.moment(self._row.created_at)

    @property
    def updated_at(self) -> datetime:
        """When it was last written in, UTC."""
        return public.moment(self._row.updated_at)

    @property
    def expires_at(self) -> datetime | None:
        """When it expires, UTC; None when it does not."""
        return None if self._row.expires_at is None else public.moment(self._row.expires_at)

    @property
    def trashed_at(self) -> datetime | None:
        """When it was put in the trash, UTC; None when it is not in it."""
        return None if self._row.trashed_at is None else public.moment(self._row.trashed_at)

    @property
    def pinned(self) -> bool:
        """Whether lists show it first."""
        return self._row.pinned

    @property
    def archived(self) -> bool:
        """Whether lists leave it out."""
        return self._row.archived

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r} {self.status}, {self.head} events>"

    # For verbs

    @property
    def _row(self) -> Row:
        return self._whole.session

    def _ready(self) -> None:
        self._door.ready()
        if self._disconnected:
            raise Unavailable(
                f"This handle of session '{self.id}' was disconnected.",
                code="disconnected",
                hint=f"Take the session up again: client.resume({self.id!r}).",
                session=self.id,
            )

    def _work(self, work: Callable[[], R]) -> Act[R]:
        return Work(self._door, work)

    def _told(
        self, use_case: Callable[[Transaction], R], *, over: bool = False, id: Callable[[], str] | None = None
    ) -> Act[R]:
        """Write, and read the session whole in the same transaction, under its new `id` then if it gets one."""

        held = self._held

        def whole(tx: Transaction) -> tuple[R, sessions.Whole]:
            if held is not None:
                leases.keep(tx, self._door.who, self.id, held.token)
            result = use_case(tx)
            return result, sessions.show(tx, self._door.who, id() if id is not None else self.id)

        def saw(found: tuple[R, sessions.Whole]) -> R:
            self._saw(found[1])
            return found[0]

        return Write(self._door, self.id, whole, saw, over=over)

    def _write(
        self,
        written: Sequence[entries.Entry],
        operation: Operation,
        expect: int | None,
        finish: Callable[[entries.Written], R],
    ) -> Act[R]:
        """Write messages and changes of the state; as the driver, when this handle holds the session."""
        door, held = self._door, self._held

        def use_case(tx: Transaction) -> entries.Written:
            return entries.write(
                tx,
                door.who,
                self.id,
                written,
                operation=operation,
                token=held.token if held else None,
                expect=expect,
                limits=door.limits,
            )

        def wrote(result: entries.Written) -> R:
            self._wrote(result)
            return finish(result)

        return Write(door, self.id, use_case, wrote, over=held is None)

    def _then_seen(self, work: Callable[[], R]) -> Act[R]:
        """Do what takes several transactions, then read the session whole."""

        def seen() -> R:
            result = work()
            self._refreshed()
            return result

        return Work(self._door, seen)

    def _let_go(self) -> None:
        self._disconnected = True
        held, self._held = self._held, None
        if held is not None:
            self._door.let_go(held)

    def _refreshed(self) -> None:
        self._saw(self._door.calls.show(self.id))

    def _saw(self, whole: sessions.Whole) -> None:
        # Of two threads, the one that read later may come here first: what is newer stays. An undo puts another line in
        # its place, which is shorter.
        with self._seeing:
            if whole.session.seq >= self._row.seq or whole.session.key != self._row.key:
                self._whole, self._seen_at = whole, self._door.now()

    def _wrote(self, written: entries.Written) -> None:
        head = written.head
        with self._seeing:
            row = self._row
            if written.at is None or (head.seq < row.seq and head.key == row.key):
                return
            row = msgspec.structs.replace(
                row, key=head.key, seq=head.seq, hash=head.hash, messages=head.messages, updated_at=written.at,
                status=head.status, epoch=head.epoch,
            )  # fmt: skip
            self._whole = sessions.Whole(row, self._whole.about, self._whole.lease)
