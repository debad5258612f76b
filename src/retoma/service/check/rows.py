"""A session's rows, held against its journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args

from retoma.model.codec import decode, encode
from retoma.model.events.message import TOKENS
from retoma.model.events.session import TEXTS
from retoma.model.flow import FlowStatus, version_of
from retoma.model.ids import SessionKey, TenantKey
from retoma.model.ledger import Ledger
from retoma.model.redaction import REDACTED
from retoma.model.session import LISTED_EVERY_MS, SHOWN, TRASHED, Status
from retoma.model.state import SYS
from retoma.service.check.copies import copied, same
from retoma.stores.contract.store import Transaction

PAGE: Final = 1_000

Row = Mapping[str, Any]


class Unlike(NamedTuple):
    """A difference with the value in the row and the one that the journal says. As a text it names no value."""

    said: str
    kept: object
    journal: object

    def __str__(self) -> str:
        return self.said


def differences(tx: Transaction, key: SessionKey, row: Row, ledger: Ledger) -> Iterator[str | Unlike]:
    """Yield what of the session's rows differs from its journal, each as the end of a sentence."""
    yield from contradictions(tx, key, row, ledger)
    yield from copied(tx, key, row, ledger)
    yield from _of_fork(tx, key, row, ledger)
    yield from _of_name(tx, key, row)
    yield from _of_notes(tx, key, ledger)
    yield from _of_flow(tx, row)
    yield from _of_lease(tx, key, row)


def contradictions(tx: Transaction, key: SessionKey, row: Row, ledger: Ledger) -> Iterator[str | Unlike]:
    """Yield the differences in what an export says, too: not in the name, what is shared, and who drives."""
    yield from _of_row(row, ledger)
    yield from _of_profile(tx, key, row, ledger)
    yield from _of_labels(tx, key, row, ledger)
    yield from _of_epochs(tx, key, row, ledger)
    yield from _of_state(tx, key, ledger)
    yield from _of_pending(tx, key, ledger)
    yield from _of_history(tx, key, row, ledger)


def _of_row(row: Row, ledger: Ledger) -> Iterator[str | Unlike]:
    folded = ledger.folded
    stands = ledger.history[-1] if ledger.history else None
    wanted: dict[str, object] = {
        "status": folded.status,
        "reason": folded.reason,
        "epoch": folded.epoch,
        "messages": folded.messages,
        "flow": folded.flow,
        "flow_status": folded.flow_status,
        "flow_version": bytes.fromhex(ledger.flow_version) if ledger.flow_version else None,
        "flow_node": stands,
        "flow_visits": len(ledger.history),
        "updated_at": ledger.last_at,
        "template": ledger.template,
    } | {name: getattr(ledger.row, name) for name in TEXTS}
    if row["base_seq"] == 0:
        wanted["created_at"] = ledger.made_at
    if not ledger.foreign:
        wanted |= {name: getattr(folded, name) for name in TOKENS} | {"cost_micros": 0}
    unknown = set(ledger.unknown)
    if ledger.history and stands is None:
        unknown.add("flow_node")
    for name, value in wanted.items():
        if name not in unknown and not same(row[name], value):
            yield Unlike(f"its {_SAID.get(name, name)} differs from its journal", row[name], value)
    for name in unknown & _WORDS.keys():
        # Its event is erased. But a bit that flips makes no other of these words of one.
        if row[name] not in _WORDS[name]:
            yield f"its {_SAID.get(name, name)} is not a valid value"
    # That of one of the last events, or of one that was cut off since.
    known = row["listed_at"] in ledger.lately or (
        row["base_seq"] and row["listed_at"] < (ledger.first_at or 0)
    )
    if not known or not 0 <= row["updated_at"] - row["listed_at"] < LISTED_EVERY_MS:
        yield "the time used to sort lists is not the time of its last event"
    for name, kind in _KINDS.items():
        if type(row[name]) is not kind and row[name] is not None:
            yield f"its {_SAID.get(name, name)} is not a valid value"
    if type(row["pinned"]) is not int or row["pinned"] not in (0, 1):
        yield "its pin is not a valid value"
    if row["shelf"] == TRASHED and "trashed" not in unknown and row["trashed_at"] != ledger.trashed_at:
        yield "the time when it was put in the trash differs from its journal"


