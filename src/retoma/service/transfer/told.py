"""What a journal tells of a session, and what only an export tells because the event that said it is erased."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET

from retoma.model.events.message import TOKENS
from retoma.model.events.session import TEXTS
from retoma.model.ledger import Ledger
from retoma.model.session import ARCHIVED, SHOWN
from retoma.model.transfer import ContextPart, EpochPart, FlowPart, SessionRecord

_ROW: Final = (*TEXTS, "pinned", "archived")


def learn(ledger: Ledger, record: SessionRecord) -> None:
    """Let the ledger have the values of the record for what its events, up to the record's head, cannot say."""
    unknown, folded = ledger.unknown, ledger.folded
    row = {name: getattr(record, name) for name in _ROW if name in unknown}
    ledger.row = msgspec.structs.replace(ledger.row, **row)
    about = {
        "description": record.description,
        "metadata": record.metadata,
        "tags": record.tags,
        "contexts": tuple((one.kind, one.ref) for one in record.contexts),
    }
    about = {name: value for name, value in about.items() if name in unknown}
    ledger.about = msgspec.structs.replace(ledger.about, **about)
    if unknown & {"archived", "trashed"}:
        ledger.shelf = ARCHIVED if record.archived else SHOWN
    if "template" in unknown:
        ledger.template = "" if record.template is UNSET else record.template
    for name in unknown & {"status", "reason"}:
        setattr(folded, name, getattr(record, name))
    for name in unknown & {*TOKENS}:
        setattr(folded, name, getattr(record.usage, name))
    flow = record.flow
    if "flow" in unknown:
        folded.flow = flow.name if flow is not None else None
    if "flow_status" in unknown:
        folded.flow_status = flow.status if flow is not None else None
    if "flow_version" in unknown:
        ledger.flow_version = (flow.version or "") if flow is not None else ""


def told(record: SessionRecord, ledger: Ledger, epochs: tuple[EpochPart, ...]) -> SessionRecord:
    """Return the record with what the ledger has in the place of what it says; `epochs` are its epochs."""
    folded, about = ledger.folded, ledger.about
    row = {name: getattr(ledger.row, name) for name in (*TEXTS, "pinned")}
    usage = record.usage
    if not ledger.foreign:
        usage = msgspec.structs.replace(usage, **{name: getattr(folded, name) for name in TOKENS})
    return msgspec.structs.replace(
        record,
        **row,
        status=folded.status,
        reason=folded.reason,
        archived=ledger.shelf == ARCHIVED,
        template=ledger.template or UNSET,
        description=about.description,
        metadata=dict(about.metadata),
        tags=about.tags,
        contexts=tuple(ContextPart(kind=kind, ref=ref) for kind, ref in about.contexts),
        usage=usage,
        messages=folded.messages,
        updated_at=ledger.last_at,
        epochs=epochs,
        flow=_flow(record.flow, ledger),
    )


def _flow(flow: FlowPart | None, ledger: Ledger) -> FlowPart | None:
    """Return where the flow stands, but for its history."""
    folded = ledger.folded
    if folded.flow is None:
        return None
    before = flow or FlowPart(name="", path=None, version=None, node=None, status=None, visits=0)
    return msgspec.structs.replace(
        before, name=folded.flow, version=ledger.flow_version or None, status=folded.flow_status
    )
