"""What a session's handle knows: the session as it was when the handle last read it whole, or wrote."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from retoma.client.faces import Face
from retoma.commands.opened import Opened
from retoma.errors import Unavailable
from retoma.model.codec import JsonField
from retoma.model.instant import Instant
from retoma.model.plain import Mapped
from retoma.model.session import Head, Status
from retoma.service import sessions
from retoma.types import Driver, Flow, Usage

if TYPE_CHECKING:
    from retoma.runtime.lease import Held


class Handle(Face, Mapped):
    """A session that a client took up. Its attributes are a snapshot: as of the last time that this handle read the
    session whole (`refresh`), or wrote in it. Any number of threads or tasks may use one handle.
    """

    def __init__(self, opened: Opened, whole: sessions.Whole) -> None:
        self._opened = opened
        self._whole = whole
        self._row = whole.session
        self._seen_at = opened.now()
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
        return Usage.of(self._row)

    @property
    def flow(self) -> Flow | None:
        """Where its flow stands; None when it runs none."""
        return Flow.of(self._row)

    @property
    def driver(self) -> Driver | None:
        """Who drove it when this handle last read it whole; None when nobody did."""
        return Driver.of(self._whole.lease, self._seen_at)

    @property
    def created_at(self) -> datetime:
        """When it was made, UTC."""
        return Instant.of(self._row.created_at)

    @property
    def updated_at(self) -> datetime:
        """When it was last written in, UTC."""
        return Instant.of(self._row.updated_at)

    @property
    def expires_at(self) -> datetime | None:
        """When it expires, UTC; None when it does not."""
        return Instant.at(self._row.expires_at)

    @property
    def trashed_at(self) -> datetime | None:
        """When it was put in the trash, UTC; None when it is not in it."""
        return Instant.at(self._row.trashed_at)

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

    def _plain(self) -> object:
        from retoma.model.shapes import whole

        return whole(self._row, self._whole.about, self._whole.lease, self._seen_at)

    # For commands

    def _ready(self) -> None:
        if self._disconnected:
            raise Unavailable(
                f"This handle of session '{self.id}' was disconnected.",
                code="disconnected",
                hint=f"Resume the session: client.resume({self.id!r}).",
                session=self.id,
            )
        self._opened.ready()

    def _let_go(self) -> None:
        self._disconnected = True
        held, self._held = self._held, None
        if held is not None:
            self._opened.let_go(held)

    def _saw(self, whole: sessions.Whole) -> None:
        """Keep the session as it was read."""
        # Of two threads, the one that read later may come here first: what is newer stays. An undo puts another line in
        # its place, which is shorter.
        with self._seeing:
            if whole.session.seq >= self._row.seq or whole.session.key != self._row.key:
                self._whole, self._row, self._seen_at = whole, whole.session, self._opened.now()

    def _wrote(self, head: Head, at: int | None, used: Mapping[str, int] | None = None) -> None:
        """Keep where a write left the session, and its tokens after it. `at` None: nothing was written."""
        with self._seeing:
            row = self._row
            if at is None or (head.seq < row.seq and head.key == row.key):
                return
            self._row = msgspec.structs.replace(
                row, key=head.key, seq=head.seq, hash=head.hash, messages=head.messages, updated_at=at,
                status=head.status, epoch=head.epoch, **(used or {}),
            )  # fmt: skip
