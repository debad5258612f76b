"""Items of OpenAI's Responses, as its agents and its command line keep them → messages."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from contextlib import suppress
from typing import Final

from blake3 import blake3

from retoma.errors import Invalid
from retoma.model.codec import Json, decode
from retoma.model.message import (
    ROLES,
    File,
    Image,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from retoma.service.transfer.foreign import Said, listed, mapping, rest, words

KNOWN: Final = frozenset(
    (
        "message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
        "file_search_call", "web_search_call", "computer_call", "computer_call_output", "image_generation_call",
        "code_interpreter_call", "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output",
        "apply_patch_call", "apply_patch_call_output", "mcp_list_tools", "mcp_approval_request",
        "mcp_approval_response", "mcp_call", "item_reference", "compaction",
    )
)  # fmt: skip
_CALLS: Final = ("function_call", "custom_tool_call")
_OUTPUTS: Final = ("function_call_output", "custom_tool_call_output")


def kind_of(item: dict[str, Json]) -> str:
    """Return the type of an item; one with a role and without a type is a message."""
    return words(item.get("type")) or ("message" if "role" in item else "")


def asked(item: dict[str, Json]) -> tuple[str, str] | None:
    """Return the id and the name of the tool that an item calls; None when it calls none."""
    return (words(item.get("call_id")), words(item.get("name"))) if kind_of(item) in _CALLS else None


def answered(item: dict[str, Json]) -> str | None:
    """Return the id of the call whose result an item is; None when it is none."""
    return words(item.get("call_id")) if kind_of(item) in _OUTPUTS else None


def said(item: dict[str, Json]) -> Said:
    """Return the message that an item is. What is not known here is kept in it as it was."""
    kind = kind_of(item)
    match kind:
        case "message":
            return _message(item)
        case "reasoning":
            return _thought(item)
        case "function_call" | "custom_tool_call":
            return _call(kind, item)
        case "function_call_output" | "custom_tool_call_output":
            result = ToolResult(words(item.get("call_id")), result=item.get("output"))
            return Said(role="tool", parts=(result, *rest(kind, item, "type", "call_id", "output")))
        case _:
            return Said(role="assistant", parts=(Opaque(kind or "item", item),))


def _message(item: dict[str, Json]) -> Said:
    role = words(item.get("role"))
    content = item.get("content")
    blocks: list[Json] = [content] if isinstance(content, str) else listed(content)
    parts = tuple(part for block in blocks for part in _parts(block))
    taken = ["role", "content"] if isinstance(content, str | list) else ["role"]
    if item.get("type") == "message":
        taken.append("type")
    left = rest("message", item, *taken)
    known = role in ROLES
    return Said(
        role=role if known else "system",
        sender="" if known or role == "developer" else role[:100],
        parts=(*parts, *left) or (Text(""),),
    )


def _parts(block: Json) -> tuple[Part, ...]:
    if isinstance(block, str):
        return (Text(block),)
    value = mapping(block)
    kind = words(value.get("type"))
    text = value.get("text")
    if kind in ("input_text", "output_text", "text") and isinstance(text, str):
        left = {
            key: inner
            for key, inner in value.items()
            if key not in ("type", "text") and inner not in ([], None)
        }
        return (Text(text), Opaque(kind, left)) if left else (Text(text),)
    if kind == "refusal" and isinstance(value.get("refusal"), str):
        return Text(words(value["refusal"])), Opaque(kind, {})
    if kind in ("input_image", "input_file"):
        return *_media(kind, value), Opaque(kind, block)
    return (Opaque(kind or "part", block),)


def _media(kind: str, value: dict[str, Json]) -> tuple[Part, ...]:
    """Return the reference to a picture or a file that stands in the item itself."""
    url = words(value.get("image_url")) or words(value.get("file_data"))
    head, _, data = url.partition(",")
    if not head.startswith("data:"):
        head, data = ("data:;base64", url) if kind == "input_file" else ("", "")
    try:
        content = b64decode(data, validate=True) if head.endswith(";base64") else b""
    except (Error, ValueError):
        content = b""
    if not content:
        return ()
    artifact, mime = f"blake3:{blake3(content).hexdigest()}", head.removeprefix("data:").partition(";")[0]
    return (Image(artifact, mime) if kind == "input_image" else File(artifact, mime),)


def _thought(item: dict[str, Json]) -> Said:
    texts = [
        words(mapping(part).get("text")) for name in ("summary", "content") for part in listed(item.get(name))
    ]
    plain = all(
        mapping(part).keys() <= {"type", "text"}
        for name in ("summary", "content")
        for part in listed(item.get(name))
    )
    taken = ("type", "summary", "content") if plain else ("type",)
    parts = tuple(Reasoning(text) for text in texts if text)
    return Said(role="assistant", parts=(*parts, *rest("reasoning", item, *taken)) or (Reasoning(""),))


def _call(kind: str, item: dict[str, Json]) -> Said:
    given = item.get("arguments", item.get("input"))
    arguments = given
    if isinstance(given, str):
        with suppress(Invalid):
            arguments = decode(given)
    whole = isinstance(arguments, dict)
    call = ToolCall(
        words(item.get("call_id")),
        words(item.get("name")),
        arguments if isinstance(arguments, dict) else {"input": given},
    )
    taken = ("type", "call_id", "name", *(("arguments",) if whole else ("arguments", "input")))
    return Said(role="assistant", parts=(call, *rest(kind, item, *taken)))
