"""An entry of a Claude Code session → what it says: messages, or a record that is kept as it is."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Iterator, Mapping
from typing import Final

from blake3 import blake3

from retoma.importers.typed import Envelopes
from retoma.model.codec import Json
from retoma.model.message import File, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from retoma.service.transfer.foreign import (
    Draft,
    Said,
    Usage,
    count,
    identity,
    listed,
    mapping,
    message,
    record,
    words,
)
from retoma.service.transfer.records import Records

_TOOL: Final = "claude-code"
BLOCKS: Final = frozenset(
    (
        "text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image", "document", "server_tool_use",
        "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result", "mcp_tool_use",
        "mcp_tool_result", "container_upload", "search_result", "fallback",
    )
)  # fmt: skip
"""The types of blocks that are known; of those that no part stands for, the JSON is kept."""


_OWN: Final = Envelopes(
    "bash-input", "bash-stderr", "bash-stdout", "channel", "command-args", "command-contents", "command-message",
    "command-name", "cross-session-message", "ide_diagnostics", "ide_opened_file", "ide_selection",
    "local-command-caveat", "local-command-stderr", "local-command-stdout", "mcp-polling-update",
    "mcp-resource-update", "new-diagnostics", "post-tool-use-hook", "session-start-hook", "system-reminder",
    "task-notification", "teammate-message", "tick", "ultraplan", "user-memory-input", "user-prompt-submit-hook",
)  # fmt: skip
_OWN_WORDS: Final = ("[Request interrupted", "Caveat: The messages below")


def prompt_of(content: Json) -> str:
    """Return the first text of a content that a user typed; empty when the tool wrote all of it."""
    blocks: list[Json] = [content] if isinstance(content, str) else listed(content)
    for block in blocks:
        text = _OWN.without(block if isinstance(block, str) else words(mapping(block).get("text")))
        if text and not text.lstrip().startswith(_OWN_WORDS):
            return text
    return ""


def drafts_of(records: Records, number: int, session: str, taken_up: Mapping[int, Json]) -> Iterator[Draft]:
    """Yield what the record of a number becomes; `session` is the id of the session that it stands in.

    `taken_up` has the messages that were typed in the middle of a turn, by their records.
    """
    id, at, raw = records.id(number), records.at(number), records.data(number)
    value = records.value(number)
    kind, said = words(value.get("type")), mapping(value.get("message"))
    if number in taken_up:
        yield from message(id, at, _between(kind, value, taken_up[number], session), tool=_TOOL, raw=raw)
        return
    if kind not in ("user", "assistant") or not said:
        yield from record(id, at, _TOOL, kind, raw)
        return
    reply = words(said.get("id")) if kind == "assistant" else ""
    for place, one in enumerate(_said(kind, value, said, session)):
        own = id if not place else identity(id, b"also", str(place))
        yield from message(own, at, one, tool=_TOOL, raw=raw, reply=reply)


def calls(said: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield the id and the name of each tool that a message asks for."""
    for block in map(mapping, listed(said.get("content"))):
        if block.get("type") == "tool_use" and words(block.get("id")):
            yield words(block.get("id")), words(block.get("name"))


def answers(said: dict[str, Json]) -> Iterator[str]:
    """Yield the ids of the calls whose results a message has."""
    for block in map(mapping, listed(said.get("content"))):
        if block.get("type") == "tool_result" and words(block.get("tool_use_id")):
            yield words(block.get("tool_use_id"))


def is_typed(value: dict[str, Json]) -> bool:
    """Return whether a user typed the entry; others were put in by the tool."""
    put_in = any(
        value.get(key) is True for key in ("isMeta", "isCompactSummary", "isVisibleInTranscriptOnly")
    )
    origin = words(mapping(value.get("origin")).get("kind"))
    return not (put_in or origin not in ("", "human", "user") or value.get("promptSource") == "system")


