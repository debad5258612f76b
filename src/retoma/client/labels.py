"""The verbs that change what is said of a session: its texts, labels, settings and notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from retoma.client import given, public
from retoma.client.faces import Act, verb
from retoma.client.handle import Handle
from retoma.model.changes import Changes
from retoma.model.codec import JsonField
from retoma.service import profiles
from retoma.stores.api import Transaction
from retoma.values import Note


class Labelling(Handle):
    """What is said of a session. Each change is journalled, and waits for no driver."""

    @verb
    def rename(self, title: str, *, key: str | None = None) -> Act[None]:
        """Give it another title, the name that people read, of at most 200 characters.

        Raises Invalid, Refused, NotFound.

        >>> session.rename("Rows with a time zone")
        >>> session.title
        'Rows with a time zone'
        """
        return self._change(Changes(title=title), key)

    @verb
    def describe(self, text: str, *, key: str | None = None) -> Act[None]:
        """Say at length what it is, in at most 4,000 characters; nothing takes it away.

        Raises Invalid, Refused, NotFound.

        >>> session.describe("Reads the export of the old shop. Goal: no row is lost.")
        >>> session.description
        'Reads the export of the old shop. Goal: no row is lost.'
        """
        return self._change(Changes(description=text), key)

    @verb
    def set_id(self, id: str, *, key: str | None = None) -> Act[None]:
        """Give it another id; its history stays, and this handle goes on with the new one.

        Raises Invalid, Conflict when another session bears it, Busy while it is driven, Refused in the trash, NotFound.

        >>> session.set_id("dates")
        >>> session.id
        'dates'
        """
        door, old = self._door, self.id
        operation = door.operation(key, "set_id", [old, id])

        borne = id

        def use_case(tx: Transaction) -> None:
            nonlocal borne
            borne = profiles.rename(tx, door.who, old, id, operation=operation)

        return self._told(use_case, over=True, id=lambda: borne)

    @verb
    def tag(self, *tags: str, key: str | None = None) -> Act[None]:
        """Add tags, words to list by, of at most 100 characters. Raises Invalid, Refused in the trash, NotFound.

        >>> session.tag("week-47", "import")
        >>> session.tags
        ['import', 'week-47']
        """
        return self._change(Changes(tag=tags), key)

    @verb
    def untag(self, *tags: str, key: str | None = None) -> Act[None]:
        """Take tags away; those that it has not are passed over. Raises Refused in the trash, NotFound.

        >>> session.tag("draft")
        >>> session.untag("draft", "never-there")
        >>> session.tags
        []
        """
        return self._change(Changes(untag=tags), key)

    @verb
    def link(self, contexts: given.Contexts, *, key: str | None = None) -> Act[None]:
        """Say what it is about: a mapping of kind to one reference or several, or pairs.

        Raises Invalid, Refused, NotFound.

        >>> session.link({"repository": ["acme/site", "acme/api"], "task": "7"})
        >>> session.contexts
        [('repository', 'acme/api'), ('repository', 'acme/site'), ('task', '7')]
        """
        return self._change(Changes(link=given.contexts(contexts)), key)

    @verb
    def unlink(self, contexts: given.Contexts, *, key: str | None = None) -> Act[None]:
        """Take contexts away; those that it has not are passed over. Raises Refused in the trash, NotFound.

        >>> session.link({"task": ["7", "8"]})
        >>> session.unlink({"task": "7"})
        >>> session.contexts
        [('task', '8')]
        """
        return self._change(Changes(unlink=given.contexts(contexts)), key)

    @verb
    def set_metadata(
        self, values: Mapping[str, JsonField], *, forget: Iterable[str] = (), key: str | None = None
    ) -> Act[None]:
        """Set values for programs, beside those that are there, and take the keys in `forget` away.

        Raises Invalid for what JSON would not give back as it is, Refused in the trash, NotFound.

        >>> session.set_metadata({"priority": 2, "owner": "ana"})
        >>> session.set_metadata({"priority": 3}, forget=["owner"])
        >>> session.metadata
        {'priority': 3}
        """
        return self._change(
            Changes(metadata=given.mapping(values), forget=given.labels(forget, "forget")), key
        )

    @verb
    def set_agent(self, agent: str, *, key: str | None = None) -> Act[None]:
        """Name the agent that answers from the next turn on; nothing means the default one.

        Raises Invalid, Refused once the session is final, NotFound.

        >>> session.set_agent("reviewer")
        >>> session.agent
        'reviewer'
        """
        return self._change(Changes(agent=agent), key)

    @verb
    def set_model(self, model: str, *, key: str | None = None) -> Act[None]:
        """Name the model that is asked from the next turn on; nothing means the agent's own.

        Raises Invalid, Refused once the session is final, NotFound.

        >>> session.set_model("local:small")
        >>> session.model
        'local:small'
        """
        return self._change(Changes(model=model), key)

    @verb
    def set_thinking(self, level: str, *, key: str | None = None) -> Act[None]:
        """Say how hard the model thinks from the next turn on: `off`, `low`, `medium` (normal) or `high` (verbose).

        Nothing takes it away. Raises Invalid, Refused once the session is final, NotFound.

        >>> session.set_thinking("verbose")
        >>> session.thinking
        'high'
        """
        return self._change(Changes(thinking=level), key)

    @verb
    def set_channel(self, channel: str, *, key: str | None = None) -> Act[None]:
        """Name the channel that replies go to; nothing means nowhere.

        Raises Invalid, Refused once it is final, NotFound.

        >>> session.set_channel("slack:C042")
        >>> session.channel
        'slack:C042'
        """
        return self._change(Changes(channel=channel), key)

    @verb
    def pin(self, *, key: str | None = None) -> Act[None]:
        """Show it first in lists. Raises Refused in the trash, NotFound.

        >>> session.pin()
        >>> session.pinned
        True
        """
        return self._change(Changes(pinned=True), key)

    @verb
    def unpin(self, *, key: str | None = None) -> Act[None]:
        """Show it in its turn again. Raises Refused in the trash, NotFound.

        >>> session.pin()
        >>> session.unpin()
        >>> session.pinned
        False
        """
        return self._change(Changes(pinned=False), key)

    @verb
    def archive(self, *, key: str | None = None) -> Act[None]:
        """Leave it out of lists; it is kept whole, and everything else goes on. Raises Refused in the trash, NotFound.

        >>> session.archive()
        >>> [one.id for one in client.list(archived=True)]
        ['demo']
        """
        return self._change(Changes(archived=True), key)

    @verb
    def unarchive(self, *, key: str | None = None) -> Act[None]:
        """Show it in lists again. Raises Refused in the trash, NotFound.

        >>> session.archive()
        >>> session.unarchive()
        >>> session.archived
        False
        """
        return self._change(Changes(archived=False), key)

    @verb
    def note(self, text: str, *, key: str | None = None) -> Act[int]:
        """Add a remark, in whatever status it is but the trash; return its seq. Raises Invalid, Refused, NotFound.

        >>> session.end()
        >>> session.note("All rows are there.")
        3
        """
        door = self._door
        operation = door.operation(key, "note", [self.id, text])
        return self._told(lambda tx: profiles.note(tx, door.who, self.id, text, operation=operation))

    @verb
    def notes(self) -> Act[list[Note]]:
        """Return the remarks, oldest first. Raises NotFound.

        >>> session.note("Waits for the new data.")
        2
        >>> [note.text for note in session.notes()]
        ['Waits for the new data.']
        """
        return self._work(lambda: [public.note(one) for one in self._door.calls.notes(self.id)])

    def _change(self, changes: Changes, key: str | None) -> Act[None]:
        door = self._door
        operation = door.operation(key, "update", [self.id, changes])

        def use_case(tx: Transaction) -> None:
            profiles.update(tx, door.who, self.id, changes, operation=operation)

        return self._told(use_case)
