"""An event of a Copilot session → the message that it is."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from retoma.errors import Invalid
from retoma.model.codec import Json, decode
from retoma.model.message import Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from retoma.service.transfer.foreign import Said, Usage, count, listed, mapping, words

_TOOL: Final = "copilot"


def said_of(kind: str, data: dict[str, Json], value: dict[str, Json], *, known: bool) -> Said | None:
    """Return the message that an event is; None when it is none. `known`: its call stands in a message."""
    said: Said | None = None
    match kind:
        case "user.message":
            same = ("transformedContent",) if data.get("transformedContent") == data.get("content") else ()
            parts = _text(data.get("content"))
            said = Said(role="user", parts=(*parts, *_left(kind, value, data, "content", *same)))
        case "system.message":
            # What the model is told at the start is kept, and not shown.
            said = Said(role="system", parts=_left(kind, value, data))
        case "assistant.message":
            said = _reply(kind, value, data)
        case "tool.execution_complete":
            said = _answer(kind, value, data)
        case "tool.execution_start" if not known:
            # The message that asked for it is lost.
            call = _call(data.get("toolCallId"), data.get("toolName"), data.get("arguments"))
            left = _left(kind, value, data, "toolCallId", "toolName")
            said = Said(role="assistant", parts=(call, *left))
        case "session.error":
            left = _left(kind, value, data, "message")
            said = Said(role="system", sender=_TOOL, parts=(*_text(data.get("message")), *left))
        case _:
            pass
    return said


def _reply(kind: str, value: dict[str, Json], data: dict[str, Json]) -> Said:
    parts: list[Part] = []
    if thought := words(data.get("reasoningText")):
        parts.append(Reasoning(thought))
    parts += _text(data.get("content"))
    left: list[Json] = []
    for asked in map(mapping, listed(data.get("toolRequests"))):
        parts.append(_call(asked.get("toolCallId"), asked.get("name"), asked.get("arguments")))
        plain = isinstance(asked.get("arguments"), dict)
        said = ("toolCallId", "name", "arguments") if plain else ("toolCallId", "name")
        left.append({key: inner for key, inner in asked.items() if key not in said})
    inner = {**data, "toolRequests": left if any(left) else None}
    taken = ("content", "reasoningText", *(() if any(left) else ("toolRequests",)))
    out = count(data.get("outputTokens"))
    usage = Usage(tokens_out=out) if out else None
    return Said(role="assistant", parts=(*parts, *_left(kind, value, inner, *taken)), usage=usage)


def _call(id: Json, name: Json, arguments: Json) -> ToolCall:
    if isinstance(arguments, str):
        with suppress(Invalid):
            arguments = decode(arguments)
    return ToolCall(
        words(id), words(name), arguments if isinstance(arguments, dict) else {"input": arguments}
    )


def _answer(kind: str, value: dict[str, Json], data: dict[str, Json]) -> Said:
    call, result, error = words(data.get("toolCallId")), data.get("result"), data.get("error")
    returned = mapping(result).get("content") if isinstance(result, dict) else result
    failed = data.get("success") is False or error is not None
    why = words(mapping(error).get("message")) or words(error) or ("It failed." if failed else "")
    left: dict[str, Json] = {
        "result": {
            key: inner
            for key, inner in mapping(result).items()
            if key != "content" and not (key == "detailedContent" and inner == returned)
        },
        "error": {key: inner for key, inner in mapping(error).items() if key != "message"},
    }
    inner = {key: one for key, one in data.items() if key not in left} | {
        key: one for key, one in left.items() if one
    }
    part = ToolResult(call, result=returned, error=why)
    return Said(role="tool", parts=(part, *_left(kind, value, inner, "toolCallId")))


def _text(value: Json) -> tuple[Part, ...]:
    return (Text(value),) if isinstance(value, str) and value else ()


def _left(kind: str, value: dict[str, Json], data: dict[str, Json], *taken: str) -> tuple[Part, ...]:
    """Return what of an event its parts do not say: its envelope, and the data but for `taken`."""
    inner = {key: one for key, one in data.items() if key not in taken}
    envelope = {key: one for key, one in value.items() if key not in ("type", "data", "timestamp")}
    return (Opaque(kind, {**envelope, "data": inner}),)
