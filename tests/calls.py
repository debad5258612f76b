"""Commands by id, as methods: what tests of the service call. Each runs one command, and returns its bare result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from unittest.mock import patch

from retoma.commands import branch, checked, due, flow, forget, message, session, store, transfer
from retoma.commands.opened import Opened, opened_at
from retoma.errors import Invalid
from retoma.model.ids import Operation, new_operation
from retoma.runtime.forget import redact
from retoma.service import profiles, sessions, timeline
from retoma.service.search.search import search as found
from retoma.stores.contract.retention import END

__all__ = ["Calls", "client_at"]


class Calls:
    """Sessions in one store, for one principal."""

    def __init__(self, store, who, **facts) -> None:
        self._opened = Opened(store, who, **facts)

    @classmethod
    def of(cls, opened: Opened) -> Calls:
        """Return the calls on a store that somebody else closes."""
        calls = cls.__new__(cls)
        calls._opened = opened
        return calls

    _store = property(lambda self: self._opened.store)
    _who = property(lambda self: self._opened.who, lambda self, who: setattr(self._opened, "who", who))
    _sources = property(lambda self: self._opened.sources)
    _limits = property(
        lambda self: self._opened.limits, lambda self, limits: setattr(self._opened, "limits", limits)
    )
    wrote = property(lambda self: self._opened.wrote)

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *raised) -> None:
        self._opened.__exit__(*raised)

    def close(self) -> None:
        self._opened.close()

    def _operation(self, key, verb, request) -> Operation:
        return Operation(new_operation(self._sources.now(), self._sources.random))

    def _do(self, command, key=None, token=None):
        return command.run(self._opened, key=key, token=token)

    # Sessions

    def resolve(self, name):
        return self._do(session.ResolveSession(text=name))

    def create(self, new, *, template=None, key=None):
        asked = kept(session.CreateSession, new=new, template=template)
        return self._do(asked, key).session.id

    def get(self, name):
        whole = self._do(session.GetSession(session=name))
        return whole and whole.session

    def show(self, name):
        return self._do(session.ShowSession(session=name))

    def list(self, listings, *, after=None, limit=50):
        return self._store.read(lambda tx: sessions.ls(tx, self._who, listings, after=after, limit=limit))

    def count(self, listings, *, most=None):
        return self._store.read(lambda tx: sessions.count(tx, self._who, listings, most=most))

    def change(self, name, to, *, reason="", key=None):
        done = self._do(kept(session.ChangeStatus, session=name, to=to, reason=reason), key)
        return done.old, done.new

    def update(self, name, changes, *, key=None):
        return self._do(session.UpdateSession(session=name, changes=changes), key)

    def set_id(self, name, new, *, key=None):
        return self._do(session.RenameSession(session=name, new=new), key).session.id

    def note(self, name, text, *, key=None):
        return self._do(session.AddNote(session=name, text=text), key)[0]

    def notes(self, name):
        return self._store.read(lambda tx: profiles.notes(tx, self._who, name))

    def trash(self, name, *, key=None):
        self._do(session.TrashSession(session=name), key)

    def restore(self, name, *, key=None):
        self._do(session.RestoreSession(session=name), key)

    def reset(self, name, *, erase=False, key=None):
        if erase:
            asked = forget.EraseEpochs(session=name)
            epoch = asked.work(self._opened, asked.call(self._opened, key, None))
            self.tidy()  # which a test can leave out, as a kill does
            return epoch
        return self._do(session.ResetSession(session=name), key)[0]

    def redact(self, name, selection, *, pattern=None, key=None, dry_run=False):
        stretch = {"first": selection.first, "last": selection.last}
        asked = forget.RedactSession(session=name, pattern=pattern, **stretch, dry_run=dry_run)
        operation = None if dry_run else asked.call(self._opened, key, None).operation
        return redact(self._store, self._who, name, selection, operation)

    def delete(self, name, *, with_forks=False, key=None):
        return self._do(forget.DeleteSession(session=name, with_forks=with_forks), key)

    # Branches

    def fork(self, name, new=None, *, at=None, key=None):
        return self._do(branch.ForkSession(session=name, new=new, at=at), key)

    def undo(self, name, *, token=None, key=None):
        return self._do(branch.UndoSession(session=name), key, token)

    def diff(self, a, b, *, at=None):
        return self._do(branch.DiffSessions(a=a, b=b, at=at))

    def forks(self, name):
        return self._do(branch.ListForks(session=name))

    def tree(self, name, *, most=1_000):
        return self._do(branch.ShowTree(session=name, most=most))

    # The conversation

    def append(self, name, role, content, *, sender="", key=None, expect=None):
        said = {"session": name, "role": role, "content": content, "sender": sender, "expect": expect}
        return self._do(kept(message.AppendMessage, **said), key).seq

    def messages(self, name, *, last=None, since=0, before=None, epochs=False):
        if last is None:
            before = None
        asked = message.ReadMessages(session=name, last=last, since=since, before=before, epochs=epochs)
        return self._do(asked)

    def conversation(self, name, *, since=0, epochs=False) -> Iterator[object]:
        return message.ReadConversation(session=name, since=since, epochs=epochs).run(self._opened)

    def events(self, name, *, since=0) -> Iterator[object]:
        """Yield the chain's own events."""
        while page := self._store.read(partial(timeline.events, who=self._who, session=name, after=since)):
            yield from page
            since = page[-1].seq

    def follow(self, name, *, since=0, wait=None) -> Iterator[object]:
        """Yield what comes; `wait` is called where nothing is there yet."""
        for page in message.ReadEvents(session=name, since=since, follow=True).pages(self._opened):
            if page is None:
                wait()
            yield from page or ()

    def search(self, asked, *, after=None, limit=20):
        return self._store.read(lambda tx: found(tx, self._who, asked, after=after, limit=limit))

    # Flows

    def drive(self, request):
        return self._do(flow.RunFlow(request=request))

    def signal(self, name, sent, *, locale=""):
        return self._do(flow.SendSignal(session=name, name=sent, locale=locale))

    def position(self, name, *, at=None):
        return self._do(flow.LookAtSession(session=name, at=at))

    # Files

    def export(self, name, format="json", *, veil=None) -> Iterator[bytes]:
        return transfer.ExportSession(session=name, format=format, veil=veil).run(self._opened)

    def import_(self, stream, *, name=None, erase_too=False):
        return self._do(transfer.ImportSession(file=stream, name=name, erase_too=erase_too))

    def bring(self, file, *, source="auto", name=None, erase_too=False):
        return self._do(transfer.ImportFrom(file=file, source=source, name=name, erase_too=erase_too))

    # The store

    def check(self, *, sample=None, progress=None):
        return self._do(store.Check(sample=sample, progress=progress))

    def repair(self, report):
        return self._do(store.Repair(report=report))

    def backup(self, file, *, progress=None):
        return self._do(store.BackUp(file=file, progress=progress))

    def contents(self, *, largest=10):
        return self._do(store.ShowContents(largest=largest))

    def facts(self):
        return self._do(store.ShowFacts())

    def preview(self, choice):
        return self._do(due.PreviewPrune(choice=choice))

    def prune(self, choice, *, progress=None) -> Mapping[str, int]:
        return self._do(due.Prune(choice=choice, progress=progress))

    def log(self, *, session=None, since=0, before=None, limit=50) -> Sequence[object]:
        """Return the rows of the store's log."""
        place = before or END

        def read(tx):
            if session is None:
                return tx.log.page(self._who.tenant, since=since, before=place, limit=limit)
            return tx.log.of(self._who.tenant, session, since=since, before=place, limit=limit)

        return self._store.read(read)

    def work_due(self, *, within_s=0.020) -> Mapping[str, int]:
        return self._do(due.WorkDue(within_s=within_s))

    def standing(self):
        return self._do(due.ShowStanding())

    def tidy(self) -> None:
        self._do(due.Tidy())

    def clock_ahead(self):
        return self._do(due.ShowClock())

    def due(self, *, now=False):
        return self._do(due.ShowDue(now=now))

    def collect(self, *, compact=False, now=False):
        return self._do(due.Collect(compact=compact, now=now))


def kept(kind, **fields):
    """Return a command. A text that no face makes any more, and that an import can bring, is let through."""
    try:
        return kind(**fields)
    except Invalid as error:
        if error.code != "bad_text":
            raise
    with patch.object(checked, "check_value"):
        return kind(**fields)


def client_at(place, *, user="") -> Calls:
    """Open the store at `place`, as its local owner."""
    opened = opened_at(place, user=user)
    return Calls(opened.store, opened.who)
