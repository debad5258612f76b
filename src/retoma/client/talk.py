"""What is said in a session, and read there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from retoma.client import given
from retoma.client.faces import Blocking
from retoma.client.handle import Handle
from retoma.commands.message import AppendMessage, ReadEvents, ReadMessages
from retoma.model.codec import JsonField
from retoma.types import Event, Message


class Talking(Handle, Blocking):
    """What is said in a session, and read there."""

    def append(
        self,
        role: str,
        content: given.Sayable,
        *,
        sender: str = "",
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        metadata: Mapping[str, JsonField] | None = None,
        key: str | None = None,
        expect: int | None = None,
    ) -> int:
        """Append a message and return its seq, once it is durable. No agent answers.

        `role` is `user`, `assistant`, `system` or `tool`; `content` a text, or parts of `retoma.types`; `sender` a
        name within the role. The session's `usage` adds up `tokens_in` and `tokens_out`; `metadata` are values for
        programs, kept with the message. With `key` (any text) it is appended once, however often the call is repeated:
        the first seq is returned. With `expect` only if the session has that many events.

        Raises Refused unless the session is active, Busy when another drives it, Conflict when `expect` does not hold
        or `key` was used for something else, Invalid for another role, for more than 1 MiB and for what JSON would not
        give back as it is, Limit, NotFound.

        >>> session.append("user", "Which rows fail?", key="question-1")
        2
        >>> session.append("assistant", [retoma.types.Text("Those of March."), retoma.types.Reasoning("By date.")])
        3
        """
        said = content if isinstance(content, str) else given.plain(content)
        asked = AppendMessage(
            session=self._row.id, role=role, content=said, sender=sender, expect=expect,
            extra=given.counted(tokens_in, tokens_out, metadata),
        )  # fmt: skip
        appended = self._run(asked, key)
        self._wrote(appended.head, appended.at, appended.used)
        return appended.seq

    def append_many(
        self, messages: Iterable[given.NewMessage], *, key: str | None = None, expect: int | None = None
    ) -> list[int]:
        """Append messages, all or none, in one transaction; return their seqs. At most 10,000 at a time.

        Each is (role, content), or a mapping with `role`, `content` and perhaps `sender`, `tokens_in`, `tokens_out` and
        `metadata`. `key` and `expect` are those of `append`. It raises as `append` does.

        >>> session.append_many([("user", "Which rows fail?"), {"role": "assistant", "content": "Those of March."}])
        [2, 3]
        """
        from retoma.commands.entries import AppendMessages

        said = tuple(map(given.new_message, messages))
        written = self._run(AppendMessages(session=self.id, messages=said, expect=expect), key)
        self._wrote(written.head, written.at, written.used)
        return list(written.messages)

    def messages(
        self,
        *,
        last: int | None = None,
        since: int = 0,
        before: int | None = None,
        epochs: bool = False,
        tools: bool = False,
    ) -> list[Message]:
        """Return the conversation of the current epoch, oldest first.

        `last` reads that many from its end, `before` a seq those before it, so that pages go backwards; `since` a seq
        leaves out what is not after it. With `epochs` earlier epochs are included. Messages without a visible text
        (tool calls, tool results and reasoning alone) are left out; with `tools` they are included, so that nothing of
        the conversation is missing. Without `last` everything is read.

        Raises NotFound, Integrity when a message is damaged.

        >>> session.append_many([("user", "Which rows fail?"), ("assistant", "Those of March.")])
        [2, 3]
        >>> [f"{message.role}: {message.text}" for message in session.messages(last=50)]
        ['user: Which rows fail?', 'assistant: Those of March.']
        """
        asked = ReadMessages(
            session=self.id, last=last, since=since, before=before, epochs=epochs, tools=tools
        )
        return self._run(asked)

    def events(
        self,
        since: int = 0,
        *,
        types: str | Sequence[str] | None = None,
        last: int | None = None,
        before: int | None = None,
    ) -> Iterator[Event]:
        """Yield the journal after the seq `since`, oldest first, read in pages of 1,000; only of `types`, if given.

        `last` yields that many from its end, `before` a seq those before it, so that pages go backwards.

        Raises NotFound, Integrity when an event is damaged.

        >>> [event.type for event in session.events()]
        ['session.created']
        >>> session.pause()
        >>> [event.data for event in session.events(types="session.status")]
        [{'from': 'active', 'to': 'suspended'}]
        """
        asked = ReadEvents(session=self.id, since=since, types=given.types(types), last=last, before=before)
        yield from self._each(asked)

    def follow(
        self, since: int | None = None, *, types: str | Sequence[str] | None = None
    ) -> Iterator[Event]:
        """Yield the events behind the seq `since` and then those that come, until the session is completed or failed.

        Without `since` it begins behind what this handle knows. A commit of any process wakes who follows; a wake-up
        that is lost costs a second at most. Neither the session nor its writer waits for who follows.

        Raises NotFound (also once it is deleted), Integrity.

        >>> session.append("user", "Is it done?")
        2
        >>> session.end()
        >>> [event.type for event in session.follow(since=1)]
        ['message', 'session.status']
        """
        after = self.head if since is None else since
        asked = ReadEvents(session=self.id, since=after, types=given.types(types), follow=True)
        yield from self._each(asked)
