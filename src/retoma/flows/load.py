"""From a directory, or from the bytes of a stored version, to a Flow. Here alone this package reads files."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from retoma.errors import Invalid, NotFound
from retoma.flows import json_tree, tools, tree
from retoma.flows.fields import Fields
from retoma.flows.model import ENTRY_NAMES, EXTENSIONS, Flow, Node, Problem, without_extension
from retoma.flows.tree import TreeError
from retoma.flows.validate import examine, refusal
from retoma.flows.written import trimmed
from retoma.model.flow import version_of

MAX_FILE = 1 << 20
MAX_FILES = 10_000
MAX_SIZE = 64 << 20
MAX_DEPTH = 50


def load(path: str | os.PathLike[str]) -> Flow:
    """Return the flow in the directory `path`.

    Raises NotFound when there is no such directory, and Invalid (`flow_invalid`, with `problems`) naming
    everything that is wrong in any of its files. What reads well may still not run: see `check`.
    """
    files, problems = _read(path)
    return _build(_name(path), files, problems)


def read_files(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Return the files that define the flow in the directory `path`, by their path below it."""
    files, problems = _read(path)
    if problems:
        raise refusal(_name(path), problems)
    return files


def parse(name: str, files: Mapping[str, bytes]) -> Flow:
    """Return the flow that `files` define; `name` is its directory's. Raises Invalid as `load` does."""
    return _build(name, files, [])


def _name(path: str | os.PathLike[str]) -> str:
    return Path(os.path.abspath(path)).name  # noqa: PTH100 (a link keeps its own name)


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, bytes], list[Problem]]:
    root = Path(path)
    try:
        mode = root.stat().st_mode
    except (OSError, ValueError) as error:
        raise NotFound(
            f"There is no flow at {str(path)!r}.",
            code="flow_not_found",
            hint="Give a directory that holds nodes.",
        ) from error
    if not stat.S_ISDIR(mode):
        raise Invalid(
            f"{str(path)!r} is a file; a flow is a directory.",
            code="flow_invalid",
            hint=f"Run {str(root.parent)!r} instead.",
            problems=[],
        )
    walk = _Walk(root)
    walk.directory(root, PurePosixPath())
    return walk.files, walk.problems


class _Walk:
    """Reads a directory and what is below it; links are followed only while they stay inside it."""

    def __init__(self, root: Path) -> None:
        self._real = root.resolve()
        self.files: dict[str, bytes] = {}
        self.problems: list[Problem] = []
        self._size = 0
        self._full = False

    def directory(self, path: Path, below: PurePosixPath) -> None:
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            self._problem(str(below), f"This directory cannot be read: {error.strerror}.")
            return
        for entry in entries:
            if not entry.name.startswith("."):
                self._entry(entry, below / entry.name)

    def _entry(self, entry: os.DirEntry[str], below: PurePosixPath) -> None:
        try:
            is_directory = entry.is_dir()
        except OSError as error:
            if _defines(below):
                self._problem(str(below), f"This link cannot be followed: {error.strerror}.", "Remove it.")
            return
        if not is_directory and not _defines(below):
            return
        if entry.is_symlink() and not self._inside(entry, str(below), is_directory):
            return
        if is_directory and len(below.parts) > MAX_DEPTH:
            self._problem(str(below), f"This directory is nested more than {MAX_DEPTH} deep.")
        elif is_directory:
            self.directory(Path(entry.path), below)
        elif entry.is_file() and self._has_room(str(below)):
            self._file(entry, str(below))

    def _has_room(self, below: str) -> bool:
        room = len(self.files) < MAX_FILES and self._size < MAX_SIZE
        if not room and not self._full:
            self._full = True
            limits = f"{MAX_FILES:,} files and {MAX_SIZE >> 20} MiB"
            self._problem(
                below, f"A flow has at most {limits}, and this file is past that.", "Is this the directory?"
            )
        return room

    def _inside(self, entry: os.DirEntry[str], below: str, is_directory: bool) -> bool:
        target = Path(entry.path).resolve()
        if not target.is_relative_to(self._real):
            self._problem(
                below, "This link leads out of the flow's directory.", "Copy what it points to into the flow."
            )
            return False
        if is_directory and Path(entry.path).parent.resolve().is_relative_to(target):
            self._problem(below, "This link leads back to a directory that holds it.", "Remove the link.")
            return False
        return True

    def _file(self, entry: os.DirEntry[str], below: str) -> None:
        if any(letter < " " for letter in below):
            self._problem(ascii(below), "The name of this file holds a control character.", "Rename it.")
            return
        try:
            below.encode()
            with Path(entry.path).open("rb") as file:
                # One byte more than is allowed, so that what is too long shows without being read whole.
                self.files[below] = file.read(MAX_FILE + 1)
            self._size += len(self.files[below])
        except UnicodeEncodeError:
            self._problem(ascii(below), "The name of this file is not UTF-8.", "Rename it.")
        except OSError as error:
            self._problem(below, f"This file cannot be read: {error.strerror}.")

    def _problem(self, below: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(below, 1, "error", message, hint))


