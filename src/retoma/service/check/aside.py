"""What is in quarantine: listed, read out as far as it can be read, taken back when it is sound, deleted."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from retoma.errors import Conflict, Integrity, NotFound
from retoma.model.branch import END, Line
from retoma.model.chain import as_written
from retoma.model.codec import encode
from retoma.model.event import Event
from retoma.model.ids import SessionId, SessionKey, session_id
from retoma.model.instant import Instant
from retoma.model.principal import Principal
from retoma.service.check.journal import content_of, is_typed, rows_of
from retoma.service.check.moments import Moments
from retoma.service.check.session import OneSession
from retoma.stores.contract.audit import Quarantined
from retoma.stores.contract.store import Store, Transaction
from retoma.stores.sql.legible import UNREADABLE

_MOST = 1_000
_PAGE = 500
_FIRST = -(1 << 63)


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """What is in quarantine under `number`. `id` is the id that a session had, empty for rows without a session."""

    id: str
    number: int
    at: Instant
    why: str


def asides(tx: Transaction) -> tuple[Aside, ...]:
    """Return what is in quarantine, in the order of the numbers."""
    found: list[Quarantined] = []
    while page := tx.audit.quarantined(after=found[-1].key if found else _FIRST, limit=_MOST):
        found += page
    return tuple(Aside(id=one.id, number=one.key, at=Instant.of(one.at), why=one.why) for one in found)


def aside(tx: Transaction, name: str) -> Aside:
    """Return what is in quarantine under an id or a number. Raises NotFound, and Conflict when several have that id."""
    every = asides(tx)
    found = [one for one in every if one.id == name] or [one for one in every if str(one.number) == name]
    if not found:
        raise NotFound(
            f"There is no '{name}' in quarantine.",
            code="no_session",
            hint="`retoma store quarantine` lists what is.",
        )
    if len(found) > 1:
        numbers = ", ".join(str(one.number) for one in found)
        raise Conflict(
            f"Several sessions in quarantine had the id '{name}'.",
            code="ambiguous",
            hint=f"Give a number: {numbers}.",
        )
    return found[0]


def read_out(store: Store, name: str) -> Iterator[bytes]:
    """Yield lines of JSON: what was found damaged, then each event with whether it is as it was written."""
    one, segments = store.read(lambda tx: _begin(tx, name))
    yield encode({"id": one.id, "number": one.number, "quarantined_at": one.at.text, "why": one.why}) + b"\n"
    for first, last, source in segments:
        after = first - 1
        while page := store.read(partial(_page, source=source, after=after, last=last)):
            yield b"".join(encode(line) + b"\n" for _, line in page)
            if page[-1][0] <= after:
                break  # a damaged tree can lead back
            after = page[-1][0]


def take_back(tx: Transaction, who: Principal, name: str, new_id: str | None) -> SessionId:
    """Take a session out of quarantine, if it is sound: what damaged it was repaired, or was the machine's memory.

    Raises Integrity when it is still damaged, Conflict when its id is taken, NotFound.
    """
    who.may_write()
    one = aside(tx, name)
    key, id = SessionKey(one.number), session_id(new_id or one.id or name)
    if tx.sessions.key(who.tenant, id) is not None:
        raise Conflict(f"Session '{id}' already exists.", code="taken", hint="Give another id with --as.")
    row = tx.audit.session(key)
    if row is not None:
        tx.audit.release(who.tenant, key, id)

    def within(step: Callable[[Transaction], bool | None]) -> bool | None:
        return step(tx)

    check = OneSession(within, key, one.id, Moments(), _say_nothing)
    try:
        sound = row is not None and check.run() and not check.damage
    except UNREADABLE:
        sound = False
    if not sound:
        found = check.damage[0].detail if check.damage else one.why
        raise Integrity(
            f"'{name}' stays in quarantine, because it is damaged: {found}",
            code="damaged_session",
            hint="Import it from a backup, or read what is left of it: `retoma store quarantine export`.",
        )
    return id


def discard(tx: Transaction, who: Principal, name: str) -> Aside:
    """Begin to delete what is in quarantine under an id or a number. Raises NotFound, Conflict."""
    who.may_write()
    one = aside(tx, name)
    tx.erasing.begin()
    tx.audit.discard(who.tenant, SessionKey(one.number))
    return one


def _begin(tx: Transaction, name: str) -> tuple[Aside, Sequence[tuple[int, int, SessionKey]]]:
    one = aside(tx, name)
    key = SessionKey(one.number)
    return one, Line(key, tx.branches.inherited(key), 0, END).segments if one.number > 0 else ()


def _page(
    tx: Transaction, *, source: SessionKey, after: int, last: int
) -> list[tuple[int, dict[str, object]]]:
    rows, wrong = rows_of(tx, source, after, min(last + 1, END), _PAGE)
    lines = [(row[0], _line(tx, row)) for row in rows]
    for seq, _ in wrong:
        lines.append((seq, {"seq": seq, "intact": False}))
    return sorted(lines, key=lambda line: line[0])


def _line(tx: Transaction, row: Sequence[Any]) -> dict[str, object]:
    *fields, content = row
    event = Event(*fields)
    line: dict[str, object] = {"seq": event.seq, "type": event.type, "at": event.at, "actor": event.actor}
    intact = False
    try:
        if content is not None:
            event = msgspec.structs.replace(event, data=content_of(tx, content))
        intact = is_typed(event) and as_written(event) and (content is None or event.data is not None)
        return line | {"intact": intact, "data": event.value() if event.data is not None else None}
    except UNREADABLE:
        raw = event.data if isinstance(event.data, bytes) else b""
        return {name: _plain(value) for name, value in line.items()} | {
            "intact": False, "data": None, "base64": b64encode(raw).decode(),
        }  # fmt: skip


def _say_nothing(read: int) -> None:
    pass


def _plain(value: object) -> object:
    return value if isinstance(value, int | str) else repr(value)
