"""What is wrong, or looks wrong, with a flow that was read: each node by itself, and the nodes together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

import msgspec

from retoma.flows import answer
from retoma.flows.garbage import uncollected
from retoma.flows.mentions import Mentions, mentions_of, unset
from retoma.flows.model import ROLLBACK, Flow, Node, Option
from retoma.flows.reach import Exits, Ways, exits_of, lost
from retoma.model.nearest import did_you_mean
from retoma.programs import allow_list
from retoma.programs.allow_list import Tool
from retoma.template import condition, template
from retoma.template.functions import folded
from retoma.template.syntax import MAX_ACTIONS
from retoma.trees.problem import Problem, refusal

Secrets: TypeAlias = Mapping[str, tuple[str, ...]]
"""The nodes that ask for each secret, by its key."""


class Own(msgspec.Struct, frozen=True):
    """What can be said of a node by itself: its `problems`, the keys that it `mentions`, and where it leads.

    `signals`: what it says of signals depends on the entry node.
    """

    node: Node
    problems: tuple[Problem, ...]
    signals: bool
    mentions: Mentions
    exits: Exits


class Examined:
    """What was found out of a flow before: what did not change since is not examined again."""

    def __init__(self) -> None:
        self.owns: dict[str, Own] = {}
        self.noted: dict[str, Own] = {}
        """Those of which there is something to say."""
        self.ways: Ways | None = None
        self.lost: tuple[Problem, ...] = ()
        self.secrets: Secrets | None = None
        self.unset: tuple[Problem, ...] = ()

    def node(self, own: Own) -> None:
        """Keep what was found of a node; what the nodes are together is found out anew where it says something else."""
        node_id = own.node.id
        before = self.owns.get(node_id)
        if before is None or before.mentions is not own.mentions:
            self.secrets = None
        if before is None or before.exits is not own.exits:
            self.ways = None
        self.owns[node_id] = own
        if own.problems or own.signals:
            self.noted[node_id] = own
        else:
            self.noted.pop(node_id, None)

    def drop(self, node_id: str) -> None:
        """Forget a node that is gone."""
        del self.owns[node_id]
        self.noted.pop(node_id, None)
        self.secrets = self.ways = None


def validate(flow: Flow, *, listed: Mapping[str, Tool] | None = None) -> list[Problem]:
    """Return every problem of `flow`, warnings too, in the order of files and lines.

    `listed` are the tools that may be called, instead of those that the flow brings.
    """
    allowed = flow.tools if listed is None else listed
    return sorted({*flow.warnings, *examine(flow), *_unlisted(flow, allowed)})


def _unlisted(flow: Flow, tools: Mapping[str, Tool]) -> Iterator[Problem]:
    """Yield a warning for each tool that a node names and `tools` has not, and no node declares inline."""
    for node in flow.nodes.values():
        for key, use in (("do", node.do), ("undo", node.undo)):
            if use is None or use.name in tools:
                continue
            if use.inline:
                message = f"The tool {use.name!r} is declared here: it runs only with --allow-inline."
                yield Problem(node.file, use.line, "warning", message)
                continue
            hint = did_you_mean(
                use.name, tools, f"Add it to {allow_list.FILES[0]}, or run with --tools FILE."
            )
            message = f"{key!r} names the tool {use.name!r}, which is not listed: it will be refused."
            yield Problem(node.file, use.line, "warning", message, hint)


def check(flow: Flow, examined: Examined | None = None) -> list[Problem]:
    """Return the warnings of a flow that is sound to run. Raises Invalid (`flow_invalid`) when it is not."""
    problems = sorted({*flow.warnings, *examine(flow, examined=examined)})
    if any(problem.level == "error" for problem in problems):
        raise refusal(f"The flow {flow.name!r}", problems)
    return problems


def examine(
    flow: Flow, *, broken: Collection[str] = (), examined: Examined | None = None
) -> Iterator[Problem]:
    """Yield what the nodes get wrong, by themselves and together. `broken` ids, whose files did not read, may be named.

    What is found out goes into `examined`.
    """
    known = examined if examined is not None else Examined()
    with uncollected():
        for gone in known.owns.keys() - flow.nodes.keys():
            known.drop(gone)
        for node in _unexamined(flow, known):
            known.node(_own(node, known.owns.get(node.id)))
    for own in known.noted.values():
        yield from own.problems
        if own.signals:
            yield from _signals(own.node, flow)
    yield from _together(flow, known, broken)


def _unexamined(flow: Flow, known: Examined) -> list[Node]:
    """Return the nodes that changed since they were examined."""
    nodes, owns = flow.nodes, known.owns
    if list(nodes) == list(owns):
        return [node for node, own in zip(nodes.values(), owns.values(), strict=True) if own.node is not node]
    return [node for name, node in nodes.items() if name not in owns or owns[name].node is not node]


def _together(flow: Flow, known: Examined, broken: Collection[str]) -> Iterator[Problem]:
    """Yield what the nodes get wrong together: as before, when none says anything else of it than before."""
    owns = known.owns
    if known.secrets != flow.secrets:
        # In the order of the nodes: the first ones get hints.
        mentions = [owns[node_id].mentions for node_id in flow.nodes]
        known.secrets, known.unset = flow.secrets, tuple(unset(mentions, flow.secrets))
    about = flow.entry, flow.default_error, flow.aliases, frozenset(broken)
    ways = known.ways
    if ways is None or (ways.entry, ways.default_error, ways.aliases, ways.broken) != about:
        exits = {node_id: owns[node_id].exits for node_id in flow.nodes}
        known.ways = Ways(flow.entry, flow.default_error, flow.aliases, exits, frozenset(broken))
        known.lost = tuple(lost(known.ways))
    yield from (*known.unset, *known.lost)


def _own(node: Node, before: Own | None) -> Own:
    problems = [*_unsupported(node), *_conditions(node), *_shape(node)]
    mentions = mentions_of(node, tuple(_printed(node, problems)), tuple(_asked(node, problems)))
    signals = node.timeout_s is not None or bool(node.on_signal_default)
    exits = exits_of(node)
    if before is not None:  # the same objects, where they are equal: all of them are compared faster
        mentions = before.mentions if before.mentions == mentions else mentions
        exits = before.exits if before.exits == exits else exits
    return Own(node, tuple(problems), signals, mentions, exits)


def _unsupported(node: Node) -> Iterator[Problem]:
    for key in node.unsupported:
        message = f"The node {node.id!r} uses an agent, and this version does not run agents."
        yield Problem(node.file, node.line(key), "error", message, f"Remove {key!r}, or use a later version.")


def _conditions(node: Node) -> Iterator[Problem]:
    held = [(option.condition, option.line) for option in node.options]
    held += [(way.condition, way.line) for way in node.transitions]
    held += [(one.condition, one.line) for wordings in node.messages.values() for one in wordings]
    for text, line in held:
        if text.strip():
            try:
                condition.check(text)
            except condition.ConditionError as error:
                yield Problem(node.file, line, "error", error.message, error.hint)


def _printed(node: Node, problems: list[Problem]) -> Iterator[tuple[str, int]]:
    """Yield the look-ups that the node's templates print, with their lines; what does not parse is a problem."""
    actions = 0
    for text, line in _texts(node):
        actions += text.count("{{")
        if actions > MAX_ACTIONS:
            message = f"This node has more than {MAX_ACTIONS:,} actions."
            problems.append(Problem(node.file, line, "error", message, "Split the node into several nodes."))
            return
        try:
            used = template.paths(text)
        except template.TemplateError as error:
            problems.append(Problem(node.file, line + error.line - 1, "error", error.message, error.hint))
        else:
            yield from ((key, line + at - 1) for key, at in used)


