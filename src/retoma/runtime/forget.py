"""Forgetting in stretches, each a short transaction: in a session, and in all that share its past."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from blake3 import blake3

from retoma.errors import Conflict
from retoma.model.ids import Operation
from retoma.model.pattern import Pattern, Unjudged
from retoma.model.principal import Principal
from retoma.runtime.lease import unless_driven
from retoma.service import sessions
from retoma.service.access import head_of, repeated
from retoma.service.forget import erasing
from retoma.service.forget.erasing import Redaction, Selection
from retoma.stores.contract.store import Store, Transaction


def redact(
    store: Store, who: Principal, session: str, selection: Selection, operation: Operation | None
) -> Redaction:
    """Forget what `selection` takes, in no file of the store any more; without an operation only say what it is.

    Sessions that share the events forget them, too, and a pattern is looked for in what forks wrote themselves.
    Raises NotFound, Busy, and Invalid for a pattern that takes too long, before anything is changed.
    """
    before = store.read(partial(_before, who=who, session=session, operation=operation))
    if before is not None and before.after is not None:
        # What came since is not meant: a repeated call completes the first one, and returns all that it took.
        selection = msgspec.structs.replace(selection, last=min(selection.last or before.after, before.after))
    if operation is not None and selection.wanted is not None:
        redact(store, who, session, selection, None)
    found = _redact(store, who, session, selection, operation)
    if before is not None:
        found = erasing.joined(before, found)
    if selection.wanted is not None:
        for fork, first in store.read(partial(erasing.forks_of, who=who, session=session)):
            own = msgspec.structs.replace(selection, first=first)
            found = erasing.with_branch(found, fork, _redact(store, who, fork, own, operation))
    if operation is not None:
        while store.write(erasing.clean_index):
            pass
        store.forget()
    return found


def reset_erasing(store: Store, who: Principal, session: str, operation: Operation) -> int:
    """Begin a new epoch of which nothing comes before, and return its number; forks forget what they share of it.

    What was cut off is due to be purged. Raises NotFound, and Busy while such a fork is driven.
    """
    while True:
        first, last = store.read(partial(erasing.shared, who=who, session=session))
        if last:
            shared = Selection(first=first, last=last)
            # Under an id of its own: the key's is that of the reset, which is still to come.
            apart = Operation(blake3(b"shared" + operation.id).digest(16))
            _redact(store, who, session, shared, apart, fenced=False)
        cut = partial(
            sessions.reset, who=who, session=session, erase=True, forgotten=last, operation=operation
        )
        try:
            return store.write(cut).epoch
        except Conflict as conflict:
            if conflict.code != "forked_meanwhile":
                raise


def _before(tx: Transaction, who: Principal, session: str, operation: Operation | None) -> Redaction | None:
    """Return what the operation took here when it ran before, None if it did not; `after` is its last event."""
    key = head_of(tx, who, session).key
    seqs = repeated(tx, key, operation) if operation is not None else None
    if seqs is None:
        return None
    found = Redaction(after=0)
    for event in tx.journal.read(key, after=seqs[0] - 1, until=seqs[-1] + 1, limit=seqs[-1]):
        if event.seq in seqs:
            found = erasing.joined(found, erasing.said_by(event))
    return msgspec.structs.replace(found, after=seqs[-1])


def _redact(
    store: Store,
    who: Principal,
    session: str,
    selection: Selection,
    operation: Operation | None,
    *,
    fenced: bool = True,
) -> Redaction:
    found = Redaction(after=0)
    end = store.read(partial(head_of, who=who, session=session)).seq
    selection = msgspec.structs.replace(selection, last=min(selection.last or end, end))
    while found.after is not None:
        stretch = partial(erasing.redact, who=who, session=session, selection=selection, after=found.after)
        if operation is None:
            taken = store.read(partial(stretch, operation=None))
        else:
            act = partial(stretch, operation=operation, fenced=fenced)
            taken = _judged_before(store, who, session, act, selection.wanted)
        found = erasing.joined(found, taken)
    return found


def _judged_before(
    store: Store,
    who: Principal,
    session: str,
    act: Callable[..., Redaction],
    wanted: Pattern | None,
) -> Redaction:
    """Write one stretch. What is wanted is looked for before, while others write; then only in what came since."""
    if wanted is None:
        return unless_driven(store, who, session, act)

    def hurried(tx: Transaction) -> Redaction:
        with wanted.hurried():
            return act(tx)

    with wanted.remembering():
        while True:
            store.read(partial(act, operation=None))
            try:
                return unless_driven(store, who, session, hurried)
            except Unjudged as unjudged:
                wanted(unjudged.text)
