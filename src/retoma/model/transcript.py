"""A message as a transcript shows it: its text, and a line for each tool call and result."""

from __future__ import annotations

from retoma.model.codec import Json, encode
from retoma.model.message import Message, ToolCall, ToolResult

__all__ = ["shown", "transcript"]


def shown(message: Message) -> bool:
    """Return whether a transcript with tools shows the message: reasoning alone is left out."""
    return message.spoken or any(isinstance(part, (ToolCall, ToolResult)) for part in message.parts)


def transcript(message: Message) -> str:
    """Return the text, then `→ name arguments` for each tool call, and `← result` for each result."""
    lines = [message.text] if message.text or not message.parts else []
    for part in message.parts:
        if isinstance(part, ToolCall):
            lines.append(f"→ {part.name or part.id} {encode(part.arguments).decode()}")
        elif isinstance(part, ToolResult):
            failed = [f"failed: {part.error}"] if part.error else []
            result = [_text(part.result)] if part.result is not None or not part.error else []
            lines.append(f"← {'; '.join(failed + result)}")
    return "\n".join(lines)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else encode(value).decode()
