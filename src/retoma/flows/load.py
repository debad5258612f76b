"""From a directory, or from the bytes of a stored version, to a Flow."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from retoma.errors import Invalid
from retoma.flows import files
from retoma.flows.fields import Fields
from retoma.flows.files import MAX_FILE, Look
from retoma.flows.garbage import uncollected
from retoma.flows.model import ENTRY_NAMES, Flow, Node, without_extension
from retoma.flows.parent import refuse_parent
from retoma.flows.validate import Examined, check, examine
from retoma.model.flow import version_of
from retoma.programs import allow_list
from retoma.trees import json_tree, tree
from retoma.trees.problem import Problem, refusal
from retoma.trees.tree import TreeError
from retoma.trees.written import trimmed


class Piece(msgspec.Struct, frozen=True):
    """One file as it was parsed: its node, or None and among the problems why there is none."""

    data: bytes
    id: str
    node: Node | None
    problems: tuple[Problem, ...] = ()


class Parsed:
    """What was parsed before: a file that has the same content is not parsed again."""

    def __init__(self) -> None:
        self.pieces: dict[str, Piece] = {}
        self.contents: dict[str, bytes] = {}
        self.nodes: dict[str, Node] = {}
        self.broken: set[str] = set()
        self.noted: set[str] = set()
        """The files of which there is something to say."""


def load(path: str | os.PathLike[str]) -> Flow:
    """Return the flow in the directory `path`.

    Raises NotFound when there is no such directory, and Invalid (`flow_invalid`, with `problems`) naming
    everything that is wrong in any of its files. What reads well may still not run: see `check`.
    """
    refuse_parent(path)
    found, problems = files.read(path, files.look(path))
    return _build(_name(path), found, problems, Parsed(), Examined())


def read_files(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Return the files that define the flow in the directory `path`, by their path below it."""
    found, problems = files.read(path, files.look(path))
    if problems:
        raise refusal(f"The flow {_name(path)!r}", problems)
    return found


def parse(name: str, contents: Mapping[str, bytes]) -> Flow:
    """Return the flow of files with these `contents`; `name` is its directory's. Raises Invalid as `load` does."""
    return _build(name, contents, [], Parsed(), Examined())


