"""A session itself: created, its properties and status, its epochs, what it was forked from, what was erased of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from retoma.model import call as calls
from retoma.model import event as kinds
from retoma.model.call import Call, Rollback
from retoma.model.changes import applied
from retoma.model.event import Event
from retoma.model.events.flow import HISTORY
from retoma.model.events.kind import Data, Kind, Names, Number, Pairs, Uid, Values
from retoma.model.events.message import TOKENS
from retoma.model.redaction import REDACTED
from retoma.model.session import ARCHIVED, PROPERTIES, SHOWN, TRASHED, Status

if TYPE_CHECKING:
    from retoma.model.fold import Folded
    from retoma.model.ledger import Ledger

TEXTS: Final = PROPERTIES
PROFILE: Final = frozenset(
    {*TEXTS, "description", "metadata", "tags", "contexts", "pinned", "archived", "trashed", "template"}
)
_STATUS: Final = frozenset({"status", "reason"})


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """`session.created`."""

    id: str = ""
    template: str = ""
    title: str = ""
    description: str = ""
    agent: str = ""
    model: str = ""
    thinking: str = ""
    channel: str = ""
    parent: str | None = None
    tags: Names = ()
    contexts: Pairs = ()
    metadata: Values = {}
    ttl_ms: Number | None = None


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What a `session.updated` sets."""

    id: str = ""
    title: str = ""
    description: str = ""
    agent: str = ""
    model: str = ""
    thinking: str = ""
    channel: str = ""
    pinned: bool = False
    archived: bool = False
    trashed: bool = False


class Updated(msgspec.Struct, frozen=True, kw_only=True):
    """`session.updated`."""

    set: Fields = Fields()
    tag: Names = ()
    untag: Names = ()
    link: Pairs = ()
    unlink: Pairs = ()
    metadata: Values = {}
    forget: Names = ()


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """`session.status`."""

    to: Status
    reason: str = ""


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """`session.reset`: a new epoch."""

    epoch: Annotated[int, Meta(ge=1, le=1 << 31)]
    uid: Uid
    erased: Number | None = None


class Forked(msgspec.Struct, frozen=True, kw_only=True):
    """`session.forked`."""

    uid: Uid
    of: Uid
    seq: Number
    epoch_uid: Uid
    call_key: str = ""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """`session.erased`: which events were erased, and what that left of the session."""

    events: tuple[Number, ...] = ()
    keys: Names = ()
    deleted: dict[str, Number] = {}
    nodes: dict[str, str] = {}
    fields: Names = ()
    ans: bool = False
    call: Call | None = None
    rollback: Rollback | None = None


# Its properties


def _created(ledger: Ledger, _: Event, data: Data) -> None:
    said = {name: data[name] for name in (*TEXTS, "description") if name in data}
    links = [(kind, ref) for kind, ref in data.get("contexts", ())]
    change = {"set": said, "tag": data.get("tags", ()), "link": links, "metadata": data.get("metadata", {})}
    ledger.row, ledger.about = applied(ledger.row, ledger.about, change)
    ledger.template = str(data.get("template", ""))


def _updated(ledger: Ledger, event: Event, data: Data) -> None:
    ledger.row, ledger.about = applied(ledger.row, ledger.about, data)
    new = data.get("set", {})
    ledger.unknown -= set(new)
    if "trashed" in new:
        ledger.shelf = TRASHED if new["trashed"] else SHOWN
        ledger.trashed_at = event.at
        ledger.unknown.discard("archived")
    elif "archived" in new:
        ledger.shelf = ARCHIVED if new["archived"] else SHOWN


# Its status


def _status(folded: Folded, data: Data) -> None:
    folded.status, folded.reason = str(data.get("to")), str(data.get("reason", ""))


def _changed(ledger: Ledger, *_: object) -> None:
    ledger.unknown -= _STATUS


# A new epoch


