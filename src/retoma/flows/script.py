"""A script that tests a flow: what is typed, what its tools answer, and what is expected. Read with its lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from retoma.model.call import Came
from retoma.model.codec import Json, JsonField, JsonMap
from retoma.model.nearest import did_you_mean
from retoma.trees import tree
from retoma.trees.problem import Problem
from retoma.trees.tree import Mapping, Scalar, Sequence, Tree, TreeError, plain
from retoma.trees.written import is_null, named

KEYS = ("name", "context", "locale", "inputs", "tools", "expect")
INPUT_KEYS = ("input", "signal", "at")
ANSWER_KEYS = ("result", "error", "denied")
EXPECT_KEYS = ("node", "status", "failure", "context", "history", "calls", "output")
CALL_KEYS = ("name", "node", "args", "undo")
STATUSES = ("finished", "failed", "waiting_for_input")


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is typed, or with `signal` a signal that is sent; `at` is the node at which that must be."""

    text: str = ""
    signal: str = ""
    at: str = ""
    line: int = 1


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool answers, one after the other; one alone is the answer to every call."""

    each: tuple[Came, ...]
    always: bool
    line: int = 1


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A test of a flow. `expect` has only what was written; a value in it is compared as it is."""

    file: str
    name: str = ""
    context: JsonMap = {}
    locale: str = ""
    inputs: tuple[Input, ...] = ()
    tools: dict[str, Answers] = {}
    expect: dict[str, JsonField] = {}
    lines: dict[str, int] = {}


Read: TypeAlias = tuple[Script, list[Problem]]


def read(file: str, data: bytes) -> Read:
    """Return the script in `data`, and what is wrong with it."""
    reader = _Reader(file)
    try:
        root = tree.read(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Script(file=file), [Problem(file, 1, "error", "This file is not UTF-8.", "Save it as UTF-8.")]
    except TreeError as error:
        return Script(file=file), [Problem(file, error.line, "error", error.message, error.hint)]
    return reader.script(root), reader.problems


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self.problems: list[Problem] = []

    def script(self, root: Tree | None) -> Script:
        if not isinstance(root, Mapping):
            self._problem(
                root.line if root else 1,
                "A script must be a mapping of keys.",
                f"There are: {', '.join(KEYS)}.",
            )
            return Script(file=self._file)
        self._known(root, KEYS, "a script")
        items = root.items
        if "expect" not in items:
            self._problem(root.line, "This script has no 'expect'.", "Add 'expect'.")
        expect = self._mapping(items.get("expect"), "expect")
        return Script(
            file=self._file,
            name=self._text(items.get("name"), "name"),
            context=self._data(items.get("context"), "context"),
            locale=self._text(items.get("locale"), "locale"),
            inputs=tuple(self._inputs(items.get("inputs"))),
            tools=dict(self._tools(items.get("tools"))),
            expect=self._expect(expect),
            lines=dict(expect.keys) if expect else {},
        )

    def _inputs(self, found: Tree | None) -> Iterator[Input]:
        for item in self._list(found, "inputs"):
            if isinstance(item, Scalar):
                yield Input(text=item.text, line=item.line)
                continue
            if not isinstance(item, Mapping):
                self._problem(item.line, "An input is a text, or {input: …, at: …}, or {signal: …}.")
                continue
            self._known(item, INPUT_KEYS, "an input")
            if ("input" in item.items) is ("signal" in item.items):
                self._problem(item.line, "An input needs 'input' or 'signal'.")
                continue
            texts = {key: self._raw(value, key) for key, value in item.items.items() if key in INPUT_KEYS}
            yield Input(
                text=texts.get("input", ""),
                signal=texts.get("signal", ""),
                at=texts.get("at", ""),
                line=item.line,
            )

    def _tools(self, found: Tree | None) -> Iterator[tuple[str, Answers]]:
        mapping = self._mapping(found, "tools")
        for name, value in mapping.items.items() if mapping else ():
            each = value.items if isinstance(value, Sequence) else [value]
            answers = tuple(came for one in each if (came := self._answer(one)) is not None)
            yield name, Answers(each=answers, always=not isinstance(value, Sequence), line=value.line)

    def _answer(self, found: Tree) -> Came | None:
        keys = set(found.items) & set(ANSWER_KEYS) if isinstance(found, Mapping) else set()
        if not isinstance(found, Mapping) or len(keys) != 1:
            self._problem(
                found.line, "A tool's answer needs 'result', 'error' or 'denied'.", "{result: {id: 7}}"
            )
            return None
        self._known(found, ANSWER_KEYS, "an answer")
        if "result" in keys:
            return Came(outcome="done", result=plain(found.items["result"]))
        if "error" in keys:
            return Came(outcome="failed", text=self._raw(found.items["error"], "error"))
        why = self._raw(found.items["denied"], "denied")
        return Came(outcome="denied", text="it was not allowed." if why in ("true", "yes") else why)

    def _expect(self, found: Mapping | None) -> dict[str, Json]:
        if found is None:
            return {}
        self._known(found, EXPECT_KEYS, "expect")
        wanted = {key: plain(value) for key, value in found.items.items() if key in EXPECT_KEYS}
        status = wanted.get("status")
        if "status" in wanted and status not in STATUSES:
            hint = did_you_mean(str(status), STATUSES, f"There are: {', '.join(STATUSES)}.")
            self._problem(found.keys["status"], f"'status' cannot be {status!r}.", hint)
        for key in ("history", "calls"):
            self._list(found.items.get(key), key)
        for one in self._list(found.items.get("calls"), "calls"):
            if isinstance(one, Mapping):
                self._known(one, CALL_KEYS, "a call")
        self._mapping(found.items.get("context"), "context")
        return wanted

    def _list(self, found: Tree | None, key: str) -> list[Tree]:
        if found is None or is_null(found):
            return []
        if isinstance(found, Sequence):
            return found.items
        self._problem(found.line, f"{key!r} must be a list, not {named(found)}.")
        return []

    def _mapping(self, found: Tree | None, key: str) -> Mapping | None:
        if found is None or is_null(found):
            return None
        if isinstance(found, Mapping):
            return found
        self._problem(found.line, f"{key!r} must be a mapping, not {named(found)}.")
        return None

    def _data(self, found: Tree | None, key: str) -> dict[str, Json]:
        mapping = self._mapping(found, key)
        return {name: plain(value) for name, value in mapping.items.items()} if mapping else {}

    def _text(self, found: Tree | None, key: str) -> str:
        return "" if found is None or is_null(found) else self._raw(found, key).strip()

    def _raw(self, found: Tree, key: str) -> str:
        if isinstance(found, Scalar):
            return found.text
        self._problem(found.line, f"{key!r} must be a text, not {named(found)}.")
        return ""

    def _known(self, found: Mapping, known: tuple[str, ...], of: str) -> None:
        for key, line in found.keys.items():
            if key not in known:
                hint = did_you_mean(key, known, f"There are: {', '.join(known)}.")
                self._problem(line, f"The key {key!r} of {of} is unknown.", hint)

    def _problem(self, line: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self._file, line, "error", message, hint))
