"""What a check found: each damage a sentence that says what, which session, which event, and what to do."""

from __future__ import annotations

from typing import Final

import msgspec

from retoma.model.plain import Mapped
from retoma.model.times import rfc3339
from retoma.stores.contract.audit import Quarantined
from retoma.stores.contract.facts import Witnessed

RESTORE: Final = "Restore a backup, or quarantine the session with `retoma store check --repair`."
INDEX: Final = "index"
"""What damage of the search index is called."""
MOST: Final = 1_000
"""How many findings are listed; more are counted."""


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it was written. `what` is a stable word; `key` is the session's number in the store."""

    what: str
    detail: str
    hint: str = RESTORE
    session: str | None = None
    key: int | None = None
    seq: int | None = None


class Report(msgspec.Struct, Mapped, kw_only=True):
    """What was looked at, and what was found. `sample` is the part of the sessions that was looked at, None for all."""

    sample: float | None = None
    sessions: int = 0
    events: int = 0
    erased: int = 0
    cut: int = 0
    contents: int = 0
    documents: int = 0
    unreferenced: int = 0
    damage: list[Damage] = []
    unlisted: int = 0
    quarantined: list[Quarantined] = []
    witness: Witnessed | None = None

    def _plain(self) -> object:
        return view(self)

    @property
    def whole(self) -> bool:
        return not self.damage

    def add(self, damage: Damage) -> None:
        """List a damage, or count it when there are too many."""
        if len(self.damage) < MOST:
            self.damage.append(damage)
        else:
            self.unlisted += 1


def view(report: Report) -> dict[str, object]:
    """Return the one JSON shape of a report."""
    witness = report.witness
    return {
        "whole": report.whole,
        "sample": report.sample,
        "sessions": report.sessions,
        "events": report.events,
        "erased": report.erased,
        "cut": report.cut,
        "contents": report.contents,
        "documents": report.documents,
        "unreferenced": report.unreferenced,
        "witness": None if witness is None else msgspec.to_builtins(witness),
        "damage": [
            {"what": one.what, "detail": one.detail, "hint": one.hint, "session": one.session, "seq": one.seq}
            for one in report.damage
        ],
        "unlisted": report.unlisted,
        "quarantined": [
            {"id": one.id or None, "at": rfc3339(one.at), "why": one.why} for one in report.quarantined
        ],
    }
