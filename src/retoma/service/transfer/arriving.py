"""A session of another tool arrives: as a new one, or behind what is here of it. It comes in as an export does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from blake3 import blake3

from retoma.errors import Conflict
from retoma.model import event as kinds
from retoma.model.chain import genesis
from retoma.model.changes import Changes, difference
from retoma.model.codec import Json, encode
from retoma.model.ids import SessionKey
from retoma.model.limits import Limits
from retoma.model.principal import Principal
from retoma.model.session import ARCHIVED, SHOWN, TRASHED, About, Session, in_trash
from retoma.model.transfer import (
    EpochPart,
    Link,
    session_record,
)
from retoma.service.transfer.chaining import Chain
from retoma.service.transfer.foreign import Draft, Foreign, identity, label, named
from retoma.service.transfer.imported import Imported
from retoma.service.transfer.incoming import take_in
from retoma.service.transfer.merging import Merge
from retoma.service.transfer.outgoing import PAGE, Outgoing
from retoma.service.transfer.telling import asides, asides_of, extended, journalled, stream_of
from retoma.stores.contract.store import Listing, Store, Transaction

_MOST_ALIKE: Final = 50


class Here(msgspec.Struct, frozen=True):
    """A session that is here already."""

    session: Session
    about: About
    shelf: int


def arrive(
    store: Store,
    who: Principal,
    foreign: Foreign,
    *,
    name: str | None = None,
    parent: str | None = None,
    limits: Limits | None = None,
) -> Imported:
    """Keep a session of another tool, under `name` if given, below the session `parent` of this store if given.

    What is here of it already is not added again; what was added there since is, unless the session went on here.
    Then it is a Conflict, but with `name`, under which it becomes a session of its own. Raises as `import_` does.
    """
    return _Arrival(store, who, foreign, limits or Limits()).run(name, parent)


class _Arrival:
    def __init__(self, store: Store, who: Principal, foreign: Foreign, limits: Limits) -> None:
        self._store = store
        self._who = who
        self._foreign = foreign
        self._limits = limits

    def run(self, name: str | None, parent: str | None) -> Imported:
        self._who.may_write()
        foreign = self._foreign
        uid = foreign.uid()
        here = self._find(uid)
        merge = self._merged(here) if here is not None else None
        if merge is not None and merge.other and merge.new and name is not None:
            uid = foreign.uid(name)
            here = self._find(uid)
            merge = self._merged(here) if here is not None else None
        if here is None or merge is None:
            return self._anew(uid, name, parent or self._parent())
        if here.shelf == TRASHED:
            raise in_trash(here.session.id)
        if merge.other and merge.new:
            raise _diverged(here.session.id)
        return self._behind(here, merge)

    # What is here

    def _find(self, uid: bytes) -> Here | None:
        return self._store.read(lambda tx: self._here(tx, uid))

    def _parent(self) -> str | None:
        """Return the id here of the session that it belongs to; the one that it would have, when that is not here."""
        tool, id = self._foreign.tool, self._foreign.parent
        if id is None:
            return None
        uid = identity(tool, id)
        found = self._store.read(lambda tx: self._alike(tx, origin(tool, id), uid))
        return found.session.id if found is not None else named(id)

    def _alike(self, tx: Transaction, origin: tuple[str, str], uid: bytes) -> Here | None:
        for shelf in (SHOWN, ARCHIVED, TRASHED):
            alike = Listing(contexts=(origin,), shelf=shelf)
            for session, _ in tx.sessions.list(self._who.tenant, alike, after=None, limit=_MOST_ALIKE):
                if session.uid == uid:
                    return Here(session, tx.sessions.about(session.key), shelf)
        return None

    def _here(self, tx: Transaction, uid: bytes) -> Here | None:
        tenant = self._who.tenant
        alike = self._alike(tx, origin(self._foreign.tool, self._foreign.id), uid)
        if alike is not None:
            return alike
        # Its origin may have been taken from its labels.
        for known in tx.transfers.of_uid(tenant, uid, self._foreign.created_at):
            found = tx.sessions.get(tenant, known.id) if known.shelf in (SHOWN, ARCHIVED, TRASHED) else None
            if found is not None:
                return Here(found, tx.sessions.about(found.key), known.shelf)
        return None

    def _merged(self, here: Here) -> Merge:
        merge = Merge(self._foreign.drafts())
        after = 0
        while page := self._page(here.session.key, after):
            for event in page:
                merge.take(event)
            after = page[-1].seq
        merge.end()
        return merge

    def _page(self, key: SessionKey, after: int) -> list[kinds.Event]:
        return self._store.read(lambda tx: tx.journal.read(key, after=after, limit=PAGE, most_bytes=2 << 20))

    # What comes in

    def _chain(self, seq: int, last: bytes) -> Chain:
        seed = self._store.read(lambda tx: tx.random(32))
        return Chain(seq, last, actor=self._foreign.tool, seed=seed)

    def _anew(self, uid: bytes, name: str | None, parent: str | None) -> Imported:
        foreign = self._foreign
        created = Draft(
            id=foreign.record_id("created"), kind=kinds.CREATED, at=foreign.created_at, data=_created(foreign)
        )
        base = Link(seq=0, hash=genesis(uid).hex())
        with self._chain(0, genesis(uid)) as chain:
            chain.add(created, _profile_id(foreign))
            chain.extend(foreign.drafts())
            epoch = self._store.read(lambda tx: tx.random(16)).hex()
            epochs = [EpochPart(epoch=1, uid=epoch, first_seq=1, began_at=foreign.created_at, reused=False)]
            session, about = journalled(chain, foreign, uid, parent)
            record = session_record(session, about, base, epochs)
            stream = stream_of(record, chain, asides(chain))
            return take_in(self._store, self._who, stream, name=name, limits=self._limits)

    def _behind(self, here: Here, merge: Merge) -> Imported:
        """Put what is new behind the session's journal."""
        session = here.session
        with self._chain(session.seq, session.hash) as chain:
            chain.extend(_chosen(self._foreign.drafts(), merge.new))
            update = self._update(here, merge, chain.ledger.last_at)
            if update is not None:
                chain.add(update)
            if chain.seq == session.seq:
                return Imported(id=session.id, events=session.seq, added=0, outcome="unchanged")
            outgoing = Outgoing(self._store, self._who, session.id, whole=True)
            try:
                record = extended(session, here.about, chain, outgoing.record, update)
                stream = stream_of(record, chain, asides_of(outgoing))
                return take_in(self._store, self._who, stream, limits=self._limits, behind=True)
            finally:
                outgoing.close()

    def _update(self, here: Here, merge: Merge, last_at: int) -> Draft | None:
        """Return what says that the session's profile is another one now; what was set here stays."""
        profile = self._foreign.profile
        if _profile_id(self._foreign) in merge.met:
            return None
        changes = Changes(
            title=profile.title if profile.title and "title" not in merge.owned else None,
            model=profile.model if profile.model and "model" not in merge.owned else None,
            tag=profile.tags,
            link=profile.contexts,
            metadata=profile.metadata,
        )
        data = difference(here.session, here.about, changes)
        if not data:
            return None
        at = max(last_at, here.session.updated_at)
        return Draft(id=_profile_id(self._foreign), kind=kinds.UPDATED, at=at, data=encode(data))


