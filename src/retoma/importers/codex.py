"""Sessions of Codex CLI: `rollout-….jsonl`, whose lines wrap items of OpenAI's Responses."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from typing import Final

import msgspec

from retoma.importers.responses import KNOWN, answered, asked, kind_of, said
from retoma.importers.typed import Envelopes
from retoma.model.codec import Json
from retoma.model.message import Text
from retoma.service.transfer.foreign import (
    Draft,
    Foreign,
    Profile,
    count,
    identity,
    label,
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

_TOOL: Final = "codex"
_WRAPPED: Final = ("session_meta", "response_item", "turn_context", "event_msg", "compacted")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OWN: Final = Envelopes(
    "INSTRUCTIONS", "apps_instructions", "codex_internal_context", "collaboration_mode", "environment_context",
    "environments_instructions", "goal_context", "hook_prompt", "model_switch", "permissions instructions",
    "personality_spec", "plugins_instructions", "realtime_conversation", "skill", "skills_instructions",
    "subagent_notification", "subagents", "turn_aborted", "user_action", "user_instructions", "user_shell_command",
)  # fmt: skip
_RULES = re.compile(r"\s*# AGENTS\.md instructions for [^\n]*\s*(?=<INSTRUCTIONS>)")
_PICTURE = re.compile(r"\s*</?image\b[^<>]*>\s*")
_EDITOR = re.compile(
    r"\s*# (?:Context from my IDE|Files mentioned by).*?\n## My request for Codex:\s*", re.DOTALL
)
_LABEL: Final = 8


def is_record(value: dict[str, Json]) -> bool:
    """Return whether an object looks like a line of this format."""
    wrapped = words(value.get("type")) in _WRAPPED and "payload" in value
    return wrapped or "record_type" in value or "instructions" in value or kind_of(value) in KNOWN


def sessions(given: Given, notices: Notices) -> Iterator[Foreign]:
    """Yield the session of a file, then the turns of it that were taken back."""
    with Records() as records:
        read = _Read(given, records, notices)
        yield _foreign(records, read.id, read.line, read.profile())
        for name, back in read.taken_back():
            first = _item(records.value(back[0])) or {}
            yield _foreign(records, name, back, Profile(title=title_of(_title(first))), parent=read.id)


def _foreign(
    records: Records, id: str, numbers: array[int], profile: Profile, parent: str | None = None
) -> Foreign:
    return Foreign(
        tool=_TOOL,
        id=id,
        created_at=records.at(numbers[0] if parent else 0),
        drafts=lambda: records.drafts(numbers, _TOOL, lambda number: _drafts(records, number)),
        parent=parent,
        profile=profile,
    )


class _Read:
    """One pass over the lines: who the session is, and which turns were taken back.

    `line` has the numbers of the records that the session was continued with.
    """

    def __init__(self, given: Given, records: Records, notices: Notices) -> None:
        self._records = records
        self._notices = notices
        self.line = array("Q")
        self._turns: list[int] = []  # where in the line each turn begins
        self._back: list[array[int]] = []
        self._meta: dict[str, Json] = {}
        self._prompt = self._model = ""
        calls: dict[str, tuple[str, int]] = {}
        ids = Ids(lambda *key: identity(_TOOL, *key), notices)
        for found in Lines(given.stream, notices, is_record):
            value = found.value if isinstance(found, Entry) else {}
            id = ids.of("", found)
            assert id is not None, "a record without an id is kept each time it appears"
            item = _item(value)
            self._take_back(value)
            if item is not None and item.get("role") == "user" and _typed(item):
                self._turns.append(len(self.line))
            self.line.append(records.add(found, id, moment(value.get("timestamp"))))
            self._note(value, item, notices)
            if item is not None and (call := asked(item)) is not None:
                calls[call[0]] = (call[1], found.line)
            elif item is not None and (output := answered(item)) is not None:
                calls.pop(output, None)
        records.date(given.modified)
        if not records.readable:
            raise nothing_whole(given.shown)
        for one, (name, line) in calls.items():
            notices.say("no_result", f"The tool call {one!r} ({name}) has no result.", line)
        named = _ID.search(given.stem)
        self.id = (
            words(self._meta.get("id")) or (named.group() if named else given.stem) or records.id(0).hex()
        )

    def taken_back(self) -> Iterator[tuple[str, array[int]]]:
        """Yield the turns that each going back left, with the id of their session."""
        for numbers in self._back:
            name = f"{self.id}~{self._records.id(numbers[0]).hex()[:_LABEL]}"
            detail = f"{len(numbers):,} records were taken back; they were imported as a session, '{name}'."
            self._notices.say("branch", detail, self._records.line(numbers[0]))
            yield name, numbers

    def _take_back(self, value: dict[str, Json]) -> None:
        payload = mapping(value.get("payload"))
        turns = count(payload.get("num_turns"))
        if value.get("type") != "event_msg" or payload.get("type") != "thread_rolled_back":
            return
        if turns and self._turns:
            start = self._turns[-turns:][0]
            self._back.append(self.line[start:])
            del self.line[start:], self._turns[-turns:]

    def profile(self) -> Profile:
        git = mapping(self._meta.get("git"))
        places = (
            ("cwd", self._meta.get("cwd")), ("branch", git.get("branch")), ("repository", git.get("repository_url")),
        )  # fmt: skip
        return Profile(
            title=title_of(self._prompt),
            model=model_of(self._model),
            contexts=tuple(sorted(pair for name, ref in places for pair in label(name, words(ref)))),
        )

    def _note(self, value: dict[str, Json], item: dict[str, Json] | None, notices: Notices) -> None:
        kind, payload = words(value.get("type")), mapping(value.get("payload"))
        if kind == "session_meta" or "instructions" in value:
            self._meta = self._meta or payload or value
        elif kind == "turn_context":
            self._model = words(payload.get("model")) or self._model
        elif item is not None:
            if kind_of(item) not in KNOWN:
                notices.unknown(kind_of(item))
            if not self._prompt and item.get("role") == "user":
                self._prompt = _title(item)
        elif value and kind not in _WRAPPED and "record_type" not in value:
            notices.unknown(kind)


def _item(value: dict[str, Json]) -> dict[str, Json] | None:
    """Return the item that a line has; None when it has none."""
    if value.get("type") == "response_item":
        return mapping(value.get("payload"))
    return value if kind_of(value) in KNOWN and "payload" not in value else None


def _drafts(records: Records, number: int) -> Iterator[Draft]:
    id, at, raw = records.id(number), records.at(number), records.data(number)
    value = records.value(number)
    item = _item(value)
    if item is None:
        yield from record(id, at, _TOOL, words(value.get("type")) or "line", raw)
        return
    one = said(item)
    if one.role == "user" and not _typed(item):
        one = msgspec.structs.replace(one, role="system", sender=_TOOL)
    yield from message(id, at, one, tool=_TOOL, raw=raw)


def _typed(item: dict[str, Json]) -> bool:
    """Return whether a user typed a message; the tool put in one whose texts are all envelopes of its own."""
    texts = _texts(item)
    return not texts or any(map(_without, texts))


def _title(item: dict[str, Json]) -> str:
    """Return the first text that a user typed in a message, without what an editor says before it."""
    text = next(filter(None, map(_without, _texts(item))), "")
    said = _EDITOR.match(text)
    return text[said.end() :] if said else text


def _texts(item: dict[str, Json]) -> list[str]:
    parts = [part.text for part in said(item).parts if isinstance(part, Text)]
    return [text for text in parts if not _PICTURE.fullmatch(text)]


def _without(text: str) -> str:
    rules = _RULES.match(text)
    return _OWN.without(text[rules.end() :] if rules else text)
