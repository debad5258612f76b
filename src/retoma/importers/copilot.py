"""Sessions of Copilot CLI: a directory with `events.jsonl`, to which a resume appends, and `workspace.yaml`."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from retoma.config.opened import open_file
from retoma.importers.copilot_event import said_of
from retoma.model.codec import Json
from retoma.service.transfer.foreign import (
    Draft,
    Foreign,
    Profile,
    identity,
    label,
    listed,
    mapping,
    message,
    model_of,
    moment,
    nothing_whole,
    record,
    title_of,
    words,
)
from retoma.service.transfer.given import Given
from retoma.service.transfer.lines import Entry, Lines
from retoma.service.transfer.notices import Notices
from retoma.service.transfer.records import Ids, Records

_TOOL: Final = "copilot"
_MAIN: Final = ""
_KNOWN: Final = frozenset(
    (
        "abort", "assistant.intent", "assistant.message", "assistant.message_delta", "assistant.reasoning",
        "assistant.reasoning_delta", "assistant.streaming_delta", "assistant.turn_end", "assistant.turn_start",
        "assistant.usage", "command.completed", "command.execute", "command.queued", "elicitation.completed",
        "elicitation.requested", "exit_plan_mode.completed", "exit_plan_mode.requested",
        "external_tool.completed", "external_tool.requested", "hook.end", "hook.start",
        "pending_messages.modified", "permission.completed", "permission.requested",
        "session.background_tasks_changed", "session.compaction_complete", "session.compaction_start",
        "session.context_changed", "session.custom_agents_updated", "session.error",
        "session.extensions_loaded", "session.handoff", "session.idle", "session.import_legacy", "session.info",
        "session.mcp_server_status_changed", "session.mcp_servers_loaded", "session.mode_changed",
        "session.model_change", "session.plan_changed", "session.remote_steerable_changed", "session.resume",
        "session.shutdown", "session.skills_loaded", "session.snapshot_rewind", "session.start",
        "session.task_complete", "session.title_changed", "session.tools_updated", "session.truncation",
        "session.usage_info", "session.warning", "session.workspace_file_changed", "skill.invoked",
        "subagent.completed", "subagent.deselected", "subagent.failed", "subagent.selected", "subagent.started",
        "system.message", "system.notification", "tool.execution_complete", "tool.execution_partial_result",
        "tool.execution_progress", "tool.execution_start", "tool.user_requested", "user.message",
        "user_input.completed", "user_input.requested",
    )
)  # fmt: skip


def is_record(value: dict[str, Json]) -> bool:
    """Return whether an object looks like an event of this format."""
    return "data" in value and isinstance(value.get("type"), str) and ("id" in value or "timestamp" in value)


def sessions(given: Given, notices: Notices) -> Iterator[Foreign]:
    """Yield the session of a file, then those of its sub-agents."""
    with Records() as records:
        read = _Read(given, records, notices)
        yield from read.sessions()


class _Read:
    """One pass over the events: whose each is, what was called and answered, and what says who the session is."""

    def __init__(self, given: Given, records: Records, notices: Notices) -> None:
        self._records = records
        self._notices = notices
        self._threads: dict[str, array[int]] = {_MAIN: array("Q")}
        self._called: dict[str, str] = {}  # the thread in which a call was asked for
        self._asked: dict[str, tuple[str, int]] = {}  # each call's name and line
        self._answered: set[str] = set()
        self._started: dict[str, str] = {}  # the call that each sub-agent works for
        self._shown: dict[str, str] = {}
        self._workspace = _workspace(given, notices)
        self._start: dict[str, Json] = {}
        self._model = self._prompt = ""
        self._first = ""
        ids = Ids(lambda *key: identity(_TOOL, *key), notices)
        for found in Lines(given.stream, notices, is_record):
            value = found.value if isinstance(found, Entry) else {}
            id = ids.of(words(value.get("id")), found)
            if id is not None:
                number = records.add(found, id, moment(value.get("timestamp")))
                self._note(number, value)
        records.date(given.modified)
        self._created_at = moment(self._start.get("startTime"))
        if not records.readable:
            raise nothing_whole(given.shown)
        for call, (name, line) in self._asked.items():
            if call not in self._answered:
                notices.say("no_result", f"The tool call {call!r} ({name}) has no result.", line)
        self._id = (
            words(self._start.get("sessionId"))
            or self._workspace.get("id", "")
            or _named_by(given)
            or identity(_TOOL, self._first).hex()
        )

    def sessions(self) -> Iterator[Foreign]:
        for thread, numbers in self._threads.items():
            if thread == _MAIN:
                yield self._foreign(numbers, self._id, None, self._profile())
            elif numbers:
                above = self._called.get(self._started.get(thread, thread), _MAIN)
                profile = Profile(
                    title=title_of(self._shown.get(thread, "")),
                    metadata={"tool_call": self._started.get(thread, thread)},
                )
                parent = self._id if above in (_MAIN, thread) else f"{self._id}:{above}"
                yield self._foreign(numbers, f"{self._id}:{thread}", parent, profile)

    def _foreign(self, numbers: array[int], id: str, parent: str | None, profile: Profile) -> Foreign:
        began = self._records.at(numbers[0] if numbers else 0)
        if parent is None and self._created_at is not None:
            began = self._created_at
        return Foreign(
            tool=_TOOL,
            id=id,
            created_at=began,
            drafts=lambda: self._records.drafts(numbers, _TOOL, self._drafts),
            parent=parent,
            profile=profile,
        )

    # The first look

    def _note(self, number: int, value: dict[str, Json]) -> None:
        kind, data = words(value.get("type")), mapping(value.get("data"))
        thread = words(value.get("agentId")) or words(data.get("parentToolCallId"))
        self._first = self._first or words(value.get("id"))
        self._threads.setdefault(thread, array("Q")).append(number)
        line = self._records.line(number)
        if value and kind not in _KNOWN:
            self._notices.unknown(kind)
        call = words(data.get("toolCallId"))
        match kind:
            case "session.start":
                self._start = self._start or data
                self._model = words(data.get("selectedModel")) or self._model
            case "session.model_change":
                self._model = words(data.get("newModel")) or self._model
            case "user.message" if thread == _MAIN:
                self._prompt = self._prompt or words(data.get("content"))
            case "assistant.message":
                for asked in map(mapping, listed(data.get("toolRequests"))):
                    asked_id = words(asked.get("toolCallId"))
                    self._called[asked_id] = thread
                    self._asked[asked_id] = (words(asked.get("name")), line)
            case "tool.execution_start":
                self._asked.setdefault(call, (words(data.get("toolName")), line))
            case "tool.execution_complete":
                self._answered.add(call)
            case "subagent.started":
                self._started.setdefault(thread, call)
                self._shown[thread] = words(data.get("agentDisplayName")) or words(data.get("agentName"))
            case _:
                pass

    def _profile(self) -> Profile:
        workspace = self._workspace
        context = mapping(self._start.get("context"))
        places = {
            name: words(context.get(name)) or workspace.get(name, "")
            for name in ("cwd", "repository", "branch")
        }
        used = {"id", "name", "summary", "updated_at", *places}
        beside: dict[str, Json] = {name: text for name, text in workspace.items() if name not in used}
        return Profile(
            title=title_of(workspace.get("name") or workspace.get("summary") or self._prompt),
            model=model_of(self._model),
            contexts=tuple(pair for name, ref in places.items() for pair in label(name, ref)),
            metadata={"workspace": beside} if beside else {},
        )

    # What an event becomes

    def _drafts(self, number: int) -> Iterator[Draft]:
        records = self._records
        id, at, raw = records.id(number), records.at(number), records.data(number)
        value = records.value(number)
        kind, data = words(value.get("type")), mapping(value.get("data"))
        said = said_of(kind, data, value, known=words(data.get("toolCallId")) in self._called)
        if said is None:
            yield from record(id, at, _TOOL, kind, raw)
        else:
            yield from message(id, at, said, tool=_TOOL, raw=raw)


def _named_by(given: Given) -> str:
    """Return the id that the file's place says: the directory's name, unless the file was carried away from it."""
    if given.path is None or given.folder is None:
        return ""
    return given.folder.name if given.path.name == "events.jsonl" else given.stem


def _workspace(given: Given, notices: Notices) -> dict[str, str]:
    """Return the texts of `workspace.yaml` beside the file; nothing when it is not there or cannot be read."""
    if given.folder is None:
        return {}
    import yaml

    try:
        with open_file(given.folder / "workspace.yaml") as file:
            found = yaml.load(file.read(256 << 10), Loader=yaml.BaseLoader)  # noqa: S506
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        notices.say("no_workspace", "workspace.yaml cannot be read: the session has no title from there.")
        return {}
    return (
        {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}
    )