def _reset(folded: Folded, data: Data) -> None:
    epoch = data.get("epoch")
    folded.epoch = epoch if isinstance(epoch, int) else folded.epoch + 1
    folded.status, folded.reason, folded.messages = "active", "", 0
    folded.state, folded.history, folded.ans = {}, [], None
    folded.calls, folded.came, folded.rollback = {}, None, None
    folded.flow = folded.flow_status = None
    folded.tokens_in = folded.tokens_out = folded.tokens_cached = 0


def _began(ledger: Ledger, event: Event, data: Data) -> None:
    ledger.epochs.append((ledger.folded.epoch, str(data.get("uid", "")), event.seq, event.at))
    ledger.history, ledger.untold, ledger.set_at, ledger.group = [], {}, {}, set()
    ledger.answered, ledger.flow_version, ledger.rolls = False, "", False
    ledger.unknown -= _STATUS | {"flow", "flow_version", "flow_status"} | HISTORY | {*TOKENS}


# A fork


def _fork(folded: Folded, data: Data) -> None:
    folded.status, folded.reason = "active", ""
    if folded.call is not None and "call_key" in data:
        folded.call = calls.forked(folded.call, str(data["call_key"]))


def _forked(ledger: Ledger, event: Event, data: Data) -> None:
    """A fork is active and shown, whatever its past was, and goes on in its epoch under a uid of its own."""
    ledger.made_at = event.at
    ledger.fork = event.seq - 1, str(data.get("uid", ""))
    ledger.row = msgspec.structs.replace(ledger.row, pinned=False, archived=False)
    ledger.shelf, ledger.trashed_at = SHOWN, 0
    ledger.unknown -= _STATUS | {"pinned", "archived", "trashed"}
    if ledger.epochs:
        number, _, first, at = ledger.epochs[-1]
        ledger.epochs[-1] = number, str(data.get("epoch_uid", "")), first, at


# What was erased


def _forget(folded: Folded, data: Data) -> None:
    for key in data.get("keys") or ():
        folded.state[str(key)] = REDACTED
    for key in data.get("deleted") or ():
        folded.state.pop(key, None)
    if data.get("ans"):
        folded.ans = REDACTED
    call, rollback = data.get("call"), data.get("rollback")
    folded.call = call if isinstance(call, dict) else folded.call
    folded.rollback = rollback if isinstance(rollback, dict) else folded.rollback


def _erased(ledger: Ledger, _: Event, data: Data) -> None:
    ledger.unexplained -= set(data.get("events", ()))
    for name in data.get("fields", ()):
        if name in TEXTS or name == "description":
            ledger.row, ledger.about = applied(ledger.row, ledger.about, {"set": {name: REDACTED}})
            ledger.unknown.discard(name)
        elif name == "reason":
            ledger.folded.reason = REDACTED
        else:
            ledger.unknown.add(name)
    # A place that was entered again since is another step's.
    nodes = data.get("nodes") or {}
    for at, seq in ledger.places() if nodes else ():
        ledger.history[at] = nodes.get(str(seq), ledger.history[at])


def _deleted(_: Event, data: Data) -> dict[str, int]:
    said = data.get("deleted")
    return {name: seq for name, seq in said.items() if isinstance(seq, int)} if isinstance(said, dict) else {}


def _nodes(_: Event, data: Data) -> dict[str, str]:
    said = data.get("nodes")
    return {seq: str(node) for seq, node in said.items()} if isinstance(said, dict) else {}


KINDS: Final = (
    Kind(name=kinds.CREATED, payload=Created, learn=_created, loses=PROFILE),
    Kind(name=kinds.UPDATED, payload=Updated, learn=_updated, loses=PROFILE, beside=True),
    Kind(name=kinds.STATUS, payload=Changed, fold=_status, learn=_changed, loses=_STATUS, step=True),
    Kind(name=kinds.RESET, payload=Reset, fold=_reset, learn=_began, fixed=True),
    Kind(name=kinds.FORKED, payload=Forked, fold=_fork, learn=_forked, fixed=True),
    Kind(
        name=kinds.ERASED, payload=Erased, fold=_forget, lost=lambda _: None, learn=_erased, deletes=_deleted,
        nodes=_nodes,
    ),
)  # fmt: skip
