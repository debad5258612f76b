"""Sessions of Claude Code: `SESSION.jsonl`, to which all is appended, and the files of its sub-agents beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from retoma.config.opened import open_file
from retoma.errors import Integrity
from retoma.importers.claude_beside import beside, launched
from retoma.importers.claude_entry import BLOCKS, answers, calls, drafts_of, is_typed, prompt_of
from retoma.importers.claude_queue import Queue
from retoma.importers.claude_tree import SHORT, Line, Node, Tree
from retoma.model.codec import Json
from retoma.service.transfer.foreign import (
    Foreign,
    Profile,
    identity,
    label,
    listed,
    mapping,
    model_of,
    moment,
    nothing_whole,
    title_of,
    words,
)
from retoma.service.transfer.given import Given
from retoma.service.transfer.lines import Entry, Lines
from retoma.service.transfer.notices import Notices
from retoma.service.transfer.records import Ids, Records

_TOOL: Final = "claude-code"
_MAIN: Final = 0
_SESSION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KNOWN: Final = frozenset(
    (
        "user", "assistant", "system", "attachment", "progress", "summary", "custom-title", "ai-title", "tag",
        "last-prompt", "queue-operation", "mode", "cost-state", "file-history-snapshot", "api-request",
        "api-request-blob", "api-request-shape", "tools-used", "atis-latch", "agent-name", "agent-color",
        "agent-setting", "pr-link", "worktree-state", "permission-mode", "content-replacement",
    )
)  # fmt: skip
_TITLES: Final = {
    "custom-title": "customTitle", "ai-title": "aiTitle", "summary": "summary", "last-prompt": "lastPrompt",
}  # fmt: skip
"""The types of entries that say a title, and the key that has it; the first of them that is there holds.