def _asked(node: Node, problems: list[Problem]) -> Iterator[tuple[str, int]]:
    """Yield the look-ups in the arguments of tools, which may hold secrets; what does not parse is a problem."""
    for use in (node.do, node.undo):
        for text, line in use.texts if use is not None else ():
            try:
                used = template.paths(text)
            except template.TemplateError as error:
                problems.append(Problem(node.file, line + error.line - 1, "error", error.message, error.hint))
            else:
                yield from ((key, line + at - 1) for key, at in used)


def _texts(node: Node) -> Iterator[tuple[str, int]]:
    """Yield each text of the node that may hold a template, and the line at which it begins."""
    texts = [(node.content, node.content_line)]
    texts += [(option.text, option.line) for option in node.options]
    texts += [(text, node.line("input_options")) for text in node.input_options]
    texts.append((node.input_default or "", node.line("input_default")))
    texts += [(one.text, one.line) for wordings in node.messages.values() for one in wordings]
    texts += [(use.confirm, use.line) for use in (node.do, node.undo) if use is not None]
    return ((text, line) for text, line in texts if "{{" in text)


def _shape(node: Node) -> Iterator[Problem]:
    if node.id == ROLLBACK:
        message = "This node is unreachable: the target 'rollback' always means undoing the tools' effects."
        yield Problem(node.file, 1, "warning", message, "Rename it.")
    calls = "do" in node.lines or "tool_call" in node.lines
    if node.type == "tool" and not calls:
        yield Problem(
            node.file,
            node.line("type"),
            "error",
            "A node of type 'tool' needs 'do'.",
            "Give the tool in 'do'.",
        )
    if calls and node.waits:
        line = node.line("do" if "do" in node.lines else "tool_call")
        yield Problem(
            node.file,
            line,
            "error",
            "A node with 'do' cannot wait for input.",
            "Split the node into two nodes.",
        )
    if node.asks == "choice" and not node.options and not node.input_options:
        yield Problem(
            node.file,
            node.line("input_type"),
            "error",
            "This choice has no options.",
            "Add 'options' or 'input_options'.",
        )
    yield from _default(node)
    yield from _idle(node)
    yield from _handlers(node)
    if (
        not node.waits
        and node.do is None
        and node.transitions
        and not node.to
        and all(way.condition or way.text for way in node.transitions)
    ):
        yield Problem(
            node.file, node.line("transitions"), "warning",
            "This node does not wait, and all its transitions have conditions: when none is true, it asks for input.",
            "Add 'to', or 'wait: true'."
        )  # fmt: skip