_KINDS: Final[dict[str, type]] = (
    dict.fromkeys((*TEXTS, "reason", "template", "flow", "flow_path", "flow_node", "id"), str)
    | dict.fromkeys((*TOKENS, "created_at", "trashed_at", "fence", "epoch", "flow_visits"), int)
    | dict.fromkeys(("flow_version",), bytes)
)
"""What an event that is erased cannot say is of its type at least."""
_WORDS: Final[dict[str, tuple[object, ...]]] = {
    "status": get_args(Status),
    "flow_status": (*get_args(FlowStatus), None),
}
_SAID: Final = {
    "messages": "number of messages",
    "flow_status": "flow's status",
    "flow_version": "flow's version",
    "flow_node": "flow's node",
    "flow_visits": "number of visited nodes",
    "updated_at": "time of the last change",
    "created_at": "time of creation",
    "tokens_in": "number of tokens in",
    "tokens_out": "number of tokens out",
    "tokens_cached": "number of cached tokens",
    "cost_micros": "cost",
}


def _of_fork(tx: Transaction, key: SessionKey, row: Row, ledger: Ledger) -> Iterator[str]:
    """A fork's journal says of which past it goes on, and which session it is."""
    if ledger.fork is not None and ledger.fork[1] != row["uid"].hex():
        yield "its fork properties differ from its journal"
    at, inherited = row["fork_seq"], tx.branches.inherited(key)
    begins = [row["base_seq"] + 1, *(piece.last + 1 for piece in inherited)]
    if any(
        piece.first != first or piece.last < first for piece, first in zip(inherited, begins, strict=False)
    ):
        yield "the ranges of shared events are not contiguous"
    if at is None or row["base_seq"] > at:
        if inherited:
            yield "it reads another session's events, but is not a fork"
    elif ledger.fork is None or ledger.fork[0] != at:
        yield "where it was forked differs from its journal"
    elif not inherited or (inherited[-1].last, inherited[-1].source) != (at, row["fork_of"]):
        yield "its shared events are not those of the session it was forked from"


def _of_name(tx: Transaction, key: SessionKey, row: Row) -> Iterator[str]:
    names = tx.audit.rows("names", key)
    if [*names] != [(row["tenant"], row["id"])]:
        yield "the id that refers to it is not its own" if names else "no id refers to it"


def _of_profile(tx: Transaction, key: SessionKey, row: Row, ledger: Ledger) -> Iterator[str | Unlike]:
    rows = tx.audit.rows("about", key)
    description, metadata = rows[0] if rows else ("", b"{}")
    if "description" not in ledger.unknown and not same(description, ledger.about.description):
        yield Unlike("its description differs from its journal", description, ledger.about.description)
    if not isinstance(metadata, bytes) or not isinstance(known := decode(metadata), dict):
        yield "its metadata cannot be read"
    elif "metadata" not in ledger.unknown and not _same_json(known, ledger.about.metadata):
        yield Unlike("its metadata differs from its journal", known, ledger.about.metadata)
    if "pinned" not in ledger.unknown and row["pinned"] != int(ledger.row.pinned):
        yield "its pin differs from its journal"
    # An export of a session in the trash comes in shown.
    shelves = {ledger.shelf, SHOWN} if ledger.shelf == TRASHED else {ledger.shelf}
    if not ledger.unknown & {"archived", "trashed"} and row["shelf"] not in shelves:
        yield "its archive or trash state differs from its journal"


def _of_notes(tx: Transaction, key: SessionKey, ledger: Ledger) -> Iterator[str]:
    if [seq for (seq,) in tx.audit.rows("notes", key)] != ledger.notes:
        yield "the list of its notes differs from its journal"


def _of_labels(tx: Transaction, key: SessionKey, row: Row, ledger: Ledger) -> Iterator[str | Unlike]:
    tags, contexts = tx.audit.rows("tags", key), tx.audit.rows("contexts", key)
    has, links = [tag for tag, *_ in tags], [(kind, ref) for kind, ref, *_ in contexts]
    if "tags" not in ledger.unknown and has != [*ledger.about.tags]:
        yield Unlike("its tags differ from its journal", has, ledger.about.tags)
    if "contexts" not in ledger.unknown and links != [*ledger.about.contexts]:
        yield Unlike("its contexts differ from its journal", links, ledger.about.contexts)
    place = (row["tenant"], row["pinned"], row["listed_at"])
    if any(tuple(rest) != place for _, *rest in tags) or any(
        tuple(rest) != place for _, _, *rest in contexts
    ):
        yield "its tags and contexts have another place in lists than the session"
    if row["labels"] != len(tags) + len(contexts):
        yield "its number of tags and contexts is wrong"


