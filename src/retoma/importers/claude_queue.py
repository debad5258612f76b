"""What the user of Claude Code typed while it worked: it waits in a queue, and is taken up in the middle of a turn.

The tool writes such a message twice (an entry of its queue, an attachment) or once. Here it is a message once.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from retoma.importers.claude_entry import is_typed, prompt_of
from retoma.model.codec import Json
from retoma.service.transfer.foreign import listed, mapping, words


class Queue:
    """`taken_up` has the content of each such message, by the number of the record that it is."""

    def __init__(self) -> None:
        self.taken_up: dict[int, Json] = {}
        self._waiting: list[Json] = []
        self._typed: Counter[str] = Counter()
        self._shown: Counter[str] = Counter()
        self._removed: defaultdict[str, list[int]] = defaultdict(list)

    def note(self, number: int, value: dict[str, Json]) -> int | None:
        """Take the next record. Return the number of one that is no message, because this is the same message."""
        if value.get("type") == "queue-operation":
            self._operation(number, words(value.get("operation")), value)
            return None
        content = _attached(value)
        return None if content is None else self._attachment(number, content)

    def _operation(self, number: int, operation: str, value: dict[str, Json]) -> None:
        content = value.get("content")
        match operation:
            case "enqueue":
                self._typed[_text(content)] += 1
                self._waiting.append(content)
            case "dequeue":
                del self._waiting[:1]
            case "popAll":
                self._waiting.clear()
            case "remove":
                content = self._out(content)
                text = _text(content)
                again = 0 < self._typed[text] <= self._shown[text]
                if value.get("reason") == "absorbed_mid_turn" and prompt_of(content) and not again:
                    self._shown[text] += 1
                    self._removed[text].append(number)
                    self.taken_up[number] = content

    def _out(self, content: Json) -> Json:
        """Take out of the queue what is removed: it is named, or the one that waits longest."""
        if not content:
            return self._waiting.pop(0) if self._waiting else None
        if content in self._waiting:
            self._waiting.remove(content)
        return content

    def _attachment(self, number: int, content: Json) -> int | None:
        self.taken_up[number] = content
        text = _text(content)
        if not self._removed[text] or self._typed[text] > self._shown[text]:
            self._shown[text] += 1
            return None
        same = self._removed[text].pop(0)
        del self.taken_up[same]
        return same


def _attached(value: dict[str, Json]) -> Json | None:
    """Return the message that an attachment is; None when it is something else, such as a notice of the tool."""
    attachment = mapping(value.get("attachment"))
    is_prompt = attachment.get("type") == "queued_command" and attachment.get("commandMode") == "prompt"
    typed = is_typed(value) and is_typed(attachment)
    content = attachment.get("prompt")
    return (
        content if value.get("type") == "attachment" and is_prompt and typed and prompt_of(content) else None
    )


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content.strip()
    return "\n".join(words(mapping(block).get("text")) for block in listed(content)).strip()
