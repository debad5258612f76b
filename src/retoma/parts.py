"""The parts that a message can be made of: `session.append("assistant", [retoma.parts.Text("I count."), …])`."""

from __future__ import annotations

from retoma.model.message import File, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult

__all__ = ["File", "Image", "Opaque", "Part", "Reasoning", "Text", "ToolCall", "ToolResult"]
