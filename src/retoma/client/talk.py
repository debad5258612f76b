"""The verbs of a conversation and its journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retoma.client import given, public
from retoma.client.faces import Act, Batches, stream, verb
from retoma.client.handle import Handle
from retoma.model import event as journal
from retoma.service import timeline
from retoma.values import Event, Message


class Talking(Handle):
    """What is said in a session, and read there."""

    @verb
    def append(
        self,
        role: str,
        content: given.Sayable,
        *,
        sender: str = "",
        key: str | None = None,
        expect: int | None = None,
    ) -> Act[int]:
        """Append a message and return its seq, once it is durable. No agent answers.

        `role` is `user`, `assistant`, `system` or `tool`; `content` a text, or parts of `retoma.parts`; `sender` a
        name within the role. With `key` (any text) it is appended once, however often the call is repeated: the first
        seq is returned. With `expect` only if the session has that many events.

        Raises Refused unless the session is active, Busy when another drives it, Conflict when `expect` does not hold
        or `key` was used for something else, Invalid for another role or more than 1 MiB, Limit, NotFound.

        >>> session.append("user", "Which rows fail?", key="question-1")
        2
        >>> session.append("assistant", [retoma.parts.Text("Those of March."), retoma.parts.Reasoning("By date.")])
        3
        """
        said, plain = given.said(role, content, sender)
        request = [self.id, role, plain, *([sender] if sender else [])]
        operation = self._door.operation(key, "append", request)
        return self._write([said], operation, expect, lambda written: written.messages[0])

    @verb
    def append_many(
        self, messages: Iterable[given.NewMessage], *, key: str | None = None, expect: int | None = None
    ) -> Act[list[int]]:
        """Append messages, all or none, in one transaction; return their seqs. At most 10,000 at a time.

        Each is (role, content), or a mapping with `role`, `content` and perhaps `sender`. `key` and `expect` are those
        of `append`, and so is what it raises.

        >>> session.append_many([("user", "Which rows fail?"), {"role": "assistant", "content": "Those of March."}])
        [2, 3]
        """
        found = [given.new_message(one) for one in messages]
        said = [given.said(by, what, sender) for by, what, sender in found]
        request = [self.id, [[one.role, plain, one.sender] for one, plain in said]]
        operation = self._door.operation(key, "append_many", request)
        return self._write(
            [one for one, _ in said], operation, expect, lambda written: list(written.messages)
        )

    @verb
    def messages(
        self,
        *,
        last: int | None = None,
        since: int = 0,
        before: int | None = None,
        epochs: bool = False,
    ) -> Act[list[Message]]:
        """Return the conversation of the running epoch, oldest first.

        `last` reads that many from its end, `before` a seq those ahead of it, so that pages go backwards; `since` a seq
        leaves out what is not behind it. With `epochs` earlier epochs are read, too. Messages of which nothing was said
        (tool calls and thoughts alone) are left out; `events` has them. Without `last` everything is read.

        Raises NotFound, Integrity when a message is damaged.

        >>> session.append_many([("user", "Which rows fail?"), ("assistant", "Those of March.")])
        [2, 3]
        >>> [f"{message.role}: {message.text}" for message in session.messages(last=50)]
        ['user: Which rows fail?', 'assistant: Those of March.']
        """
        most = (1 << 31) if last is None and before is not None else last
        calls = self._door.calls
        return self._work(
            lambda: [
                public.message(one)
                for one in calls.messages(self.id, last=most, since=since, before=before, epochs=epochs)
            ]
        )

    @stream
    def events(self, since: int = 0, *, types: str | Sequence[str] | None = None) -> Batches[Event]:
        """Yield the journal behind the seq `since`, oldest first, read in pages of 1,000; only of `types`, if given.

        Raises NotFound, Integrity when an event is damaged.

        >>> [event.type for event in session.events()]
        ['session.created']
        >>> session.pause()
        >>> [event.data for event in session.events(types="session.status")]
        [{'from': 'active', 'to': 'suspended'}]
        """
        return self._journal(since, types, follow=False)

    @stream
    def follow(self, since: int | None = None, *, types: str | Sequence[str] | None = None) -> Batches[Event]:
        """Yield the events behind the seq `since` and then those that come, until the session is completed or failed.

        Without `since` it begins behind what this handle knows. What others write comes within a quarter of a second.
        Neither the session nor its writer waits for who follows. Raises NotFound (also once it is deleted), Integrity.

        >>> session.append("user", "Is it done?")
        2
        >>> session.end()
        >>> [event.type for event in session.follow(since=1)]
        ['message', 'session.status']
        """
        return self._journal(self.head if since is None else since, types, follow=True)

    def _journal(self, since: int, types: str | Sequence[str] | None, *, follow: bool) -> Batches[Event]:
        wanted = None if types is None else {types} if isinstance(types, str) else set(types)
        while True:
            page, over = self._following(since)
            if page:
                since = page[-1].seq
                yield [public.event(one) for one in page if wanted is None or one.type in wanted]
            elif over or not follow:
                return
            else:
                yield None

    def _following(self, since: int) -> tuple[list[journal.Event], bool]:
        door = self._door
        return door.read(lambda tx: timeline.following(tx, door.who, self.id, after=since))
