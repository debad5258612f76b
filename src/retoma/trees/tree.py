"""YAML and JSON as the author wrote them: each scalar with its text and its place.

The text is kept beside the value so that an option written as a bare `yes` or `1` stays that text. Values
follow YAML 1.2: only `true` and `false` are booleans. Built from parser events without recursion: no document
can construct an object, exhaust the stack or expand past `MAX_NODES`.
"""

from __future__ import annotations

import math
import re
from typing import TypeAlias

import msgspec
import yaml
from yaml import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, ScalarEvent

from retoma.errors import Invalid
from retoma.model.codec import Json

MAX_NODES = 10_000
MAX_DEPTH = 100

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(
    r"[-+]?([0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40}|[0-9]{1,40}(?=[eE]))([eE][-+]?[0-9]{1,3})?"
)
_NUMERIC = "+-.0123456789"
"""What a number begins with."""

_WORDS: dict[str, Json] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


class Scalar(msgspec.Struct, frozen=True):
    """`text` as written, `value` as meant; the text itself begins at `text_line` (a block starts below)."""

    text: str
    value: Json
    line: int
    text_line: int
    plain: bool = True


class Sequence(msgspec.Struct, frozen=True):
    items: list[Tree]
    line: int


class Mapping(msgspec.Struct, frozen=True):
    """`keys` has each key's line."""

    items: dict[str, Tree]
    keys: dict[str, int]
    line: int


Tree: TypeAlias = Scalar | Sequence | Mapping


class TreeError(Invalid):
    """The text is not what its extension says; `line` is where it stops to be."""

    def __init__(self, message: str, line: int, hint: str = "") -> None:
        super().__init__(message, code="flow_syntax", hint=hint)
        self.line = line


def read(text: str, *, first_line: int = 1) -> Tree | None:
    """Return the one document of `text`, or None when it says nothing. Lines count from `first_line`."""
    builder = _Builder(first_line)
    try:
        loader = yaml.CSafeLoader(text)
        while (event := loader.get_event()) is not None:
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = mark.line if mark else 0
        if mark and _open_before(text, mark.index) > MAX_DEPTH:
            raise _too_deep(first_line + at) from error
        problem = error.problem or error.context or ""
        hint = _hint(problem, text.split("\n")[at : at + 1])
        raise TreeError(f"This is not valid YAML: {problem}.", first_line + at, hint) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise TreeError(
            "This is not valid YAML: it contains a character that YAML does not allow.", first_line
        ) from error
    return builder.root


def _hint(problem: str, lines: list[str]) -> str:
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in lines):
        return "Indent with spaces, not with tabs."
    if problem.startswith("mapping values"):
        return "Put a text that holds ': ' in quotes."
    return "Check the quotes, brackets and indentation here and just above."


def plain(tree: Tree) -> Json:
    """Return the data alone."""
    match tree:
        case Scalar():
            return tree.value
        case Sequence():
            return [plain(item) for item in tree.items]
        case Mapping():
            return {key: plain(item) for key, item in tree.items.items()}


