"""Messages of Anthropic's Messages interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from retoma.errors import Invalid
from retoma.model.codec import JsonField
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

_KIND, _BLOCK, _AROUND = "anthropic", "anthropic.block", "anthropic.message"
_ROLES: Final = ("user", "assistant", "system")


def load(messages: Iterable[object], *, system: str | None = None) -> list[Shape]:
    """Return messages of Anthropic as `append_many` takes them. Raises Invalid that names the message and the key.

    Results of tools alone become a message of the role `tool`; the usage of a response becomes tokens.

    >>> call = {"type": "tool_use", "id": "1", "name": "count", "input": {"month": 3}}
    >>> session.append_many(retoma.shapes.anthropic.load([{"role": "assistant", "content": [call]}]))
    [2]
    >>> session.messages(tools=True)[0].tools
    ('count',)
    """
    first: list[Shape] = [] if system is None else [{"role": "system", "content": system}]
    return first + [_load(mapping(one, number), number) for number, one in enumerate(messages, 1)]


def dump(messages: Iterable[Message]) -> dict[str, JsonField]:
    """Return messages as arguments of `messages.create`: `messages`, and `system` where there is one.

    Read them with `session.messages(tools=True)`. Reasoning is given out only with its signature.

    >>> session.append_many([("system", "Be brief."), ("user", "Hello")])
    [2, 3]
    >>> retoma.shapes.anthropic.dump(session.messages())
    {'messages': [{'role': 'user', 'content': 'Hello'}], 'system': 'Be brief.'}
    """
    shown: list[Shape] = []
    system: list[str] = []
    before = ""
    for message in messages:
        if message.role == "system":
            system.append(message.text)
            continue
        content = _content(message)
        if message.role == "tool" and before == "tool":  # results of one turn stand in one message
            shown[-1]["content"] += content
        elif content or isinstance(content, str):
            shown.append({"role": "user" if message.role == "tool" else message.role, "content": content})
        before = message.role
    return {"messages": shown} | ({"system": "\n\n".join(system)} if system else {})


def _load(given: Shape, number: int) -> Shape:
    theirs, content = needed(given, "role", number), given.get("content")
    if theirs not in _ROLES or not isinstance(content, str | list):
        what = "role" if theirs not in _ROLES else "content"
        raise Invalid(f"'{what}' of message {number} is {given.get(what)!r:.60}.", code="bad_message")
    around = {name: value for name, value in given.items() if name not in ("role", "content", "usage")}
    parts: list[Part] = (
        [] if isinstance(content, str) else [part for one in content for part in _of_block(one)]
    )
    if around:
        parts = [*([Text(content)] if isinstance(content, str) else parts), Opaque(_AROUND, around)]
    results = any(isinstance(part, ToolResult) for part in parts)
    alone = results and all(isinstance(part, ToolResult | Opaque) for part in parts)
    said = content if isinstance(content, str) and not around else parts or [Opaque(_AROUND, {})]
    return {"role": "tool" if alone else role(theirs), "content": said} | _tokens(given.get("usage"))


def _tokens(usage: JsonField) -> Shape:
    if not isinstance(usage, dict):
        return {}
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = [usage.get(name) or 0 for name in names]
    return {"tokens_in": sum(counts), "tokens_out": usage.get("output_tokens")}


def _of_block(block: JsonField) -> Iterator[Part]:
    part = _part(block)
    if part is None:
        yield Opaque(_BLOCK, block)
        return
    yield part
    if left := left_over(block, _block(part)):
        yield Opaque(_KIND, left)


def _part(block: JsonField) -> Part | None:
    part: Part | None = None
    match block:
        case {"type": "text", "text": str(text)}:
            part = Text(text)
        case {"type": "thinking", "thinking": str(text)}:
            part = Reasoning(text)
        case {"type": "tool_use", "id": str(id), "name": str(name), "input": dict(given)}:
            part = ToolCall(id, name, given)
        case {"type": "tool_result", "tool_use_id": str(id)}:
            error = "failed" if block.get("is_error") is True else ""
            part = ToolResult(id, block.get("content"), error)
        case {"type": "image" | "document" as kind, "source": dict(source)}:
            made = Image if kind == "image" else File
            match source:
                case {"type": "base64", "media_type": str(mime), "data": str(data)}:
                    part = made(f"data:{mime};base64,{data}", mime)
                case {"type": "url", "url": str(url)}:
                    part = made(url)
    return part


def _block(part: Part) -> Shape:
    shown: Shape = {}
    match part:
        case Text():
            shown = {"type": "text", "text": part.text}
        case Reasoning():
            shown = {"type": "thinking", "thinking": part.text}
        case ToolCall():
            shown = {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
        case ToolResult():
            content = said(part.result, part.error)
            shown = {"type": "tool_result", "tool_use_id": part.id, "content": content}
            shown |= {"is_error": True} if part.error else {}
        case Image() | File():
            head, _, data = part.artifact.partition(";base64,")
            source = {"type": "url", "url": part.artifact}
            if head.startswith("data:") and data:
                source = {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
            shown = {"type": "image" if isinstance(part, Image) else "document", "source": source}
    return shown


def _content(message: Message) -> JsonField:
    if not message.parts:
        return message.text
    around = any(isinstance(part, Opaque) and part.kind == _AROUND for part in message.parts)
    plain = [part for part in message.parts if not isinstance(part, Opaque)]
    if around and len(message.parts) == 2 and len(plain) == 1 and isinstance(plain[0], Text):
        return plain[0].text
    return list(_blocks(message.parts))


def _blocks(parts: Sequence[Part]) -> Iterator[Shape]:
    for at, part in enumerate(parts):
        following = parts[at + 1] if at + 1 < len(parts) else None
        left = following.raw if isinstance(following, Opaque) and following.kind == _KIND else None
        if isinstance(part, Opaque):
            if part.kind == _BLOCK:
                yield part.raw
        elif left is not None or not isinstance(part, Reasoning):
            yield applied(_block(part), left)
