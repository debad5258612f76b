"""An export without secrets: events that hold one come erased, and what they left in the state is taken out.

So the chain still holds, and the file can be imported: its digests stand for what is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from retoma.errors import Refused
from retoma.model.codec import Json, encode
from retoma.model.event import Event
from retoma.model.events import kind_of
from retoma.model.fold import deleted_by, nodes_of, sets_of
from retoma.model.redaction import REDACTED
from retoma.model.session import TEXTS
from retoma.model.state import SYS
from retoma.model.transfer import (
    ContextPart,
    FlowRecord,
    RedactedPart,
    SessionRecord,
    StateRecord,
    decoded,
    encoded,
)
from retoma.model.veil import Veil

_TEXTS = (*TEXTS, "reason")


class Veiling:
    """One export behind a veil: what it took out so far."""

    def __init__(self, veil: Veil) -> None:
        self._veil = veil
        self._sets: dict[str, set[bytes]] = {}  # values of the state that events which are hidden set
        self._answers: set[bytes] = set()  # and the answers that they gave
        self._fields: tuple[str, ...] = ()
        self._keys: dict[str, None] = {}
        self._deleted: dict[str, int] = {}
        self._nodes: dict[str, str] = {}
        self._held: set[str] = set()
        self._ans = False
        self._files = False

    # Before anything is written

    def learn(self, page: Sequence[Event]) -> None:
        """Take note of the secrets that stand in events under their names."""
        for event in page:
            self._veil.learn(event.value())

    def learn_aside(self, session: SessionRecord, lines: Iterator[bytes]) -> None:
        """Take note of those in the metadata and the state, and whether one stands in the flow's files."""
        self._veil.learn(session.metadata)
        for line in lines:
            record = decoded(line)
            if isinstance(record, StateRecord):
                self._veil.learn({record.key: record.value})
            elif isinstance(record, FlowRecord):
                content = record.content.decode(errors="replace")
                self._files = self._files or self._veil.hides(content)

    def session(self, record: SessionRecord) -> SessionRecord:
        """Return what is said of the session, without secrets."""
        flow = record.flow
        changed: dict[str, object] = {
            name: REDACTED for name in _TEXTS if self._veil.hides(getattr(record, name))
        }
        tags = tuple(tag for tag in record.tags if not self._veil.hides(tag))
        contexts = tuple(one for one in record.contexts if not self._context(one))
        metadata = self._metadata(record.metadata)
        if tags != record.tags:
            changed["tags"] = tags
        if contexts != record.contexts:
            changed["contexts"] = contexts
        if metadata != record.metadata:
            changed["metadata"] = metadata
        self._fields = tuple(changed)
        if flow is not None and flow.path is not None and self._veil.hides(flow.path):
            changed["flow"] = msgspec.structs.replace(flow, path=None)
        return msgspec.structs.replace(record, redacted=True, **changed)

    def _context(self, context: ContextPart) -> bool:
        return self._veil.hides({context.kind: context.ref})

    def _metadata(self, metadata: dict[str, Json]) -> dict[str, Json]:
        return {
            name: REDACTED if self._veil.hides({name: value}) else value
            for name, value in metadata.items()
            if not self._veil.hides(name)
        }

    # While it is written

    def events(self, page: Sequence[Event], *, whole: bool) -> list[Event]:
        """Return events without secrets: erased, or with data that shows none."""
        return [self._event(event, whole=whole) for event in page]

    def aside(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the records beside the journal, without what is hidden in them or in the events that set it."""
        for line in lines:
            record = decoded(line)
            if isinstance(record, StateRecord):
                self._held.add(record.key)
                kept = self._state(record)
                if kept is not None:
                    yield encoded(kept)
            elif not isinstance(record, FlowRecord) or not self._files:
                yield line

    def left_out(self) -> RedactedPart:
        """Return what was taken out beside the data of events."""
        deleted = {
            name: seq
            for name, seq in self._deleted.items()
            if name not in self._held and not self._veil.hides(name)
        }
        return RedactedPart(
            keys=tuple(self._keys), deleted=deleted, nodes=self._nodes, fields=self._fields, ans=self._ans
        )

    def _event(self, event: Event, *, whole: bool) -> Event:
        data, kind = event.value(), kind_of(event.type)
        shown = {name: value for name, value in data.items() if name not in kind.hashes}
        if event.erased or kind.fixed or not self._veil.hides(shown):
            return event
        if not whole:
            veiled = self._veil.value(shown)
            assert isinstance(veiled, dict)
            return msgspec.structs.replace(event, data=encode(data | veiled))
        for key, value in sets_of(event).items():
            self._sets.setdefault(key, set()).add(encode(value))
        self._deleted |= deleted_by(event)
        self._nodes |= {seq: node for seq, node in nodes_of(event).items() if not self._veil.hides(node)}
        self._answers.update(map(encode, kind.answer(data)))
        return msgspec.structs.replace(event, data=None, salt=None)

    def _state(self, record: StateRecord) -> StateRecord | None:
        """Return a key of the state without its secret; None when its name is one."""
        if record.key == SYS:
            system = record.value if isinstance(record.value, dict) else {}
            if any(self._veil.hides(value) for name, value in system.items() if name != "ans"):
                raise Refused(
                    "A pending tool call contains data that must be left out.",
                    code="call_under_way",
                    hint="Run the flow until the tool call ends, or export without --redact.",
                )
            ans = system.get("ans")
            if ans is None or not (self._veil.hides(ans) or encode(ans) in self._answers):
                return record
            self._ans = True
            return msgspec.structs.replace(record, value=system | {"ans": REDACTED})
        if self._veil.hides(record.key):
            return None
        value: Json = record.value
        if self._veil.hides({record.key: value}) or encode(value) in self._sets.get(record.key, ()):
            self._keys[record.key] = None
            return msgspec.structs.replace(record, value=REDACTED)
        return record
