"""A flow as it was read: nodes, names and the bytes they came from. Data only: nothing here decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

import msgspec

from retoma.model.codec import JsonField, JsonMap
from retoma.model.flow import InputType
from retoma.programs.allow_list import Tool
from retoma.template.functions import composed
from retoma.trees.problem import Problem

NodeType: TypeAlias = Literal["text", "question", "tool", "format", "start"]

ROLLBACK = "rollback"
"""The target that is no node: what was done is taken back, and the flow has failed."""

ENTRY_NAMES = ("start", "main", "index")
EXTENSIONS = (".md", ".json", ".yaml", ".yml")


class Transition(msgspec.Struct, frozen=True):
    """One way out, unconditional without `condition` and `text`; `text` is the input that selects it."""

    to: str
    condition: str = ""
    text: str = ""
    line: int = 1


class Option(msgspec.Struct, frozen=True):
    """A choice: `text` is shown and selects it. Without `to`, the transitions decide where it leads."""

    text: str
    to: str = ""
    condition: str = ""
    line: int = 1


class Message(msgspec.Struct, frozen=True):
    """One wording of a `format` node, used when its condition holds."""

    text: str
    condition: str = ""
    line: int = 1


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that a node calls (`do`), or that takes back what it did (`undo`).

    `args` is as written, its texts templates; `texts` has each of them with its line. `id` names the call in
    `tool_result`. `inline` is what the author says to run when no list names the tool: a program and its arguments.
    """

    name: str
    args: JsonField = None
    id: str = ""
    confirm: str = ""
    inline: tuple[str, ...] = ()
    line: int = 1
    texts: tuple[tuple[str, int], ...] = ()


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node. `lines` has the line of each key that the author wrote, known or not.

    `content_line` is the line of the file at which `content` begins. `unsupported` names the keys that this
    version reads but cannot run.
    """

    id: str
    file: str
    lines: Mapping[str, int] = {}
    content: str = ""
    content_line: int = 1
    alias: str = ""
    type: NodeType = "text"
    to: str = ""
    transitions: tuple[Transition, ...] = ()
    options: tuple[Option, ...] = ()
    wait: bool = False
    input_type: InputType | None = None
    input_options: tuple[str, ...] = ()
    input_default: str | None = None
    save_to: str = ""
    timeout_s: float | None = None
    required_context: tuple[str, ...] = ()
    default_context: JsonMap = {}
    context_schema: Mapping[str, str] = {}
    on_error: str = ""
    on_denied: str = ""
    on_signal: Mapping[str, str] = {}
    on_signal_default: Mapping[str, str] = {}
    messages: Mapping[str, tuple[Message, ...]] = {}
    metadata: JsonMap = {}
    language: str = ""
    do: ToolUse | None = None
    undo: ToolUse | None = None
    unsupported: tuple[str, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether the node stops for input as soon as it is entered."""
        return self.wait or self.type == "question" or self.asks is not None

    @property
    def asks(self) -> InputType | None:
        """The kind of input that was written, or that options imply."""
        if self.input_type is None and (self.options or self.input_options):
            return "choice"
        return self.input_type

    @property
    def has_way_out(self) -> bool:
        """Whether any input at all could lead on; a node without one ends the flow."""
        return bool(
            self.to or self.transitions or self.on_denied or any(option.to for option in self.options)
        )

    def line(self, key: str) -> int:
        return self.lines.get(key, 1)

    def targets(self) -> list[tuple[str, str, int]]:
        """Every (key, target, line) that the node names."""
        found: list[tuple[str, str, int]] = []
        for key, to in (("to", self.to), ("on_error", self.on_error), ("on_denied", self.on_denied)):
            if to:
                found.append((key, to, self.line(key)))
        if self.options:
            found += [("options", option.to, option.line) for option in self.options if option.to]
        if self.transitions:
            found += [("transitions", way.to, way.line) for way in self.transitions]
        for key, handlers in (("on_signal", self.on_signal), ("on_signal_default", self.on_signal_default)):
            for name, to in handlers.items():
                found.append((key, to, self.lines.get(f"on_{name}", self.line(key))))
        return found


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow, whole: its nodes by id and the files that define it.

    `secrets` has for each context key that a secret is saved to the nodes that ask for it. `tools` is the allow-list
    that its directory brings, by name.
    `warnings` are those of its files, or all that `check` has.
    `version` identifies the files' content and paths: BLAKE3 over the files sorted by path, each path and
    each content led by its length, so that no two different sets of files read the same.
    """

    name: str
    entry: str
    nodes: Mapping[str, Node]
    aliases: Mapping[str, str] = {}
    default_error: str = ""
    secrets: Mapping[str, tuple[str, ...]] = {}
    tools: Mapping[str, Tool] = {}
    files: Mapping[str, bytes] = {}
    version: str = ""
    warnings: tuple[Problem, ...] = ()

    def resolve(self, target: str) -> str | None:
        """Return the id of the node that `target` names: by path, then by alias; None when there is none."""
        return resolved(target, self.nodes, self.aliases)


def resolved(target: str, ids: Collection[str], aliases: Mapping[str, str]) -> str | None:
    """Return which of the `ids` the `target` names: by path, then by alias; None when it names none."""
    if target in ids:
        return target
    if target in aliases:
        return aliases[target]
    name = without_extension(target)
    if name in ids or name in aliases:
        return name if name in ids else aliases[name]
    if target.isascii():
        return None
    # A file system may keep a name in another form than a person types it.
    wanted = (composed(target), composed(name))
    same = next((id for id in ids if composed(id) in wanted), None)
    return same or next((id for alias, id in aliases.items() if composed(alias) in wanted), None)


def without_extension(name: str) -> str:
    """Return `name` without the extension of a node's file, if it has one."""
    for extension in EXTENSIONS:
        if name.endswith(extension):
            return name.removesuffix(extension)
    return name
