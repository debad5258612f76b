"""A store copied to another, session by session: each is exported, imported, and proved by comparing heads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from retoma.errors import NotFound, RetomaError
from retoma.model.ids import SessionId
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import ARCHIVED, TRASHED
from retoma.service.transfer.export import export
from retoma.service.transfer.incoming import import_
from retoma.stores.contract.store import Store, Transaction

_PAGE: Final = 500
_PASSES: Final = 3
"""How often sessions that were written meanwhile are copied again."""


class NotCopied(msgspec.Struct, frozen=True, kw_only=True):
    """A session that could not be copied, with the error's stable code and its sentence."""

    id: str
    code: str
    detail: str


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a copy: `equal` sessions have the same head in both stores, `copied` of them by this run.

    `changed` are sessions that were written to all the time: their copies are older. Trashed sessions are not copied.
    """

    equal: int
    copied: int
    changed: tuple[str, ...] = ()
    trashed: tuple[str, ...] = ()
    failed: tuple[NotCopied, ...] = ()


def copy(
    source: Store,
    target: Store,
    who: Principal,
    *,
    limits: Limits,
    progress: Callable[[int, int], None] | None = None,
) -> Copied:
    """Copy every session of `source` that is not in `target` as it is; whoever writes meanwhile is not stopped.

    A session that was written after it was copied is copied again, at most three times in all. Killed in the middle, it
    resumes when it is run again: a session with the same head in both is not read.
    """
    who.may_write()
    copied: set[str] = set()
    failed: dict[str, NotCopied] = {}
    for _ in range(_PASSES):
        due = [
            name
            for name in _names(source, who)
            if name not in failed and not _equal(source, target, who, name)
        ]
        if not due:
            break
        for done, name in enumerate(due, 1):
            try:
                _copy_one(source, target, who=who, name=name, limits=limits)
                copied.add(name)
            except NotFound:
                pass  # deleted or renamed meanwhile: the next pass sees what is there
            except RetomaError as error:
                failed[name] = NotCopied(
                    id=name, code=error.code, detail=f"{error.message} {error.hint}".strip()
                )
            if progress is not None:
                progress(done, len(due))
    names = list(_names(source, who))
    equal = {name for name in names if _equal(source, target, who, name)}
    return Copied(
        equal=len(equal),
        copied=len(copied & equal),
        changed=tuple(name for name in names if name not in equal and name not in failed),
        trashed=tuple(_names(source, who, trashed=True)),
        failed=tuple(failed[name] for name in failed if name not in equal),
    )


def _copy_one(source: Store, target: Store, *, who: Principal, name: str, limits: Limits) -> None:
    with tempfile.TemporaryFile() as file:
        for piece in export(source, who, name, "jsonl"):
            file.write(piece)
        file.seek(0)
        import_(target, who, file, limits=limits, erase_too=True)


def _equal(source: Store, target: Store, who: Principal, name: str) -> bool:
    """Return whether both stores have the session with the same last event, and so the same journal."""
    heads = []
    for store in (source, target):
        head = store.read(lambda tx: tx.sessions.head(who.tenant, name))
        heads.append(head and (head.seq, head.hash, head.base))
    return heads[0] is not None and heads[0] == heads[1]


def _names(store: Store, who: Principal, *, trashed: bool = False) -> Iterator[SessionId]:
    """Yield the sessions that are in lists, or in the trash; what belongs to a session comes after it."""
    parents: dict[SessionId, str | None] = {}
    wanted = (TRASHED,) if trashed else range(ARCHIVED + 1)
    after = 0
    while rows := store.read(partial(_page, who=who, after=after)):
        parents |= {id: parent for _, id, parent, shelf in rows if id and shelf in wanted}
        after = rows[-1][0]
    while parents:
        ready = [id for id, parent in parents.items() if parent not in parents] or list(parents)
        yield from ready
        for id in ready:
            del parents[id]


def _page(tx: Transaction, *, who: Principal, after: int) -> list[tuple[int, SessionId, str | None, int]]:
    """Return sessions behind the number `after`: number, id (empty for what is hidden), parent, shelf."""
    rows = []
    for key, name, shelf, _ in tx.audit.sessions(after=after, limit=_PAGE):
        found = tx.sessions.get(who.tenant, name) if shelf <= TRASHED else None
        id, parent = (found.id, found.parent) if found is not None else (SessionId(""), None)
        rows.append((int(key), id, parent, shelf))
    return rows