def _defines(path: PurePosixPath) -> bool:
    return str(path) in tools.FILES or _is_node(path)


def _is_node(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix in EXTENSIONS and path.name not in ("README.md", *tools.FILES) and not hidden


def _build(name: str, files: Mapping[str, bytes], problems: list[Problem]) -> Flow:
    """Read every file, then raise all that is wrong at once; what reads well is examined whole even so."""
    found = list(problems)
    nodes: dict[str, Node] = {}
    broken: set[str] = set()
    for path in sorted(files):
        if _is_node(PurePosixPath(path)):
            _add(nodes, broken, path, files[path], found)
    aliases = _aliases(nodes, found)
    listed, wrong = tools.of_files(files)
    found += wrong
    entry = next((one for one in (*ENTRY_NAMES, name) if one in nodes or one in broken), "")
    entry = entry or next((aliases[one] for one in (*ENTRY_NAMES, name) if one in aliases), "")
    if not entry:
        found.append(Problem(".", 1, "error", "There is no entry node.", _entry_hint(name, nodes)))
    flow = Flow(
        name=name,
        entry=entry,
        nodes=nodes,
        aliases=aliases,
        default_error="error" if "error" in nodes else "",
        secrets=_secrets(nodes),
        tools=listed,
        files=dict(files),
        version=version_of(files),
        warnings=tuple(one for one in found if one.level == "warning"),
    )
    if any(one.level == "error" for one in found):
        raise refusal(name, [*(one for one in found if one.level == "error"), *examine(flow, broken=broken)])
    return flow


def _secrets(nodes: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for node in nodes.values():
        if node.asks == "secret" and node.save_to:
            found[node.save_to] = (*found.get(node.save_to, ()), node.id)
    return found


def _entry_hint(name: str, nodes: Mapping[str, Node]) -> str:
    tried = (*ENTRY_NAMES, name)
    meant = next((node for node in nodes.values() if node.id.lower() in tried), None)
    if meant is not None:
        return f"Rename {meant.file} to {meant.file.lower()}."
    return f"Add one of: {', '.join(tried)} (for example start.md)."


def _add(nodes: dict[str, Node], broken: set[str], path: str, data: bytes, found: list[Problem]) -> None:
    node_id = without_extension(path)
    if node_id in nodes or node_id in broken:
        other = nodes[node_id].file if node_id in nodes else "another file"
        found.append(
            Problem(path, 1, "error", f"The id {node_id!r} is {other}'s too.", "Rename one of the two files.")
        )
        return
    try:
        node, problems = _node(node_id, path, data)
    except TreeError as error:
        broken.add(node_id)
        found.append(Problem(path, error.line, "error", error.message, error.hint))
        return
    nodes[node_id] = node
    found += problems


def _node(node_id: str, path: str, data: bytes) -> tuple[Node, list[Problem]]:
    text = _text(data)
    content, content_line = "", 1
    if path.endswith(".md"):
        head, content, content_line = _front_matter(text)
        root = tree.read(head, first_line=2)
        content, content_line = trimmed(content, content_line)
    else:
        root = json_tree.read(text) if path.endswith(".json") else tree.read(text)
    if root is None or (isinstance(root, tree.Scalar) and root.value is None):
        root = tree.Mapping({}, {}, 1)
    if not isinstance(root, tree.Mapping):
        raise TreeError("A node must be a mapping of keys.", root.line, "Write key: value, one a line.")
    fields = Fields(path, root)
    node = fields.node(node_id, content, content_line)
    if (
        path.endswith(".md")
        and not text.startswith("---\n")
        and text.lstrip().split("\n", 1)[0].rstrip() == "---"
    ):
        hint = "Begin the file with a line that is exactly ---."
        fields.problems.append(Problem(path, 1, "warning", "This front matter is read as content.", hint))
    return node, fields.problems


def _text(data: bytes) -> str:
    if len(data) > MAX_FILE:
        raise TreeError("This file is over 1 MiB.", 1, "Split it into several nodes.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TreeError("This file is not UTF-8.", line, "Save it as UTF-8.") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TreeError("This file holds a NUL, so it is no text.", line, "Give it another extension.")
    return text


def _front_matter(text: str) -> tuple[str, str, int]:
    """Return (front matter, content, the line at which the content begins)."""
    lines = text.split("\n")
    if lines[0] != "---":
        return "", text, 1
    if "---" not in lines[1:]:
        raise TreeError(
            "The front matter that begins here has no closing line.", 1, "End it with a line that is ---."
        )
    close = lines.index("---", 1)
    return "\n".join(lines[1:close]), "\n".join(lines[close + 1 :]), close + 2


def _aliases(nodes: Mapping[str, Node], found: list[Problem]) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for node in nodes.values():
        alias = without_extension(node.alias)
        if not alias or alias == node.id:
            continue
        taken = nodes.get(alias) or nodes.get(aliases.get(alias, ""))
        if taken is None:
            aliases[alias] = node.id
            continue
        message = f"The id {alias!r} is {taken.file}'s too."
        found.append(Problem(node.file, node.line("id"), "error", message, "Give one of the two another id."))
    return aliases