class Directory:
    """A flow's directory, loaded as often as it changes: what stayed is neither read, parsed nor examined again."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._name = _name(path)
        self._looked: Look | None = None
        self._seen = Look({})
        self._contents: dict[str, bytes] = {}
        self._parsed = Parsed()
        self._examined = Examined()
        self._ahead: _Loaded | None = None

    def look(self, told: Collection[str] | None = None) -> Look:
        """Return what is in the directory now. Raises NotFound, Invalid.

        With `told`, paths below it, nothing else changed since the last look.
        """
        before, self._looked = self._looked, None
        now = files.again(self._path, before, told) if before is not None and told is not None else None
        now = now or files.look(self._path)
        # The same object, where it is equal: it is compared faster.
        self._looked = before if now == before else now
        return self._looked

    def prepare(self, seen: Look) -> None:
        """Load what the look saw ahead of time. When the files still say the same, `load` has little left to do.

        Raises Unsettled as `load` does.
        """
        self._ahead = self._loaded(seen)

    def load(self, seen: Look) -> Flow:
        """Return the flow that the look saw, sound to run. Raises Invalid (`flow_invalid`), Unsettled.

        Unsettled: a file is not any more what the look saw; nothing was taken up, look again.
        """
        ahead, self._ahead = self._ahead, None
        loaded = self._loaded(seen, ahead)
        self._seen, self._contents = seen, loaded.contents
        if isinstance(loaded.flow, Invalid):
            raise loaded.flow
        return loaded.flow

    def _loaded(self, seen: Look, ahead: _Loaded | None = None) -> _Loaded:
        """Read what changed since the last load; return what it comes to, or `ahead` when it is the same."""
        with uncollected():
            contents, problems = files.read(self._path, seen, before=self._seen, kept=self._contents)
            if ahead is not None and (ahead.contents, ahead.problems) == (contents, problems):
                return ahead
            try:
                flow = _build(self._name, contents, problems, self._parsed, self._examined)
                return _Loaded(contents, problems, with_warnings(flow, self._examined))
            except Invalid as error:
                return _Loaded(contents, problems, error)


class _Loaded(msgspec.Struct, frozen=True):
    """What files come to."""

    contents: dict[str, bytes]
    problems: list[Problem]
    flow: Flow | Invalid


def with_warnings(flow: Flow, examined: Examined | None = None) -> Flow:
    """Return the flow with all that looks wrong in it. Raises Invalid (`flow_invalid`) when it is not sound to run."""
    return msgspec.structs.replace(flow, warnings=tuple(check(flow, examined)))


def _name(path: str | os.PathLike[str]) -> str:
    return Path(os.path.abspath(path)).name  # noqa: PTH100 (a link keeps its own name)


def _build(
    name: str, contents: Mapping[str, bytes], problems: Iterable[Problem], parsed: Parsed, examined: Examined
) -> Flow:
    """Read every file, then raise all that is wrong at once; what reads well is examined whole even so."""
    found = list(problems)
    with uncollected():
        nodes, broken = _nodes(contents, parsed, found)
    aliases = _aliases(nodes, found)
    listed, wrong = allow_list.of_files(contents)
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
        files=dict(contents),
        version=version_of(contents),
        warnings=tuple(one for one in found if one.level == "warning"),
    )
    if any(one.level == "error" for one in found):
        raise refusal(f"The flow {name!r}", [*found, *examine(flow, broken=broken, examined=examined)])
    return flow


def _nodes(
    contents: Mapping[str, bytes], parsed: Parsed, found: list[Problem]
) -> tuple[dict[str, Node], set[str]]:
    """Return the nodes by id, and the ids whose files did not read."""
    if not _edited(contents, parsed):
        _anew(contents, parsed, found)
    for path in sorted(parsed.noted):
        found += parsed.pieces[path].problems
    return dict(parsed.nodes), parsed.broken


def _edited(contents: Mapping[str, bytes], parsed: Parsed) -> bool:
    """Take up contents that some files have changed to. Return False when there is more to do."""
    before = parsed.contents
    if not before or list(before) != list(contents):
        return False
    changed = [
        path for (path, data), known in zip(contents.items(), before.values(), strict=True) if data != known
    ]
    parsed.contents = {}
    for path in changed:
        known = parsed.pieces.get(path)
        if known is None:
            continue
        piece = parsed.pieces[path] = _piece(path, contents[path])
        if piece.node is None or known.node is None:
            return False
        parsed.nodes[piece.id] = piece.node
        (parsed.noted.add if piece.problems else parsed.noted.discard)(path)
    parsed.contents = dict(contents)
    return True


def _anew(contents: Mapping[str, bytes], parsed: Parsed, found: list[Problem]) -> None:
    parsed.contents, parsed.nodes, parsed.broken, parsed.noted = {}, {}, set(), set()
    pieces, nodes, broken, twice = parsed.pieces, parsed.nodes, parsed.broken, False
    for path in sorted(contents):
        piece, data = pieces.get(path), contents[path]
        if piece is None or piece.data != data:
            if not files.is_node(path):
                continue
            piece = pieces[path] = _piece(path, data)
        node_id, node = piece.id, piece.node
        if node_id in nodes or node_id in broken:
            twice = True
            other = nodes[node_id].file if node_id in nodes else "another file"
            message = f"The id {node_id!r} is {other}'s too."
            found.append(Problem(path, 1, "error", message, "Rename one of the two files."))
            continue
        if node is None:
            broken.add(node_id)
        else:
            nodes[node_id] = node
        if piece.problems:
            parsed.noted.add(path)
    for path in pieces.keys() - contents.keys():
        del pieces[path]
    if not twice:
        parsed.contents = dict(contents)


def _secrets(nodes: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for node in [one for one in nodes.values() if one.input_type == "secret" and one.save_to]:
        found[node.save_to] = (*found.get(node.save_to, ()), node.id)
    return found


def _entry_hint(name: str, nodes: Mapping[str, Node]) -> str:
    tried = (*ENTRY_NAMES, name)
    meant = next((node for node in nodes.values() if node.id.lower() in tried), None)
    if meant is not None:
        return f"Rename {meant.file} to {meant.file.lower()}."
    return f"Add one of: {', '.join(tried)} (for example start.md)."


def _piece(path: str, data: bytes) -> Piece:
    node_id = without_extension(path)
    try:
        node, problems = _node(node_id, path, data)
    except TreeError as error:
        return Piece(data, node_id, None, (Problem(path, error.line, "error", error.message, error.hint),))
    return Piece(data, node_id, node, tuple(problems))


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
        raise TreeError("A node must be a mapping of keys.", root.line, "Write key: value, one per line.")
    fields = Fields(path, root)
    node = fields.node(node_id, content, content_line)
    if (
        path.endswith(".md")
        and not text.startswith("---\n")
        and text.lstrip().split("\n", 1)[0].rstrip() == "---"
    ):
        hint = "Start the file with a line that is exactly ---."
        fields.problems.append(Problem(path, 1, "warning", "This front matter is read as content.", hint))
    return node, fields.problems


def _text(data: bytes) -> str:
    if len(data) > MAX_FILE:
        raise TreeError("This file is over 1 MiB.", 1, "Split it into several nodes.")
    data = data.removeprefix(BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TreeError("This file is not UTF-8.", line, "Save it as UTF-8.") from error
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TreeError(
            "This file contains a NUL character, so it is not text.",
            line,
            "Rename it with another extension.",
        )
    return text


def _front_matter(text: str) -> tuple[str, str, int]:
    """Return (front matter, content, the line at which the content begins)."""
    if text != "---" and not text.startswith("---\n"):
        return "", text, 1
    close = f"{text}\n".find("\n---\n", 3)
    if close < 0:
        raise TreeError(
            "The front matter that starts here has no closing line.", 1, "End it with a line that is ---."
        )
    return text[4:close], text[close + 5 :], text.count("\n", 0, close) + 3


def _aliases(nodes: Mapping[str, Node], found: list[Problem]) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for node in [one for one in nodes.values() if one.alias]:
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
