"""Sessions of Codex CLI: `rollout-….jsonl`, whose lines wrap items of OpenAI's Responses."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from typing import Final

import msgspec

from retoma.importers.responses import KNOWN, answered, asked, kind_of, said
from retoma.model.codec import Json
from retoma.model.message import read_aloud
from retoma.service.transfer.foreign import (
    Draft,
    Foreign,
    Profile,
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
# What the tool itself puts before a prompt.
_PUT_IN = re.compile(r"\s*(?:<[a-z_]+>|# AGENTS\.md)")


def is_record(value: dict[str, Json]) -> bool:
    """Return whether an object looks like a line of this format."""
    wrapped = words(value.get("type")) in _WRAPPED and "payload" in value
    return wrapped or "record_type" in value or "instructions" in value or kind_of(value) in KNOWN


def sessions(given: Given, notices: Notices) -> Iterator[Foreign]:
    """Yield the session of a file."""
    with Records() as records:
        read = _Read(given, records, notices)
        numbers = array("Q", range(len(records)))
        yield Foreign(
            tool=_TOOL,
            id=read.id,
            created_at=records.at(0),
            drafts=lambda: records.drafts(numbers, _TOOL, lambda number: _drafts(records, number)),
            profile=read.profile(),
        )


class _Read:
    def __init__(self, given: Given, records: Records, notices: Notices) -> None:
        self._meta: dict[str, Json] = {}
        self._prompt = self._model = ""
        calls: dict[str, tuple[str, int]] = {}
        ids = Ids(lambda *key: identity(_TOOL, *key), notices)
        for found in Lines(given.stream, notices, is_record):
            value = found.value if isinstance(found, Entry) else {}
            id = ids.of("", found)
            assert id is not None, "a record without an id is kept each time it appears"
            records.add(found, id, moment(value.get("timestamp")))
            item = _item(value)
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
                self._prompt = _typed(item)
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


def _typed(item: dict[str, Json]) -> str:
    """Return what a user typed in an item; empty when the tool put it in."""
    text = read_aloud(said(item).parts)
    return "" if _PUT_IN.match(text) else text
