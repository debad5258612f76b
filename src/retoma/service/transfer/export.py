"""Export: a session in one of five formats, streamed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from importlib import import_module

from retoma.errors import Invalid
from retoma.model.principal import Principal
from retoma.model.transfer import Format
from retoma.model.veil import Veil
from retoma.service.transfer.outgoing import Outgoing
from retoma.stores.contract.store import Store
from retoma.stores.sql.legible import legible

FORMATS: tuple[Format, ...] = ("json", "jsonl", "csv", "md", "html")
_WHOLE = ("json", "jsonl")


def export(
    store: Store, who: Principal, session: str, format: Format, *, veil: Veil | None = None
) -> Generator[bytes, None, None]:
    """Return the pieces of a file that holds the session as it stands now, but for what `veil` hides.

    Nothing is kept open between pieces. Raises NotFound, Invalid (the format). While they are read, it raises Integrity
    for a damaged event, and Conflict when the session was cut or deleted meanwhile.
    """
    if format not in FORMATS:
        raise Invalid(
            f"{format!r} is not an export format.",
            code="bad_format",
            hint=f"Formats: {', '.join(FORMATS)}.",
        )
    with legible():
        return _begun(store, who, session, format, veil)


def _begun(
    store: Store, who: Principal, session: str, format: Format, veil: Veil | None
) -> Generator[bytes, None, None]:
    outgoing = Outgoing(store, who, session, whole=format in _WHOLE, veil=veil)
    writer: Callable[[Outgoing], Iterator[bytes]] = import_module(f"retoma.service.transfer.{format}").write
    pieces = _closing(outgoing, writer(outgoing))
    next(pieces)  # begun, so that it closes what it holds also when nobody reads it
    return pieces


def _closing(outgoing: Outgoing, pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    try:
        yield b""
        with legible():
            yield from pieces
    finally:
        outgoing.close()
