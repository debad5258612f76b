"""A session's properties, changed: its texts, labels, settings and notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from retoma.client import given
from retoma.client.faces import Blocking
from retoma.client.handle import Handle
from retoma.commands.session import AddNote, ListNotes, RenameSession, UpdateSession
from retoma.model.changes import Changes
from retoma.model.codec import JsonField
from retoma.types import Note


class Labelling(Handle, Blocking):
    """A session's properties. Each change is journalled, and waits for no driver."""

    def rename(self, title: str, *, key: str | None = None) -> None:
        """Give it another title, the name that people read, of at most 200 characters.

        Raises Invalid, Refused, NotFound.

        >>> session.rename("Rows with a time zone")
        >>> session.title
        'Rows with a time zone'
        """
        self._change(Changes(title=given.text("title", title)), key)

    def describe(self, text: str, *, key: str | None = None) -> None:
        """Say at length what it is, in at most 4,000 characters; nothing takes it away.

        Raises Invalid, Refused, NotFound.

        >>> session.describe("Reads the export of the old shop. Goal: no row is lost.")
        >>> session.description
        'Reads the export of the old shop. Goal: no row is lost.'
        """
        self._change(Changes(description=given.text("text", text)), key)

    def set_id(self, id: str, *, key: str | None = None) -> None:
        """Give it another id; its history stays, and this handle goes on with the new one.

        Raises Invalid, Conflict when another session bears it, Busy while it is driven, Refused in the trash, NotFound.

        >>> session.set_id("dates")
        >>> session.id
        'dates'
        """
        self._saw(self._run(RenameSession(session=self.id, new=id), key))

    def tag(self, *tags: str, key: str | None = None) -> None:
        """Add tags, words to list by, of at most 100 characters. Raises Invalid, Refused in the trash, NotFound.

        >>> session.tag("week-47", "import")
        >>> session.tags
        ['import', 'week-47']
        """
        self._change(Changes(tag=given.labels(tags)), key)

    def untag(self, *tags: str, key: str | None = None) -> None:
        """Take tags away; those that it has not are ignored. Raises Refused in the trash, NotFound.

        >>> session.tag("draft")
        >>> session.untag("draft", "never-there")
        >>> session.tags
        []
        """
        self._change(Changes(untag=given.labels(tags)), key)

    def link(self, contexts: given.Contexts, *, key: str | None = None) -> None:
        """Say what it is about: a mapping of kind to one reference or several, or pairs.

        Raises Invalid, Refused, NotFound.

        >>> session.link({"repository": ["acme/site", "acme/api"], "task": "7"})
        >>> session.contexts
        [('repository', 'acme/api'), ('repository', 'acme/site'), ('task', '7')]
        """
        self._change(Changes(link=given.contexts(contexts)), key)

    def unlink(self, contexts: given.Contexts, *, key: str | None = None) -> None:
        """Take contexts away; those that it has not are ignored. Raises Refused in the trash, NotFound.

        >>> session.link({"task": ["7", "8"]})
        >>> session.unlink({"task": "7"})
        >>> session.contexts
        [('task', '8')]
        """
        self._change(Changes(unlink=given.contexts(contexts)), key)

    def set_metadata(
        self, values: Mapping[str, JsonField], *, forget: Iterable[str] = (), key: str | None = None
    ) -> None:
        """Set values for programs, beside those that are there, and take the keys in `forget` away.

        Raises Invalid for what JSON would not give back as it is, Refused in the trash, NotFound.

        >>> session.set_metadata({"priority": 2, "owner": "ana"})
        >>> session.set_metadata({"priority": 3}, forget=["owner"])
        >>> session.metadata
        {'priority': 3}
        """
        self._change(Changes(metadata=given.mapping(values), forget=given.labels(forget, "forget")), key)

    def set_agent(self, agent: str, *, key: str | None = None) -> None:
        """Name the agent that answers from the next turn on; nothing means the default one.

        Raises Invalid, Refused once the session is final, NotFound.

        >>> session.set_agent("reviewer")
        >>> session.agent
        'reviewer'
        """
        self._change(Changes(agent=given.text("agent", agent)), key)

    def set_model(self, model: str, *, key: str | None = None) -> None:
        """Name the model that is asked from the next turn on; nothing means the agent's own.

        Raises Invalid, Refused once the session is final, NotFound.

        >>> session.set_model("local:small")
        >>> session.model
        'local:small'
        """
        self._change(Changes(model=given.text("model", model)), key)

    def set_thinking(self, level: str, *, key: str | None = None) -> None:
        """Say how hard the model thinks from the next turn on: `off`, `low`, `medium` (normal) or `high` (verbose).

        Nothing takes it away. Raises Invalid, Refused once the session is final, NotFound.

        >>> session.set_thinking("verbose")
        >>> session.thinking
        'high'
        """
        self._change(Changes(thinking=given.text("level", level)), key)

    def set_channel(self, channel: str, *, key: str | None = None) -> None:
        """Name the channel that replies go to; nothing means nowhere.

        Raises Invalid, Refused once it is final, NotFound.

        >>> session.set_channel("slack:C042")
        >>> session.channel
        'slack:C042'
        """
        self._change(Changes(channel=given.text("channel", channel)), key)

    def pin(self, *, key: str | None = None) -> None:
        """Show it first in lists. Raises Refused in the trash, NotFound.

        >>> session.pin()
        >>> session.pinned
        True
        """
        self._change(Changes(pinned=True), key)

    def unpin(self, *, key: str | None = None) -> None:
        """Show it in its turn again. Raises Refused in the trash, NotFound.

        >>> session.pin()
        >>> session.unpin()
        >>> session.pinned
        False
        """
        self._change(Changes(pinned=False), key)

    def archive(self, *, key: str | None = None) -> None:
        """Leave it out of lists; it is kept whole, and everything else goes on. Raises Refused in the trash, NotFound.

        >>> session.archive()
        >>> [one.id for one in client.list(archived=True)]
        ['demo']
        """
        self._change(Changes(archived=True), key)

    def unarchive(self, *, key: str | None = None) -> None:
        """Show it in lists again. Raises Refused in the trash, NotFound.

        >>> session.archive()
        >>> session.unarchive()
        >>> session.archived
        False
        """
        self._change(Changes(archived=False), key)

    def note(self, text: str, *, key: str | None = None) -> int:
        """Add a remark, in whatever status it is but the trash; return its seq. Raises Invalid, Refused, NotFound.

        >>> session.end()
        >>> session.note("All rows are there.")
        3
        """
        seq, whole = self._run(AddNote(session=self.id, text=text), key)
        self._saw(whole)
        return seq

    def notes(self) -> list[Note]:
        """Return the remarks, oldest first. Raises NotFound.

        >>> session.note("Waits for the new data.")
        2
        >>> [note.text for note in session.notes()]
        ['Waits for the new data.']
        """
        return self._run(ListNotes(session=self.id))

    def _change(self, changes: Changes, key: str | None) -> None:
        self._saw(self._run(UpdateSession(session=self.id, changes=changes), key))