def origin(tool: str, id: str) -> tuple[str, str]:
    """Return the context that says where a session came from."""
    return next(iter(label(tool, id)), (tool, named(id)))


def _created(foreign: Foreign) -> bytes:
    profile = foreign.profile
    contexts: list[Json] = [
        [kind, ref] for kind, ref in sorted({origin(foreign.tool, foreign.id), *profile.contexts})
    ]
    data: dict[str, Json] = {"id": foreign.name, "title": profile.title, "model": profile.model}
    if foreign.parent is not None:
        data["parent"] = foreign.parent
    data |= {
        "tags": [*sorted(profile.tags)],
        "contexts": contexts,
        "metadata": profile.metadata,
    }
    return encode({name: value for name, value in data.items() if value})


def _profile_id(foreign: Foreign) -> bytes:
    return identity(foreign.record_id("profile"), blake3(encode(foreign.profile)).digest())


def _chosen(drafts: Iterator[Draft], numbers: Iterable[int]) -> Iterator[Draft]:
    """Yield the drafts of these numbers, which ascend."""
    wanted = iter(numbers)
    following = next(wanted, None)
    for number, draft in enumerate(drafts):
        if number == following:
            yield draft
            following = next(wanted, None)


def _diverged(session: str) -> Conflict:
    return Conflict(
        f"Session '{session}' has different new events here and in the file.",
        code="diverged",
        hint="Nothing was changed. To keep both, import the file under another id: --as NEW",
        session=session,
    )