def _idle(node: Node) -> Iterator[Problem]:
    """Warn of what is written and never comes to anything."""

    def idle(line: int, message: str, hint: str) -> Problem:
        return Problem(node.file, line, "warning", message, hint)

    calls = "do" in node.lines or "tool_call" in node.lines
    if node.messages and node.type != "format":
        yield idle(
            node.line("messages"), "'messages' is ignored: the type is not 'format'.", "Add 'type: format'."
        )
    if node.save_to and not node.waits and not calls:
        yield idle(
            node.line("save_to"),
            "'save_to' saves an empty text: the node does not wait.",
            "Add 'wait: true'.",
        )
    texts: set[str] = set()
    for option in node.options:
        text = folded(option.text.strip())
        if text in texts and not option.condition and "{{" not in text:
            yield idle(option.line, f"The option {option.text!r} appears twice: the first one is chosen.", "")
        texts.add(text)
    always = [way.line for way in node.transitions if not way.condition and not way.text]
    if always and node.to:
        yield idle(
            node.line("to"), "'to' is never taken: a transition without condition comes before it.", ""
        )
    for line in always[1:]:
        yield idle(line, "This transition is never taken: one without condition comes before it.", "")


def _handlers(node: Node) -> Iterator[Problem]:
    """Yield what is said about a tool where none is called, or twice."""
    if node.do is None and node.on_error:
        message = "'on_error' is ignored: the node calls no tool."
        yield Problem(node.file, node.line("on_error"), "warning", message, "Add 'do'.")
    if "do" in node.lines and "tool_call" in node.lines:
        yield Problem(node.file, node.line("tool_call"), "error", "'tool_call' is another name of 'do'.",
                      "Keep one of the two.")  # fmt: skip


def _signals(node: Node, flow: Flow) -> Iterator[Problem]:
    for key, value in (("on_signal_default", node.on_signal_default), ("language", node.language)):
        if value and node.id != flow.entry:
            yield Problem(node.file, node.line(key), "warning", f"'{key}' is ignored outside the entry node.")
    if node.timeout_s is None:
        return
    entry = flow.nodes.get(flow.entry)
    handled = "timeout" in node.on_signal or (entry is not None and "timeout" in entry.on_signal_default)
    message = "the node does not wait." if not node.waits else "nothing handles the signal 'timeout'."
    if not node.waits or not handled:
        hint = "Add 'on_timeout'." if node.waits else ""
        yield Problem(node.file, node.line("timeout"), "warning", f"'timeout' is ignored: {message}", hint)


def _default(node: Node) -> Iterator[Problem]:
    default = node.input_default
    if not default or "{{" in default or node.options:
        return
    given = answer.understand(node, [Option(text) for text in node.input_options], None, default)
    if isinstance(given, answer.Again) or given.unmatched:
        message = f"'input_default' {default!r} is not an input that this node takes."
        yield Problem(
            node.file,
            node.line("input_default"),
            "error",
            message,
            "Give a value that the node accepts as input.",
        )
