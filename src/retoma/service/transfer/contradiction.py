"""Rows that say another thing than their journal: refused before anybody reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from retoma.errors import Integrity, Invalid
from retoma.model.codec import encode
from retoma.model.ids import SessionKey
from retoma.model.ledger import Ledger
from retoma.service.check.rows import Row, Unlike
from retoma.stores.contract.store import Transaction

_MOST: Final = 20
_LONGEST: Final = 80


def row_of(tx: Transaction, key: SessionKey, **instead: Any) -> Row:
    """Return the session's row, with some columns as they are to be compared."""
    row = tx.audit.session(key)
    assert row is not None, "it was written in this transaction"
    return {**row, **instead}


def unexplained(ledger: Ledger) -> Iterator[str]:
    """Yield which events are empty although no event says that they were erased."""
    for seq in sorted(ledger.unexplained)[:_MOST]:
        yield f"event {seq:,} is empty, but there is no record that it was erased"


def untrue_in_file(found: Iterable[str | Unlike]) -> None:
    """Raise Integrity when a file contradicts its own journal, with the first value and all that differs."""
    said = [*islice(found, _MOST)]
    if said:
        raise Integrity(
            f"The file contradicts its own journal: {_shown(said[0])}.",
            code="damaged_export",
            hint="Nothing was imported. Export the session again, or copy the file from its source again.",
            differences=[str(one) for one in said],
        )


def untrue_here(session: str, found: Iterable[str | Unlike]) -> None:
    """Raise Integrity when the rows of a session here differ from its journal."""
    said = [*islice(found, _MOST)]
    if said:
        raise Integrity(
            f"Session '{session}' is damaged here: {said[0]}.",
            code="damaged_session",
            hint="Nothing was changed. `retoma store check` shows the damage and what to do.",
            session=session,
            differences=[str(one) for one in said],
        )


def _shown(one: str | Unlike) -> str:
    if isinstance(one, str):
        return one
    return f"{one.said} (the file has {_short(one.kept)}, the journal {_short(one.journal)})"


def _short(value: object) -> str:
    try:
        text = encode(value.hex() if isinstance(value, bytes) else value).decode()
    except Invalid:
        text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
