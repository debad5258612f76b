"""Messages of OpenAI: Chat Completions, in both directions; items of Responses and of its agents, taken in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from retoma.errors import Invalid
from retoma.importers import responses
from retoma.model.codec import JsonField, encode
from retoma.model.exact import decode_exact
from retoma.model.message import (
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    role,
)  # fmt: skip
from retoma.shapes.difference import Shape, applied, left_over, mapping, needed, said

__all__ = ["dump", "load"]

_KIND: Final = "openai"
_ROLES: Final = {"developer": "system", "function": "tool"}
_NAME: Final = re.compile(r"[^\s<|\\/>]+")


def load(messages: Iterable[object]) -> list[Shape]:
    """Return messages of OpenAI as `append_many` takes them. Raises Invalid that names the message and the key.

    >>> session.append_many(retoma.shapes.openai.load([{"role": "developer", "content": "Be brief."}]))
    [2]
    >>> retoma.shapes.openai.dump(session.messages())
    [{'role': 'developer', 'content': 'Be brief.'}]
    """
    return [_load(mapping(one, number), number) for number, one in enumerate(messages, 1)]


def dump(messages: Iterable[Message], *, reasoning: bool = False) -> list[Shape]:
    """Return messages as Chat Completions takes them; read them with `session.messages(tools=True)`.

    With `reasoning`, reasoning is given out as `reasoning_content`, which some servers take.

    >>> session.append("assistant", retoma.types.ToolCall("1", "count", {"month": 3}))
    2
    >>> retoma.shapes.openai.dump(session.messages(tools=True))[0]["tool_calls"][0]["function"]["arguments"]
    '{"month":3}'
    """
    return [shown for message in messages for shown in _dump(message, reasoning=reasoning)]


def _load(given: Shape, number: int) -> Shape:
    if "type" in given and responses.kind_of(given) in responses.KNOWN:
        item = responses.said(given)
        return {"role": item.role, "content": list(item.parts), "sender": item.sender}
    theirs = needed(given, "role", number)
    ours = role(_ROLES.get(theirs, theirs))
    name = given.get("name")
    sender = name if isinstance(name, str) and _NAME.fullmatch(name) and ours != "tool" else ""
    parts = list(_parts(given, ours))
    content = given.get("content")
    loaded: Shape = {"role": ours, "content": parts, "sender": sender}
    if isinstance(content, str) and parts == [Text(content)]:
        loaded["content"], shown = content, _message(ours, (), content, sender)
    else:
        shown = _shown(ours, parts, sender)
    if parts and not left_over(given, shown):
        return loaded
    left = left_over(given, _shown(ours, [*parts, Opaque(_KIND, {})], sender))
    return loaded | {"content": [*parts, Opaque(_KIND, left)]}


def _parts(given: Shape, ours: str) -> Iterator[Part]:
    content = given.get("content")
    if ours == "tool":
        if isinstance(given.get("tool_call_id"), str):
            yield ToolResult(given["tool_call_id"], content)
        elif isinstance(content, str):
            yield Text(content)
        return
    if isinstance(reasoning := given.get("reasoning_content"), str):
        yield Reasoning(reasoning)
    if isinstance(content, str):
        yield Text(content)
    for block in content if isinstance(content, list) else ():
        yield from _of_block(block)
    for call in given.get("tool_calls") or ():
        yield from _of_call(call)


def _of_block(block: JsonField) -> Iterator[Part]:
    match block:
        case {"type": "text", "text": str(text)}:
            yield Text(text)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            yield Image(url)
        case {"type": "file", "file": {"file_id": str(id)}}:
            yield File(id)


def _of_call(call: JsonField) -> Iterator[Part]:
    match call:
        case {"id": str(id), "function": {"name": str(name), "arguments": str(text)}}:
            try:
                arguments = decode_exact(text)
            except Invalid:  # a model may write anything: the text stands in the difference
                arguments = None
            yield ToolCall(id, name, arguments if isinstance(arguments, dict) else {})


def _dump(message: Message, *, reasoning: bool) -> Iterator[Shape]:
    parts = message.parts
    own = [part.raw for part in parts if isinstance(part, Opaque) and part.kind == _KIND]
    kept = [part for part in parts if reasoning or not isinstance(part, Reasoning) or own]
    if not parts:
        yield _message(message.role, (), message.text, message.sender)
    elif own:
        shown = applied(_shown(message.role, kept, message.sender), own[0])
        if not reasoning:
            shown.pop("reasoning_content", None)
        yield shown
    else:
        results = [part for part in kept if isinstance(part, ToolResult)]
        yield from (_result(part) for part in results)
        if len(results) < len(kept):
            others = [part for part in kept if part not in results]
            yield _shown("user" if message.role == "tool" else message.role, others, message.sender)


def _shown(ours: str, parts: Sequence[Part], sender: str) -> Shape:
    """Return the message that parts are, as OpenAI's programs write it."""
    first = parts[0] if parts else None
    if ours == "tool" and isinstance(first, ToolResult):
        return _result(first)
    blocks = [block for part in parts for block in _block(part)]
    alone = len(blocks) == 1 and blocks[0]["type"] == "text" and len(parts) > 1
    return _message(ours, parts, blocks[0]["text"] if alone else blocks or None, sender)


def _message(ours: str, parts: Sequence[Part], content: JsonField, sender: str) -> Shape:
    shown: Shape = {"role": ours, "content": content}
    if sender and _NAME.fullmatch(sender):
        shown["name"] = sender
    if thought := "\n".join(part.text for part in parts if isinstance(part, Reasoning)):
        shown["reasoning_content"] = thought
    if calls := [_call(part) for part in parts if isinstance(part, ToolCall)]:
        shown["tool_calls"] = calls
    return shown


def _result(part: ToolResult) -> Shape:
    return {"role": "tool", "tool_call_id": part.id, "content": said(part.result, part.error)}


def _call(part: ToolCall) -> Shape:
    function = {"name": part.name, "arguments": encode(part.arguments).decode()}
    return {"id": part.id, "type": "function", "function": function}


def _block(part: Part) -> Iterator[Shape]:
    match part:
        case Text():
            yield {"type": "text", "text": part.text}
        case Image():
            yield {"type": "image_url", "image_url": {"url": part.artifact}}
        case File():
            yield {"type": "file", "file": {"file_id": part.artifact}}
