"""The allow-list: `tools.yaml` (or .yml, .json) at a flow's root, read whole with every problem and its line."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from pathlib import Path

import msgspec

from retoma.config.opened import open_file
from retoma.errors import NotFound
from retoma.model.nearest import did_you_mean
from retoma.model.times import timeout_s
from retoma.trees import json_tree, tree
from retoma.trees.problem import Problem, refusal
from retoma.trees.tree import Mapping, Scalar, Sequence, Tree, TreeError
from retoma.trees.written import is_null, named

FILES = ("tools.yaml", "tools.yml", "tools.json")
KEYS = ("name", "command", "args", "env", "description", "timeout", "retries")
MAX_RETRIES = 100

RESERVED = ("TRELLIS_ARGS", "RETOMA_")
"""What a tool is told by the environment; an allow-list cannot say it otherwise."""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool on the allow-list: a program with fixed arguments, run without a shell.

    `timeout_s` is None when it may take as long as it likes. It is started again up to `retries` times when it fails.
    """

    name: str
    command: str
    args: tuple[str, ...] = ()
    env: MappingOf[str, str] = {}
    description: str = ""
    timeout_s: float | None = None
    retries: int = 0
    line: int = 1


def of_files(files: MappingOf[str, bytes]) -> tuple[dict[str, Tool], list[Problem]]:
    """Return the allow-list that a flow's files bring, by name, and what is wrong with it."""
    there = [name for name in FILES if name in files]
    if not there:
        return {}, []
    tools, problems = read(there[0], files[there[0]])
    for other in there[1:]:
        message = f"This file is ignored: the flow's tools are in {there[0]}."
        problems.append(Problem(other, 1, "error", message, "Keep one of the two."))
    return tools, problems


def read(file: str, data: bytes) -> tuple[dict[str, Tool], list[Problem]]:
    """Return the tools that the file lists, and what is wrong with it."""
    reader = _Reader(file)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        root = json_tree.read(text) if file.endswith(".json") else tree.read(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return {}, [Problem(file, line, "error", "This file is not UTF-8.", "Save it as UTF-8.")]
    except TreeError as error:
        return {}, [Problem(file, error.line, "error", error.message, error.hint)]
    return reader.list(root), reader.problems


def listed_in(file: Path) -> dict[str, Tool]:
    """Return the tools that `file` lists. Raises NotFound, and Invalid naming all that is wrong with it."""
    try:
        with open_file(file) as opened_file:
            data = opened_file.read()
    except (OSError, ValueError) as error:
        raise NotFound(
            f"The tools' file {str(file)!r} cannot be read.", code="no_tools", hint="Give --tools a file."
        ) from error
    found, problems = read(str(file), data)
    if any(problem.level == "error" for problem in problems):
        raise refusal(f"The file {str(file)!r}", problems, code="tools_invalid")
    return found


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failures: 1 s, 2 s, 4 s, at most a minute."""
    return float(min(1 << min(failures - 1, 6), 60))


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self.problems: list[Problem] = []

    def list(self, root: Tree | None) -> dict[str, Tool]:
        if root is None or is_null(root):
            return {}
        listed: Tree | None = root
        if isinstance(root, Mapping):
            self._unknown(root, ("tools",), "this file")
            listed = root.items.get("tools")
            if listed is None or is_null(listed):
                return {}
        if not isinstance(listed, Sequence):
            self._problem(root.line, "This file must have a list 'tools'.", "tools: [{name: …, command: …}]")
            return {}
        found: dict[str, Tool] = {}
        for item in listed.items:
            tool = self._tool(item)
            if tool is not None and tool.name in found:
                self._problem(item.line, f"The tool {tool.name!r} appears twice.")
            elif tool is not None:
                found[tool.name] = tool
        return found

    def _tool(self, item: Tree) -> Tool | None:
        if not isinstance(item, Mapping):
            self._problem(item.line, f"A tool must be a mapping, not {named(item)}.", "{name: …, command: …}")
            return None
        self._unknown(item, KEYS, "a tool")
        name = self._text(item, "name")
        command, *first = self._command(item) or ("",)
        for key, value in (("name", name), ("command", command)):
            if not value and not isinstance(item.items.get(key), Sequence | Mapping):
                self._problem(item.line, f"This tool has no {key!r}.")
        if any(letter < " " for letter in name):
            self._problem(item.line, "A tool's name must be one line.")
        if not name or not command:
            return None
        return Tool(
            name=name,
            command=command,
            args=(*first, *self._texts(item, "args")),
            env=self._env(item),
            description=self._text(item, "description"),
            timeout_s=self._timeout(item),
            retries=self._retries(item),
            line=item.line,
        )

    def _text(self, item: Mapping, key: str) -> str:
        found = item.items.get(key)
        if found is None or is_null(found):
            return ""
        if isinstance(found, Scalar):
            return found.text.strip()
        self._wrong(found, key, "a text")
        return ""

    def _command(self, item: Mapping) -> tuple[str, ...]:
        """Return the program, and the arguments that stand before `args` when the command is a list."""
        found = item.items.get("command")
        if not isinstance(found, Sequence):
            return (self._text(item, "command"),)
        texts = self._texts(item, "command")
        if not any(texts[:1]) and all(isinstance(one, Scalar) for one in found.items):
            self._problem(item.line, "This tool has no 'command'.")
        return texts

    def _texts(self, item: Mapping, key: str) -> tuple[str, ...]:
        found = item.items.get(key)
        if found is None or is_null(found):
            return ()
        if not isinstance(found, Sequence) or not all(isinstance(one, Scalar) for one in found.items):
            self._wrong(found, key, "a list of texts")
            return ()
        return tuple(one.text for one in found.items if isinstance(one, Scalar))

    def _env(self, item: Mapping) -> dict[str, str]:
        found = item.items.get("env")
        if found is None or is_null(found):
            return {}
        if not isinstance(found, Mapping):
            self._wrong(found, "env", "a mapping of names")
            return {}
        env = {}
        for name, value in found.items.items():
            if not isinstance(value, Scalar):
                self._wrong(value, f"env.{name}", "a text")
            elif name.startswith(RESERVED) or not name or "=" in name or "\0" in name + value.text:
                self._problem(value.line, f"The variable {name!r} cannot be set here.")
            else:
                env[name] = value.text
        return env

    def _timeout(self, item: Mapping) -> float | None:
        text = self._text(item, "timeout")
        seconds = timeout_s(text) if text else None
        if text and seconds is None:
            line = item.items["timeout"].line
            self._problem(line, f"'timeout' cannot be {text!r}.", "Write a duration: 5s, 1m30s.")
        return seconds

    def _retries(self, item: Mapping) -> int:
        text = self._text(item, "retries")
        if not text:
            return 0
        if text.isascii() and text.isdecimal() and int(text) <= MAX_RETRIES:
            return int(text)
        self._problem(item.items["retries"].line, f"'retries' must be a number from 0 to {MAX_RETRIES}.")
        return 0

    def _wrong(self, found: Tree, key: str, wanted: str) -> None:
        self._problem(found.line, f"{key!r} must be {wanted}, not {named(found)}.")

    def _unknown(self, item: Mapping, known: tuple[str, ...], of: str) -> None:
        for key, line in item.keys.items():
            if key not in known:
                hint = did_you_mean(key, known, f"There are: {', '.join(known)}.")
                message = f"The key {key!r} of {of} is unknown."
                self.problems.append(Problem(self._file, line, "warning", message, hint))

    def _problem(self, line: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self._file, line, "error", message, hint))