The last prompt, which changes with every turn, is the title only where there is no first one.
"""


def is_record(value: dict[str, Json]) -> bool:
    """Return whether an object looks like an entry of this format."""
    return isinstance(value.get("type"), str) and any(
        key in value for key in ("uuid", "sessionId", "leafUuid")
    )


def sessions(given: Given, notices: Notices) -> Iterator[Foreign]:
    """Yield the session of a file, its lines that were left, then its sub-agents, in this file and beside it."""
    with Records() as records:
        yield from _Read(given, records, notices).sessions()
    taken: set[str] = set()
    for path in beside(given):
        place = path.relative_to(path.parents[0] if given.folder is None else given.folder / given.stem)
        within = notices.within(str(place))
        try:
            with open_file(path) as stream, Records() as records:
                read = _Read(given._replace(path=path, stream=stream, shown=str(path)), records, within)
                if read.id in taken:  # helpers of two runs may have one name
                    read.id += "@" + "-".join(place.parent.parts[1:])
                taken.add(read.id)
                yield from read.sessions()
        except Integrity:
            within.say("empty", "The file has no complete record.")
        except OSError as error:
            within.say("unreadable_file", f"It cannot be read: {error.strerror}.")


class _Read:
    """One pass over the entries: how they stand to each other, and what says who the session is."""

    def __init__(self, given: Given, records: Records, notices: Notices) -> None:
        self._records = records
        self._notices = notices
        self._tree = Tree()
        self._queue = Queue()
        self._threads: dict[str, int] = {"": _MAIN}
        self._names: list[str] = [""]
        self._sessions: dict[str, int] = {}
        self._titles: dict[str, str] = {}
        self._mains = 0  # messages that are no sub-agent's
        self._prompt = ""
        self._tag = self._model = ""
        self._places: dict[tuple[str, str], None] = {}
        self._asked: dict[str, tuple[str, int]] = {}
        self._answered: set[str] = set()
        self._agents: dict[str, str] = {}  # the call that each sub-agent works for
        ids = Ids(lambda *key: identity(_TOOL, *key), notices)
        for found in Lines(given.stream, notices, is_record):
            value = found.value if isinstance(found, Entry) else {}
            id = ids.of(words(value.get("uuid")), found)
            if id is not None:
                number = records.add(found, id, moment(value.get("timestamp")))
                self._note(number, value)
        records.date(given.modified)
        if not records.readable:
            raise nothing_whole(given.shown)
        self._aside = len(self._names) == 2 and not self._mains
        if self._aside:
            self._tree.flatten()  # the file of one sub-agent: all of it is that one's
        self.id, self._parent = self._identity(given)
        for call, (name, line) in self._asked.items():
            if call not in self._answered:
                notices.say("no_result", f"The tool call {call!r} ({name}) has no result.", line)
        self._launched = launched(given)

    def sessions(self) -> Iterator[Foreign]:
        lines = self._tree.lines()
        for number in self._tree.missing:
            parent = words(self._records.value(number).get("parentUuid"))
            detail = f"Its parent {parent[:100]!r} is not in the file; the entry was placed after the previous one."
            self._notices.say("parent_missing", detail, self._records.line(number))
        named: dict[int, str] = {}
        for line in sorted(lines, key=lambda one: (one.thread, one.index)):
            yield self._foreign(line, named)

    # The first look

    def _note(self, number: int, value: dict[str, Json]) -> None:
        kind = words(value.get("type"))
        session = words(value.get("sessionId"))
        if session:
            self._sessions[session] = self._sessions.get(session, 0) + 1
        if value and kind not in _KNOWN:
            self._notices.unknown(kind)
        if kind in _TITLES:
            self._title(kind, value)
        elif kind == "tag":
            self._tag = words(value.get("tag"))
        message = mapping(value.get("message")) if kind in ("user", "assistant") else {}
        same = self._queue.note(number, value)
        if same is not None:
            self._tree.retract(same)
        node = self._node(number, value, message)
        self._tree.add(node)
        if message and node.thread == _MAIN:
            self._mains += 1
            self._describe(kind, value, message)
        for block in map(mapping, listed(message.get("content"))):
            if words(block.get("type")) not in BLOCKS:
                self._notices.unknown(f"{words(block.get('type'))} in a message")
        for call, name in calls(message):
            self._asked[call] = (name, self._records.line(number))
        for call in answers(message):
            self._answered.add(call)
            agent = words(mapping(value.get("toolUseResult")).get("agentId"))
            if agent:
                self._agents[agent] = call

    def _node(self, number: int, value: dict[str, Json], message: dict[str, Json]) -> Node:
        uuid = words(value.get("uuid"))
        parent = words(value.get("parentUuid")) or words(value.get("logicalParentUuid"))
        follows = "parentUuid" not in value or value.get("isCompactSummary") is True
        only = isinstance(message.get("content"), list) and not any(True for _ in _others(message))
        return Node(
            uuid=uuid,
            parent=parent,
            follows=follows,
            message=bool(message) or number in self._queue.taken_up,
            thread=self._thread(value, uuid, parent),
            reply=words(message.get("id")),
            calls=tuple(call for call, _ in calls(message)),
            answers=tuple(answers(message)) if only else (),
            twig=value.get("isCompactSummary") is True or (number in self._queue.taken_up and not uuid),
            put_in=message.get("role") == "user"
            and not (is_typed(value) and prompt_of(message.get("content"))),
        )

    def _thread(self, value: dict[str, Json], uuid: str, parent: str) -> int:
        """Return the number of the thread: 0 for the session itself, others for sub-agents."""
        if value.get("isSidechain") is not True:
            return _MAIN
        name = words(value.get("agentId"))
        if not name:
            above = self._tree.thread_of(parent)
            if above not in (None, _MAIN):
                return above or _MAIN
            name = uuid[:SHORT] or "agent"
            if name in self._threads:
                name = uuid or "agent"
        if name not in self._threads:
            self._threads[name] = len(self._names)
            self._names.append(name)
        return self._threads[name]

    def _title(self, kind: str, value: dict[str, Json]) -> None:
        text = words(value.get(_TITLES[kind]))
        leaf = words(value.get("leafUuid"))
        # Older files begin with the summaries of other sessions.
        elsewhere = kind == "summary" and "summary" in self._titles and leaf and not self._tree.holds(leaf)
        if text.strip() and not elsewhere:
            self._titles[kind] = text

    def _describe(self, kind: str, value: dict[str, Json], message: dict[str, Json]) -> None:
        model = words(message.get("model"))
        if model and not model.startswith("<"):
            self._model = model
        if kind == "user" and not self._prompt and is_typed(value):
            self._prompt = prompt_of(message.get("content"))
        branch = words(value.get("gitBranch"))
        for name, ref in (("cwd", words(value.get("cwd"))), ("branch", "" if branch == "HEAD" else branch)):
            if ref:
                self._places.setdefault((name, ref))

    # Who it is

    def _identity(self, given: Given) -> tuple[str, str | None]:
        """Return the session's id, and that of the one that it belongs to: a sub-agent has a file of its own."""
        stem = given.stem
        most = max(self._sessions, key=lambda one: self._sessions[one], default="")
        if self._aside:
            agent = self._names[1]
            return f"{most}:{agent}" if most else agent, most or None
        if stem and (stem in self._sessions or _SESSION.fullmatch(stem)):
            return stem, None
        return most or stem or identity(_TOOL, self._records.data(0)).hex(), None

    def _foreign(self, line: Line, named: dict[int, str]) -> Foreign:
        records = self._records
        id, parent = self._place(line, named)
        named[line.index] = id
        return Foreign(
            tool=_TOOL,
            id=id,
            created_at=records.at(line.records[0]),
            drafts=lambda: records.drafts(
                line.records, _TOOL, lambda number: drafts_of(records, number, self.id, self._queue.taken_up)
            ),
            parent=parent,
            profile=self._profile(line),
        )

    def _place(self, line: Line, named: dict[int, str]) -> tuple[str, str | None]:
        """Return the id of a line's session, and that of the one that it belongs to."""
        if line.leaves is None and line.thread == _MAIN:
            return self.id, self._parent
        if line.leaves is None:
            return f"{self.id}:{self._names[line.thread]}", self.id
        above = named.get(line.leaves, self.id)
        uuid = words(self._records.value(line.first).get("uuid"))
        label = self._tree.label(line.first, uuid) if uuid else str(line.first)
        label = label or self._records.id(line.first).hex()
        what = "1 message" if line.messages == 1 else f"{line.messages:,} messages"
        self._notices.say(
            "branch",
            f"Another line of {what} starts here; it was imported as a session of its own, '{above}~{label}'.",
            self._records.line(line.first),
        )
        return f"{above}~{label}", above

    def _profile(self, line: Line) -> Profile:
        if line.leaves is not None:
            at = words(self._records.value(line.at).get("uuid")) if line.at >= 0 else ""
            first = mapping(self._records.value(line.first).get("message"))
            return Profile(
                title=title_of(prompt_of(first.get("content"))), metadata={"leaves_at": at} if at else {}
            )
        if line.thread != _MAIN or self._aside:
            agent = self._names[line.thread or 1]
            call = self._agents.get(agent) or words(self._launched.get("toolUseId"))
            name = words(self._launched.get("description")) or words(self._launched.get("agentType"))
            first = mapping(self._records.value(line.first).get("message"))
            title = title_of(name or prompt_of(first.get("content")) or agent)
            return Profile(title=title, metadata={"tool_call": call} if call else {})
        titles = {**self._titles, "last-prompt": self._prompt or self._titles.get("last-prompt", "")}
        title = next((titles[kind] for kind in _TITLES if kind in titles), "")
        tags = (self._tag,) if self._tag.strip() and len(self._tag) <= 100 and self._tag.isprintable() else ()
        places = [pair for name, ref in self._places for pair in label(name, ref)][:20]
        return Profile(
            title=title_of(title), model=model_of(self._model), tags=tags, contexts=tuple(sorted(places))
        )


def _others(message: dict[str, Json]) -> Iterator[Json]:
    """Yield the blocks of a message that are no results of tools."""
    return (block for block in listed(message.get("content")) if mapping(block).get("type") != "tool_result")