def _of_epochs(tx: Transaction, key: SessionKey, row: Row, ledger: Ledger) -> Iterator[str]:
    epochs = list(tx.audit.rows("epochs", key))
    later = [(number, bytes.fromhex(uid), first, at, 1) for number, uid, first, at in ledger.epochs]
    if row["base_seq"] == 0:
        first, epochs = epochs[:1], epochs[1:]
        if [(one[0], one[2], one[3]) for one in first] != [(1, 1, ledger.first_at)]:
            yield "its first epoch differs from its journal"
    if epochs != later:
        yield "its epochs differ from its journal"
    begins = ledger.epochs[-1][2] if ledger.epochs else 1
    if row["epoch_seq"] != begins and not (begins == 1 and row["epoch_seq"] == 0):
        yield "the start of its epoch differs from its journal"


def _of_state(tx: Transaction, key: SessionKey, ledger: Ledger) -> Iterator[str | Unlike]:
    wanted: dict[str, Any] = dict(ledger.folded.state)
    if ledger.answered:
        wanted[SYS] = ledger.folded.system
    after: str | None = None
    while page := tx.transfers.state(key, after=after, limit=PAGE):
        for name, value, seq in page:
            if name not in wanted:
                yield f"the key {name!r} of its state is not in its journal"
                continue
            said = encode(wanted.pop(name))
            if not isinstance(value, bytes) or value != said:
                what = f"the value of {name!r} in its state differs from its journal"
                yield Unlike(what, decode(value) if isinstance(value, bytes) else value, decode(said))
            elif seq != ledger.set_at.get(name):
                what = f"the event that set {name!r} in its state differs from its journal"
                yield Unlike(what, seq, ledger.set_at.get(name))
        if after is not None and page[-1][0] <= after:
            yield "the keys of its state are not in order"
            return
        after = page[-1][0]
    # A key whose own name was redacted went without being named.
    for name, value in wanted.items():
        if value != REDACTED:
            yield f"the key {name!r} is missing in its state"


def _of_pending(tx: Transaction, key: SessionKey, ledger: Ledger) -> Iterator[Unlike]:
    rows = sorted((tuple(row) for row in tx.audit.rows("pending", key)), key=repr)
    calls = ledger.folded.calls.values()
    wanted = sorted(((one.id, one.kind, encode(one.what)) for one in calls), key=repr)
    if rows != wanted:
        kept, said = [row[0] for row in rows], [row[0] for row in wanted]
        yield Unlike("the calls that it waits for differ from its journal", kept, said)


def _of_history(tx: Transaction, key: SessionKey, row: Row, ledger: Ledger) -> Iterator[str | Unlike]:
    if "history" in ledger.unknown:
        return
    at = 0
    while page := tx.audit.visits(key, after=at, limit=PAGE):
        for position, node in page:
            at += 1
            known = at <= len(ledger.history)
            if position != at or not known or ledger.history[at - 1] not in (None, node):
                said = ledger.history[at - 1] if known else None
                yield Unlike(f"node {position:,} of its flow's history differs from its journal", node, said)
                return
    if at != len(ledger.history):
        yield "its flow's history has another length than in its journal"


def _of_flow(tx: Transaction, row: Row) -> Iterator[str]:
    version = row["flow_version"]
    stored = tx.flows.version(TenantKey(row["tenant"]), version) if version else None
    if stored is None:
        return  # a session that was imported without its flow's files
    if version_of(stored[1]) != version.hex():
        yield "the files of its flow are not those of the version that it runs"


def _of_lease(tx: Transaction, key: SessionKey, row: Row) -> Iterator[str]:
    lease = tx.leases.get(key)
    if lease is not None and lease.token > row["fence"]:
        yield "its lease has a fencing token that was never issued"


def _same_json(kept: object, wanted: Mapping[str, Any]) -> bool:
    return encode(kept) == encode(dict(wanted)) or _sorted(kept) == _sorted(wanted)


def _sorted(value: Any) -> bytes:
    """Return the JSON of a mapping whatever the order of its keys: changes are laid over in another order elsewhere."""
    return encode({name: value[name] for name in sorted(value)})