def meaning(text: str) -> Json:
    """Return what an unquoted scalar means: null, a truth value, a number, or the text itself.

    What would not survive the way to JSON and back (a leading zero, an infinity, a huge number) stays text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INT.fullmatch(text):
        number = int(text)
        return number if -(2**63) <= number < 2**63 else text
    if _FLOAT.fullmatch(text):
        real = float(text)
        return real if math.isfinite(real) else text
    return text


class _Open:
    """A collection whose end has not been read; `key` is the mapping key that waits for its value."""

    def __init__(self, tree: Sequence | Mapping, anchor: str | None) -> None:
        self.tree = tree
        self.anchor = anchor
        self.key: Scalar | None = None
        self.merges: list[Tree] = []


class _Builder:
    def __init__(self, first_line: int) -> None:
        self.root: Tree | None = None
        self._first = first_line
        self._open: list[_Open] = []
        self._anchors: dict[str, Tree | None] = {}
        self._count = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        line = self._first + (mark.line if mark else 0)
        # By far the most events are scalars; a match over all kinds took as long as what is done with them.
        if type(event) is ScalarEvent:
            self._scalar(event, line)
        elif isinstance(event, CollectionStartEvent):
            self._begin(event, line)
        elif isinstance(event, CollectionEndEvent):
            self._close(line)
        elif isinstance(event, AliasEvent):
            self._alias(str(event.anchor), line)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise TreeError("A second YAML document starts here.", line, "A node must be one document.")

    def _begin(self, event: CollectionStartEvent, line: int) -> None:
        self._grow(1, line)
        anchor = _anchor(event, line)
        if len(self._open) >= MAX_DEPTH:
            raise _too_deep(line)
        tree: Sequence | Mapping = (
            Sequence([], line) if isinstance(event, yaml.SequenceStartEvent) else Mapping({}, {}, line)
        )
        if anchor:
            self._anchors[anchor] = None
        self._open.append(_Open(tree, anchor))

    def _scalar(self, event: ScalarEvent, line: int) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise _too_many(line)
        text, style = event.value, event.style
        if not style:
            scalar = Scalar(text, meaning(text), line, line)
        else:
            scalar = Scalar(text, text, line, line + 1 if style in "|>" else line, plain=False)
        if (event.tag is not None or event.anchor) and (anchor := _anchor(event, line)):
            self._anchors[anchor] = scalar
        top = self._open[-1] if self._open else None
        if top is not None and top.key is None and type(top.tree) is Mapping:
            top.key = scalar
        else:
            self._place(scalar, line)

    def _alias(self, anchor: str, line: int) -> None:
        tree = self._anchors.get(anchor)
        if tree is None:
            raise TreeError(f"The alias *{anchor} does not refer to an anchor above it.", line)
        self._grow(_size(tree), line)
        self._place(tree, line)

    def _grow(self, by: int, line: int) -> None:
        self._count += by
        if self._count > MAX_NODES:
            raise _too_many(line)

    def _place(self, tree: Tree, line: int) -> None:
        if not self._open:
            self.root = tree
            return
        top = self._open[-1]
        if isinstance(top.tree, Sequence):
            top.tree.items.append(tree)
        elif top.key is None:
            if not isinstance(tree, Scalar):
                raise TreeError("A key must be a text.", line)
            top.key = tree
        else:
            self._pair(top, top.tree, top.key, tree)
            top.key = None

    def _pair(self, top: _Open, mapping: Mapping, key: Scalar, value: Tree) -> None:
        if key.plain and key.text == "<<":
            top.merges.append(value)
        elif key.text in mapping.items:
            raise TreeError(
                f"The key {key.text!r} appears twice.",
                key.line,
                f"The first one is at line {mapping.keys[key.text]}.",
            )
        else:
            mapping.items[key.text] = value
            mapping.keys[key.text] = key.line

    def _close(self, line: int) -> None:
        done = self._open.pop()
        if isinstance(done.tree, Mapping):
            _merge(done.tree, done.merges, line)
        if done.anchor:
            self._anchors[done.anchor] = done.tree
        self._place(done.tree, line)


def _too_deep(line: int) -> TreeError:
    return TreeError(f"This is nested more than {MAX_DEPTH} deep.", line)


def _open_before(text: str, index: int) -> int:
    """Return how many brackets are open there: libyaml reads ahead, and has a limit (and words) of its own for them."""
    return sum(text.count(sign, 0, index) * way for sign, way in zip("[{]}", (1, 1, -1, -1), strict=True))


def _too_many(line: int) -> TreeError:
    return TreeError(f"This contains more than {MAX_NODES:,} values, its anchors counted.", line)


def _anchor(event: ScalarEvent | CollectionStartEvent, line: int) -> str | None:
    if event.tag is not None:
        raise TreeError(f"The tag {event.tag!r} is not allowed here.", line, "Write the value without a tag.")
    return str(event.anchor) if event.anchor else None


def _merge(into: Mapping, sources: list[Tree], line: int) -> None:
    # `<<` gives what is absent; an earlier source wins over a later one.
    for source in sources:
        for part in source.items if isinstance(source, Sequence) else [source]:
            if not isinstance(part, Mapping):
                raise TreeError("What << merges must be a mapping.", line)
            for key, value in part.items.items():
                into.items.setdefault(key, value)
                into.keys.setdefault(key, part.keys[key])


def _size(tree: Tree) -> int:
    size, todo = 0, [tree]
    while todo:
        item = todo.pop()
        size += 1
        if isinstance(item, Sequence):
            todo.extend(item.items)
        elif isinstance(item, Mapping):
            todo.extend(item.items.values())
    return size
