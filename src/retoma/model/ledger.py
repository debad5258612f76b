"""What a journal says of its session's rows, event by event. What events that were erased or cut said is unknown."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from retoma.errors import Integrity
from retoma.model import event as kinds
from retoma.model.event import Event
from retoma.model.events import Kind, is_extension, kind_of
from retoma.model.events.session import PROFILE
from retoma.model.fold import Folded, apply, sets_of
from retoma.model.ids import SessionId, SessionKey
from retoma.model.session import LISTED_EVERY_MS, SHOWN, About, Session

_BEGINS: Final = (kinds.RESET, kinds.FORKED)
"""An epoch or a fork begins with it, whatever became of its data."""


class Ledger:
    """What the events so far say. `unknown` names what they cannot say; `foreign` that a later version wrote some.

    `history` has None where the step is erased, until a redaction says its node; `untold` has the seqs of such steps,
    by their places. `set_at` has for each key of the state the event that its row names.
    A fork's journal begins with another's: `made_at` is when it was made, `fork` after which event, and its uid.
    """

    def __init__(self, *, cut: bool) -> None:
        self.folded = Folded()
        self.row = Session(key=SessionKey(0), id=SessionId(""), uid=b"", status="active")
        self.about = About()
        self.unknown: set[str] = set(PROFILE) if cut else set()
        self.shelf, self.trashed_at = SHOWN, 0
        self.history: list[str | None] = []
        self.untold: dict[str, int] = {}
        self.flow_version = ""
        self.set_at: dict[str, int] = {}
        self.answered = False
        self.template = ""
        self.notes: list[int] = []
        self.epochs: list[tuple[int, str, int, int]] = []
        self.unexplained: set[int] = set()
        self.first_at: int | None = None
        self.made_at: int | None = None
        self.fork: tuple[int, str] | None = None
        self.last_at = 0
        self.lately: set[int] = set()
        self.erased = 0
        self.foreign = False
        self.write: tuple[bytes | None, bytes | None] = None, None
        self.group: set[str] = set()
        self.rolls = False

    def copy(self) -> Ledger:
        """Return a ledger that goes another way from here."""
        copied = Ledger(cut=False)
        for name, value in vars(self).items():
            setattr(copied, name, value.copy() if isinstance(value, (list, set, dict)) else value)
        state, history = self.folded.state.copy(), self.folded.history.copy()
        copied.folded = msgspec.structs.replace(self.folded, state=state, history=history)
        return copied

    def take(self, event: Event) -> None:
        """Take the next event. Raises Integrity for data that no event of its type has."""
        kind = kind_of(event.type)
        prove(event, kind)
        self.first_at = event.at if self.first_at is None else self.first_at
        self.made_at = event.at if self.made_at is None else self.made_at
        self.last_at = event.at
        self.lately = {at for at in self.lately if 0 <= event.at - at < LISTED_EVERY_MS} | {event.at}
        self.foreign |= not kind.name and not is_extension(event.type)
        before = _under_way(self.folded)
        data = event.value()
        apply(self.folded, event, data)
        # An epoch that begins has no state at all.
        changed = event.type != kinds.RESET and before != _under_way(self.folded)
        if event.erased and event.type not in _BEGINS:
            self.erased += 1
            self.unexplained.add(event.seq)
            self.unknown |= kind.loses
            kind.missed(self, event)
        else:
            kind.learn(self, event, data)
        self._keys(event, kind, data, changed=changed)

    def places(self) -> list[tuple[int, int]]:
        """Return the places of the history, from 0, whose node is unknown, each with the seq of its step."""
        untold = [(int(place), seq) for place, seq in self.untold.items()]
        return [(at, seq) for at, seq in untold if at < len(self.history) and self.history[at] is None]

    def _keys(self, event: Event, kind: Kind, data: dict[str, Any], *, changed: bool) -> None:
        """Follow which keys the events of one write set: their rows name the last event of it."""
        erasing = event.type == kinds.ERASED
        if event.write != self.write or erasing:
            self.write, self.group = event.write, set()
        if erasing:
            keys = set(data.get("keys", ())) | ({"sys"} if _of_system(data) else set())
        else:
            keys = set(sets_of(event))
            if changed or (kind.answers and not event.erased):
                keys.add("sys")
        self.answered |= "sys" in keys
        self.group |= keys
        for key in self.group:
            self.set_at[key] = event.seq


def prove(event: Event, kind: Kind) -> None:
    """Raise Integrity unless the event's data is what its type has. Erased data, and an unknown type's, is anything."""
    if event.data is None or kind.payload is None:
        return
    if event.type not in _decoders:
        _decoders[event.type] = msgspec.json.Decoder(kind.payload)
    try:
        _decoders[event.type].decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Integrity(
            f"Event {event.seq:,} ({event.type}) is damaged: {str(error) or 'it is nested too deep'}.",
            code="damaged_event",
            hint="Restore a backup. `retoma session log` still prints the undamaged events.",
            seq=event.seq,
        ) from error


_decoders: Final[dict[str, msgspec.json.Decoder[Any]]] = {}


def _under_way(folded: Folded) -> tuple[object, object, object]:
    return folded.call, folded.came, folded.rollback


def _of_system(data: dict[str, Any]) -> bool:
    return any(data.get(name) for name in ("ans", "call", "rollback"))
