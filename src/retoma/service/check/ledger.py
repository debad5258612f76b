"""What a journal says of its session's rows, event by event. What events that were erased or cut said is not known."""

from __future__ import annotations

import sys
from typing import Any, Final

import msgspec

from retoma.model import event as kinds
from retoma.model.call import result_sets
from retoma.model.changes import applied
from retoma.model.codec import Json
from retoma.model.event import Event
from retoma.model.fold import TOKENS, Folded, apply, nodes_of
from retoma.model.ids import SessionId, SessionKey
from retoma.model.payload import KNOWN, prove
from retoma.model.redaction import REDACTED
from retoma.model.session import ARCHIVED, PROPERTIES, SHOWN, TRASHED, About, Session
from retoma.stores.sql.journal import LISTED_EVERY_MS

TEXTS: Final = PROPERTIES
PROFILE: Final = frozenset(
    {*TEXTS, "description", "metadata", "tags", "contexts", "pinned", "archived", "trashed", "template"}
)
_LOSES: Final[dict[str, frozenset[str]]] = {
    kinds.CREATED: PROFILE,
    kinds.UPDATED: PROFILE,
    kinds.STATUS: frozenset({"status", "reason"}),
    kinds.MESSAGE: frozenset(TOKENS),
    kinds.FLOW_STARTED: frozenset({"flow", "flow_version", "flow_status"}),
    kinds.FLOW_INPUT: frozenset({"flow_status"}),
    kinds.FLOW_STEP: frozenset({"flow_status"}),
    kinds.FLOW_END: frozenset({"flow_status"}),
    kinds.TOOL_CALL: frozenset({"flow_status"}),
    kinds.TOOL_RESULT: frozenset({"flow_status"}),
}
"""What is not known any more once an event of a type is erased."""
_ROLLS: Final = (kinds.FLOW_ROLLBACK, kinds.TOOL_CALL, kinds.TOOL_RESULT, kinds.FLOW_END)
"""The types that shorten a history, in a rollback."""
_HISTORY: Final = frozenset({"history", "flow_node", "flow_visits"})


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
        prove(event)
        self.first_at = event.at if self.first_at is None else self.first_at
        self.made_at = event.at if self.made_at is None or event.type == kinds.FORKED else self.made_at
        self.last_at = event.at
        self.lately = {at for at in self.lately if 0 <= event.at - at < LISTED_EVERY_MS} | {event.at}
        self.foreign |= event.type not in KNOWN
        before = _under_way(self.folded)
        data = event.value()
        apply(self.folded, event, data)
        # An epoch that begins has no state at all.
        changed = event.type != kinds.RESET and before != _under_way(self.folded)
        if event.type == kinds.RESET:
            self._reset(event, data)
        elif event.type == kinds.FORKED:
            self._forked(event, data)
        elif event.erased:
            self.erased += 1
            self.unexplained.add(event.seq)
            self.unknown |= _LOSES.get(event.type, frozenset())
            if event.type == kinds.FLOW_STEP:
                self.untold[str(len(self.history))] = event.seq
                self.history.append(None)
            elif event.type == kinds.NOTE:
                self.notes.append(event.seq)
        else:
            self._learn(event, data)
        self._keys(event, data, changed=changed)
        self._roll(event, data)

    def _learn(self, event: Event, data: dict[str, Json]) -> None:
        match event.type:
            case kinds.CREATED:
                self._created(data)
            case kinds.UPDATED:
                self._updated(event.at, data)
            case kinds.STATUS:
                self.unknown -= {"status", "reason"}
            case kinds.ERASED:
                self._forget(data)
                self._tell(nodes_of(event))
            case kinds.NOTE:
                self.notes.append(event.seq)
            case kinds.FLOW_STARTED | kinds.FLOW_VERSION:
                self.flow_version = str(data.get("version", ""))
                self.unknown.discard("flow_version")
                if event.type == kinds.FLOW_STARTED:
                    self.unknown.discard("flow")
                elif "node" in data and self.history:
                    self.history[-1] = str(data["node"])
            case kinds.FLOW_STEP:
                self.history.append(sys.intern(str(data["node"])))
                self.unknown.discard("flow_status")
            case kinds.FLOW_END | kinds.TOOL_CALL | kinds.TOOL_RESULT | kinds.FLOW_ROLLBACK:
                self.unknown.discard("flow_status")
            case _:
                pass

    def _roll(self, event: Event, data: dict[str, Json]) -> None:
        """Follow a rollback, which shortens the history."""
        if event.type == kinds.FLOW_ROLLBACK:
            self.rolls = True
        if not self.rolls or event.type not in _ROLLS:
            return
        if event.erased:
            self.unknown |= _HISTORY
        elif event.type == kinds.TOOL_CALL and isinstance(at := data.get("at"), int):
            del self.history[at:]
        elif event.type in (kinds.FLOW_ROLLBACK, kinds.TOOL_RESULT):
            del self.history[-1:]
        elif event.type == kinds.FLOW_END and data.get("rolled_back"):
            self.history = []
            self.unknown -= _HISTORY

    def _created(self, data: dict[str, Any]) -> None:
        said = {name: data[name] for name in (*TEXTS, "description") if name in data}
        links = [(kind, ref) for kind, ref in data.get("contexts", ())]
        change = {
            "set": said,
            "tag": data.get("tags", ()),
            "link": links,
            "metadata": data.get("metadata", {}),
        }
        self.row, self.about = applied(self.row, self.about, change)
        self.template = str(data.get("template", ""))

    def _updated(self, at: int, data: dict[str, Any]) -> None:
        self.row, self.about = applied(self.row, self.about, data)
        new = data.get("set", {})
        self.unknown -= set(new)
        if "trashed" in new:
            self.shelf = TRASHED if new["trashed"] else SHOWN
            self.trashed_at = at
            self.unknown.discard("archived")
        elif "archived" in new:
            self.shelf = ARCHIVED if new["archived"] else SHOWN

    def _forget(self, data: dict[str, Any]) -> None:
        self.unexplained -= set(data.get("events", ()))
        for name in data.get("fields", ()):
            if name in TEXTS or name == "description":
                self.row, self.about = applied(self.row, self.about, {"set": {name: REDACTED}})
                self.unknown.discard(name)
            elif name == "reason":
                self.folded.reason = REDACTED
            else:
                self.unknown.add(name)

    def _tell(self, nodes: dict[str, str]) -> None:
        """Learn which nodes erased steps entered. A place that was entered anew since is another step's."""
        for at, seq in self.places() if nodes else ():
            self.history[at] = nodes.get(str(seq), self.history[at])

    def places(self) -> list[tuple[int, int]]:
        """Return the places of the history, from 0, whose node is not known, each with the seq of its step."""
        untold = [(int(place), seq) for place, seq in self.untold.items()]
        return [(at, seq) for at, seq in untold if at < len(self.history) and self.history[at] is None]

    def _reset(self, event: Event, data: dict[str, Any]) -> None:
        self.epochs.append((self.folded.epoch, str(data.get("uid", "")), event.seq, event.at))
        self.history, self.untold, self.set_at, self.group, self.answered = [], {}, {}, set(), False
        self.flow_version, self.rolls = "", False
        self.unknown -= {"status", "reason", "flow", "flow_version", "flow_status", *_HISTORY, *TOKENS}

    def _forked(self, event: Event, data: dict[str, Any]) -> None:
        """A fork is active and shown, whatever its past was, and goes on in its epoch under a uid of its own."""
        self.fork = event.seq - 1, str(data.get("uid", ""))
        self.row = msgspec.structs.replace(self.row, pinned=False, archived=False)
        self.shelf, self.trashed_at = SHOWN, 0
        self.unknown -= {"status", "reason", "pinned", "archived", "trashed"}
        if self.epochs:
            number, _, first, at = self.epochs[-1]
            self.epochs[-1] = number, str(data.get("epoch_uid", "")), first, at

    def _keys(self, event: Event, data: dict[str, Any], *, changed: bool) -> None:
        """Follow which keys the events of one write set: their rows name the last event of it."""
        erasing = event.type == kinds.ERASED
        if event.write != self.write or erasing:
            self.write, self.group = event.write, set()
        if erasing:
            keys = set(data.get("keys", ())) | ({"sys"} if _of_system(data) else set())
        else:
            keys = set(data["set"]) if _sets(event, data) else set()
            if event.type == kinds.TOOL_RESULT and not event.erased:
                keys |= result_sets(data).keys()
            if changed or (event.type in kinds.ANSWERS and not event.erased):
                keys.add("sys")
        self.answered |= "sys" in keys
        self.group |= keys
        for key in self.group:
            self.set_at[key] = event.seq


def _under_way(folded: Folded) -> tuple[object, object, object]:
    return folded.call, folded.came, folded.rollback


def _of_system(data: dict[str, Any]) -> bool:
    return any(data.get(name) for name in ("ans", "call", "rollback"))


def _sets(event: Event, data: dict[str, Any]) -> bool:
    """Return whether the event's `set` is one of the state; that of a `session.updated` is not."""
    return isinstance(data.get("set"), dict) and not event.type.startswith("session.")
