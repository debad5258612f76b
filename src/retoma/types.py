"""What the Python faces take and return: the parts that a message is made of, and what is read.

An instant is a `datetime` in UTC, exact to the millisecond. Each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retoma.importers.bringing import Arrived
    from retoma.model.call import Call as PendingCall
    from retoma.model.flow import Prompt, Visit
    from retoma.model.message import (
        File,
        Image,
        Message,
        MessageUsage,
        Opaque,
        Part,
        Reasoning,
        Text,
        ToolCall,
        ToolResult,
    )  # fmt: skip
    from retoma.model.outcomes import Difference, Differs, LogEntry, Pruned
    from retoma.model.pages import Event, Found, Hit, Page
    from retoma.model.shapes import Branch, Flow, Note, Usage
    from retoma.model.shapes import Lease as Driver
    from retoma.runtime.backup import Done as Backup
    from retoma.service.check.report import Report
    from retoma.service.forget.erasing import Redaction
    from retoma.service.transfer.copying import Copied
    from retoma.service.transfer.imported import Imported

__all__ = [
    "Arrived", "Backup", "Branch", "Copied", "Difference", "Differs", "Driver", "Event", "File", "Flow", "Found", "Hit",
    "Image", "Imported", "LogEntry", "Message", "MessageUsage", "Note", "Opaque", "Page", "Part", "PendingCall",
    "Prompt", "Pruned", "Reasoning", "Redaction", "Report", "Text", "ToolCall", "ToolResult", "Usage", "Visit",
]  # fmt: skip

_HOME = {
    "model.message": {
        "File",
        "Image",
        "Message",
        "MessageUsage",
        "Opaque",
        "Part",
        "Reasoning",
        "Text",
        "ToolCall",
        "ToolResult",
    },
    "model.outcomes": {"Difference", "Differs", "LogEntry", "Pruned"},
    "model.pages": {"Event", "Found", "Hit", "Page"},
    "model.shapes": {"Branch", "Flow", "Note", "Usage"},
}
_RENAMED = {
    "Arrived": "importers.bringing.Arrived",
    "Backup": "runtime.backup.Done",
    "Copied": "service.transfer.copying.Copied",
    "Driver": "model.shapes.Lease",
    "Imported": "service.transfer.imported.Imported",
    "PendingCall": "model.call.Call",
    "Prompt": "model.flow.Prompt",
    "Redaction": "service.forget.erasing.Redaction",
    "Report": "service.check.report.Report",
    "Visit": "model.flow.Visit",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = next((f"{module}.{name}" for module, names in _HOME.items() if name in names), "")
    module, _, found = (home or _RENAMED[name]).rpartition(".")
    return getattr(import_module(f"retoma.{module}"), found)
