"""What a journal holds: one event for everything that happened."""

from __future__ import annotations

from typing import Final

import msgspec

from retoma.errors import Integrity, Invalid
from retoma.model.codec import MOST_LEVELS, Json, decode, is_deep

# The names of the types. What each is to everybody who meets it is declared in `model/events/`.
CREATED: Final = "session.created"
UPDATED: Final = "session.updated"
STATUS: Final = "session.status"
RESET: Final = "session.reset"
FORKED: Final = "session.forked"
NOTE: Final = "session.note"
ERASED: Final = "session.erased"
MESSAGE: Final = "message"
STATE: Final = "state"
FLOW_STARTED: Final = "flow.started"
FLOW_INPUT: Final = "flow.input"
FLOW_SIGNAL: Final = "flow.signal"
FLOW_STEP: Final = "flow.step"
FLOW_END: Final = "flow.end"
FLOW_VERSION: Final = "flow.version"
RECORD: Final = "import.record"
TOOL_CALL: Final = "flow.tool_call"
TOOL_STARTED: Final = "flow.tool_started"
TOOL_RESULT: Final = "flow.tool_result"
FLOW_ROLLBACK: Final = "flow.rollback"

MAX_DATA_BYTES: Final = 1 << 20
INLINE_BYTES: Final = 16 << 10
"""Data above this is kept beside the journal, so that reading a tail does not read it."""


class NewEvent(msgspec.Struct, frozen=True):
    """An event to append. `data` is compact JSON; `cause` the seq of the event that led to it."""

    type: str
    data: bytes
    cause: int | None = None


class Event(msgspec.Struct, frozen=True):
    """An event as it stands in the journal of a session.

    `seq` counts from 1 in its session, `at` is milliseconds UTC. `data` and `salt` are None once erased. An event of a
    type that this version does not know is kept and shown as it is.
    """

    seq: int
    type: str
    at: int
    actor: str
    cause: int | None
    operation: bytes | None
    request: bytes | None
    salt: bytes | None
    data: bytes | None
    digest: bytes
    hash: bytes

    @property
    def erased(self) -> bool:
        return self.data is None

    @property
    def write(self) -> tuple[bytes | None, bytes | None]:
        """The write that it is of: events in a row with the same one were appended together.

        The operation alone does not say it: several verbs may be given the same idempotency key.
        """
        return self.operation, self.request

    def value(self) -> dict[str, Json]:
        """Return the data as a mapping, empty when it was erased."""
        if self.data is None:
            return {}
        try:
            value = decode(self.data)
        except Invalid as error:
            raise Integrity(
                f"Event {self.seq} ({self.type}) is damaged: its data is not JSON.",
                code="damaged_event",
                hint="Restore a backup. `retoma session log` still prints the undamaged events.",
                seq=self.seq,
            ) from error
        return value if isinstance(value, dict) else {"value": value}


def new_event(kind: str, data: bytes, cause: int | None = None) -> NewEvent:
    """Return an event of `kind`. Raises Invalid when its data is larger, or nested deeper, than an event may be."""
    if len(data) > MAX_DATA_BYTES:
        noun = kind.partition(".")[0]
        what = {"flow": "step of a flow", "session": "change of a session"}.get(noun, noun)
        raise Invalid(
            f"This {what} has {len(data):,} bytes; the limit is {MAX_DATA_BYTES:,} (1 MiB).",
            code="too_large",
            hint="Nothing was written. Send it in smaller parts.",
            size_bytes=len(data),
            limit_bytes=MAX_DATA_BYTES,
        )
    if is_deep(data):
        raise Invalid(
            f"A value is nested more than {MOST_LEVELS} levels.",
            code="too_deep",
            hint="Nothing was written. Send it as a text, or with less nesting.",
        )
    return NewEvent(kind, data, cause)
