"""What a node says of a tool: `do` and `undo` as they were written, read as calls."""

from __future__ import annotations

from collections.abc import Iterator

from retoma.flows.model import ToolUse
from retoma.model.codec import Json
from retoma.model.nearest import did_you_mean
from retoma.trees.problem import Problem
from retoma.trees.tree import Mapping, Scalar, Sequence, Tree, plain
from retoma.trees.written import is_null, named

KEYS = ("name", "args", "id", "metadata", "description")
INLINE = "x-exec"
CONFIRM = "confirm_msg"


def read(
    file: str, key: str, tree: Tree | None, of_node: Tree | None
) -> tuple[ToolUse | None, list[Problem]]:
    """Return the call that the node's `key` makes, if it makes one, and what is wrong with it.

    `of_node` is the node's own metadata, which holds for what the call's does not say.
    """
    reader = _Reader(file, key)
    use = None if tree is None or is_null(tree) else reader.use(tree, of_node)
    return use, reader.problems


class _Reader:
    def __init__(self, file: str, key: str) -> None:
        self._file = file
        self._key = key
        self.problems: list[Problem] = []

    def use(self, tree: Tree, of_node: Tree | None) -> ToolUse | None:
        items = tree.items if isinstance(tree, Mapping) else {}
        if isinstance(tree, Mapping):
            self._unknown(tree)
        name = self._name(tree)
        if name is None:
            return None
        args = items.get("args")
        own, node = _mapping(items.get("metadata")), _mapping(of_node) if self._key != "undo" else {}
        return ToolUse(
            name=name,
            args=self._args(args),
            id=self._text(items.get("id"), "id"),
            confirm=self._text(own.get(CONFIRM) or node.get(CONFIRM), CONFIRM),
            inline=self._inline(own.get(INLINE) or node.get(INLINE)),
            line=tree.line,
            texts=tuple(_texts(args)) if args is not None else (),
        )

    def _name(self, tree: Tree) -> str | None:
        named_by = tree.items.get("name") if isinstance(tree, Mapping) else tree
        if isinstance(tree, Sequence):
            self._problem(
                tree.line, f"{self._key!r} must be a tool's name or a mapping with 'name', not a list."
            )
        elif not isinstance(named_by, Scalar) or not named_by.text.strip():
            self._problem(tree.line, f"{self._key!r} must have a 'name'.", "Give the tool's name.")
        elif any(letter < " " for letter in named_by.text.strip()):
            self._problem(named_by.line, "A tool's name must be one line.")
        else:
            return named_by.text.strip()
        return None

    def _args(self, tree: Tree | None) -> Json:
        if tree is None or is_null(tree):
            return {}
        if isinstance(tree, Scalar) and "{{" not in tree.text:
            self._problem(tree.line, f"'args' must be a mapping, a list or a template, not {named(tree)}.")
        return plain(tree)

    def _inline(self, tree: Tree | None) -> tuple[str, ...]:
        if tree is None or is_null(tree):
            return ()
        items = tree.items if isinstance(tree, Mapping) else {}
        command, args = items.get("command"), items.get("args")
        if not isinstance(command, Scalar) or not command.text.strip():
            self._problem(tree.line, f"'{INLINE}' must have a 'command'.", "Give a program.")
            return ()
        if args is not None and not (
            isinstance(args, Sequence) and all(isinstance(one, Scalar) for one in args.items)
        ):
            self._problem(args.line, f"The 'args' of '{INLINE}' must be a list of texts.")
            return ()
        given = args.items if isinstance(args, Sequence) else []
        return (command.text.strip(), *(one.text for one in given if isinstance(one, Scalar)))

    def _text(self, tree: Tree | None, key: str) -> str:
        if tree is None or is_null(tree):
            return ""
        if isinstance(tree, Scalar):
            return tree.text.strip()
        self._problem(tree.line, f"{key!r} must be a text, not {named(tree)}.")
        return ""

    def _unknown(self, tree: Mapping) -> None:
        for key, line in tree.keys.items():
            if key not in KEYS:
                hint = did_you_mean(key, KEYS, f"There are: {', '.join(KEYS)}.")
                message = f"The key {key!r} of {self._key!r} is unknown."
                self.problems.append(Problem(self._file, line, "warning", message, hint))

    def _problem(self, line: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self._file, line, "error", message, hint))


def _mapping(tree: Tree | None) -> dict[str, Tree]:
    return tree.items if isinstance(tree, Mapping) else {}


def _texts(tree: Tree) -> Iterator[tuple[str, int]]:
    """Yield each text that may be a template, with its line."""
    match tree:
        case Scalar():
            if isinstance(tree.value, str):
                yield tree.text, tree.text_line
        case Sequence():
            for item in tree.items:
                yield from _texts(item)
        case Mapping():
            for item in tree.items.values():
                yield from _texts(item)