def _said(kind: str, value: dict[str, Json], said: dict[str, Json], session: str) -> Iterator[Said]:
    """Yield the messages of an entry: results of tools are one of their own."""
    content = said.get("content")
    blocks: list[Json] = [content] if isinstance(content, str) else listed(content)
    results = [block for block in blocks if mapping(block).get("type") == "tool_result"]
    others = [block for block in blocks if mapping(block).get("type") != "tool_result"]
    if kind == "assistant":
        results, others = [], blocks
    left: list[Json] = []
    sets: list[tuple[str, tuple[Part, ...]]] = []
    for role, some in (("tool", results), (kind, others)):
        found = [_part(block) for block in some]
        left += [rest for _, rest in found if rest]
        if some or (role == kind and not results):
            sets.append((role, tuple(part for parts, _ in found for part in parts)))
    beside = Opaque(kind, _left(value, said, left, session))
    usage = _usage(mapping(said.get("usage"))) if kind == "assistant" else None
    for place, (role, parts) in enumerate(sets):
        typed = role != "user" or is_typed(value)
        yield Said(
            role=role if typed else "system",
            sender="" if typed else _TOOL,
            parts=(*parts, beside) if place == len(sets) - 1 else parts,
            usage=usage,
        )


def _between(kind: str, value: dict[str, Json], content: Json, session: str) -> Said:
    """Return the message that a record of the queue, or an attachment, is."""
    blocks: list[Json] = [content] if isinstance(content, str) else listed(content)
    found = [_part(block) for block in blocks]
    left = _left(value, {}, [rest for _, rest in found if rest], session)
    left.pop("content", None)
    if isinstance(attachment := left.get("attachment"), dict):
        left["attachment"] = _but(attachment, "prompt")
    return Said(role="user", parts=(*(part for parts, _ in found for part in parts), Opaque(kind, left)))


def _part(block: Json) -> tuple[tuple[Part, ...], dict[str, Json]]:
    """Return the parts of a block, and what of it they do not say."""
    value: dict[str, Json] = {"type": "text", "text": block} if isinstance(block, str) else mapping(block)
    kind = words(value.get("type"))
    match kind:
        case "text" | "thinking" if isinstance(value.get(kind), str):
            said = words(value[kind])
            part = Text(said) if kind == "text" else Reasoning(said)
            return ((part,) if said else ()), _but(value, kind)
        case "tool_use" if isinstance(value.get("input"), dict):
            call = ToolCall(words(value.get("id")), words(value.get("name")), mapping(value["input"]))
            return (call,), _but(value, "id", "name", "input")
        case "tool_result":
            return (_result(value),), _but(value, "tool_use_id", "content", "is_error")
        case "image" | "document":
            return (*_media(kind, mapping(value.get("source"))), Opaque(kind, block)), {}
        case _:
            return (Opaque(kind or "block", block),), {}


def _result(value: dict[str, Json]) -> ToolResult:
    call, content = words(value.get("tool_use_id")), value.get("content")
    if value.get("is_error") is not True:
        return ToolResult(call, result=content)
    if isinstance(content, str):
        return ToolResult(call, error=content or "It failed.")
    texts = [words(mapping(block).get("text")) for block in listed(content)]
    return ToolResult(call, result=content, error="\n".join(filter(None, texts)) or "It failed.")


def _media(kind: str, source: dict[str, Json]) -> tuple[Part, ...]:
    """Return the reference to a picture or a file that stands in the entry itself."""
    mime = words(source.get("media_type"))
    try:
        content = b64decode(words(source.get("data")), validate=True)
    except (Error, ValueError):
        content = b""
    if not content:
        return ()
    artifact = f"blake3:{blake3(content).hexdigest()}"
    return (Image(artifact, mime) if kind == "image" else File(artifact, mime),)


def _left(value: dict[str, Json], said: dict[str, Json], blocks: list[Json], session: str) -> dict[str, Json]:
    """Return what of an entry no part says: its envelope, and of its blocks what they have beside their content."""
    taken = {"type", "timestamp", "message"}
    if value.get("sessionId") == session:
        taken.add("sessionId")
    left = {key: inner for key, inner in value.items() if key not in taken}
    inner = {key: one for key, one in said.items() if key not in ("role", "content", "type")}
    if blocks:
        inner["content"] = blocks
    if inner:
        left["message"] = inner
    return left


def _but(value: dict[str, Json], *taken: str) -> dict[str, Json]:
    """Return a block without what a part says of it; nothing when its type alone is left."""
    left = {key: inner for key, inner in value.items() if key not in taken}
    return left if left.keys() - {"type"} else {}


def _usage(usage: dict[str, Json]) -> Usage | None:
    fresh, made, cached = (
        count(usage.get(name))
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )
    out = count(usage.get("output_tokens"))
    if not (fresh or made or cached or out):
        return None
    return Usage(tokens_in=fresh + made + cached, tokens_out=out, tokens_cached=cached)
