"""What a journal tells of a session, as an export has it."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from retoma.model.fold import TOKENS
from retoma.model.session import ARCHIVED
from retoma.model.transfer import ContextPart, EpochPart, FlowPart, SessionRecord
from retoma.service.check.ledger import TEXTS, Ledger


def told(record: SessionRecord, ledger: Ledger, epochs: tuple[EpochPart, ...]) -> SessionRecord:
    """Return the record with what a ledger knows in the place of what it says; `epochs` are its epochs."""
    folded, about = ledger.folded, ledger.about
    said: dict[str, object] = {name: getattr(ledger.row, name) for name in (*TEXTS, "pinned")}
    said |= {"status": folded.status, "reason": folded.reason, "template": ledger.template or UNSET}
    said |= {"description": about.description, "metadata": dict(about.metadata), "tags": about.tags}
    said["contexts"] = tuple(ContextPart(kind=kind, ref=ref) for kind, ref in about.contexts)
    if "trashed" not in ledger.unknown:
        said["archived"] = ledger.shelf == ARCHIVED
    known = {name: value for name, value in said.items() if name not in ledger.unknown}
    if not ledger.foreign:
        counts = {name: getattr(folded, name) for name in TOKENS if name not in ledger.unknown}
        known["usage"] = msgspec.structs.replace(record.usage, **counts)
    return msgspec.structs.replace(
        record,
        **known,
        epochs=epochs,
        messages=folded.messages,
        updated_at=ledger.last_at,
        flow=_flow(record.flow, ledger),
    )


def _flow(flow: FlowPart | None, ledger: Ledger) -> FlowPart | None:
    """Return where the flow stands, but for its history."""
    unknown, folded = ledger.unknown, ledger.folded
    if "flow" in unknown:
        return flow
    if folded.flow is None:
        return None
    before = flow or FlowPart(name="", path=None, version=None, node=None, status=None, visits=0)
    said = {
        "name": folded.flow,
        "version": before.version if "flow_version" in unknown else ledger.flow_version or None,
        "status": before.status if "flow_status" in unknown else folded.flow_status,
    }
    return msgspec.structs.replace(before, **said)
