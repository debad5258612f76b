"""A file of any known format → sessions here: each of its sessions tried, and what was met on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

import msgspec

from retoma.errors import Invalid, RetomaError
from retoma.importers.detect import HEAD_BYTES, Format, Source, format_of
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.service.transfer.arriving import arrive
from retoma.service.transfer.foreign import Foreign, Tool, nothing_whole
from retoma.service.transfer.given import Given, looked_at
from retoma.service.transfer.imported import Imported
from retoma.service.transfer.incoming import import_
from retoma.service.transfer.notices import Notice, Notices
from retoma.stores.contract.store import Store


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one session of a file: it is here, or an error says why not."""

    imported: Imported | None = None
    error: RetomaError | None = None


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file: its format, each of its sessions, and what was met in it."""

    format: Format
    sessions: tuple[Brought, ...]
    notices: tuple[Notice, ...] = ()


def bring(
    store: Store,
    who: Principal,
    given: Given,
    *,
    source: Source = "auto",
    name: str | None = None,
    limits: Limits | None = None,
    erase_too: bool = False,
) -> Arrived:
    """Keep the sessions of a file of any format that is known here, under `name` if it is one.

    An export of Retoma raises as `import_` does. Of another tool's file what is whole is kept, and the rest told in
    `notices`; raises Integrity when nothing of it is whole, Invalid when it is of no known format.
    """
    notices = Notices()
    given, head = looked_at(given, HEAD_BYTES, notices)
    format = format_of(head, given.path) if source == "auto" else source
    if format is None and given.packed and not head:
        raise nothing_whole(given.shown)
    if format is None or format == "retoma":
        imported = import_(store, who, given.stream, name=name, limits=limits, erase_too=erase_too)
        return Arrived(format="retoma", sessions=(Brought(imported=imported),))
    if erase_too:
        raise Invalid(
            f"{given.shown} is in the format {format}, which does not record what it erased.",
            code="usage",
            hint="--erase-too works only with Retoma's own exports.",
        )
    given = given._replace(single=name is not None)
    sessions = tuple(_each(store, who, _reader(format)(given, notices), name=name, limits=limits))
    return Arrived(format=format, sessions=sessions, notices=notices.all())


def _each(
    store: Store, who: Principal, found: Iterator[Foreign], *, name: str | None, limits: Limits | None
) -> Iterator[Brought]:
    here: dict[str, str] = {}
    failed: set[str] = set()
    for foreign in found:
        if foreign.parent in failed:
            failed.add(foreign.id)  # it would stand alone; its parent's error is told
            continue
        parent = here.get(foreign.parent) if foreign.parent is not None else None
        wanted = name if foreign.parent is None else None
        try:
            imported = arrive(store, who, foreign, name=wanted, parent=parent, limits=limits)
        except RetomaError as error:
            failed.add(foreign.id)
            yield Brought(error=error)
        else:
            here[foreign.id] = imported.id
            yield Brought(imported=imported)


def _reader(tool: Tool) -> Callable[[Given, Notices], Iterator[Foreign]]:
    module = import_module(f"retoma.importers.{tool.replace('-', '_')}")
    read: Callable[[Given, Notices], Iterator[Foreign]] = module.sessions
    return read
