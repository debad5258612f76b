"""Drafts made events: linked to a journal, and kept in a file as an export has them, so that one way leads in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, Final, Self

from blake3 import blake3
from msgspec import Raw

from retoma.model.chain import SALT_BYTES, digest, link
from retoma.model.event import Event
from retoma.model.ledger import Ledger
from retoma.model.transfer import encoded, event_record
from retoma.service.transfer.foreign import Draft, fits, joined
from retoma.service.transfer.source import Placed, record_of

_IN_MEMORY: Final = 4 << 20
_MOST_JOINED: Final = 256


class Chain:
    """A journal's continuation behind `seq` and `hash`. `ledger` knows what its events say of the session.

    Salts are drawn from `seed`, which is kept nowhere: once an event is redacted, nothing says what its salt was.
    """

    def __init__(self, seq: int, last: bytes, *, actor: str, seed: bytes) -> None:
        self.seq = seq
        self.hash = last
        self.ledger = Ledger(cut=False)
        self._actor = actor
        self._seed = blake3(seed)
        self._drawn = 0
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed with this)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def extend(self, drafts: Iterable[Draft]) -> None:
        """Link the events that `drafts` become; those of one reply that follow each other become one."""
        reply: list[Draft] = []
        for draft in drafts:
            goes_on = reply and draft.reply and draft.reply == reply[0].reply
            if not goes_on or len(reply) == _MOST_JOINED or not fits([*reply, draft]):
                self._close(reply)
                reply = []
            reply.append(draft)
        self._close(reply)

    def add(self, draft: Draft, request: bytes | None = None) -> None:
        """Link the event that a draft becomes."""
        data = draft.data if draft.said is None else draft.said.data()
        salt = self._salt()
        seq, data_digest = self.seq + 1, digest(salt, data)
        self.hash = link(
            self.hash, seq, draft.kind, draft.at, self._actor, None, draft.id, request, data_digest
        )
        self.seq = seq
        event = Event(
            seq,
            draft.kind,
            draft.at,
            self._actor,
            None,
            draft.id,
            request,
            salt,
            data,
            data_digest,
            self.hash,
        )
        self.ledger.take(event)
        self._file.write(encoded(event_record(event, Raw(data))) + b"\n")

    def records(self) -> Iterator[Placed]:
        """Yield the events, as an import reads them."""
        self._file.seek(0)
        for line, data in enumerate(self._file, 2):
            yield record_of(data, line)

    def _close(self, reply: list[Draft]) -> None:
        if reply:
            self.add(joined(reply), reply[-1].id if len(reply) > 1 else None)

    def _salt(self) -> bytes:
        self._drawn += 1
        return self._seed.digest(SALT_BYTES, seek=self._drawn * SALT_BYTES)
