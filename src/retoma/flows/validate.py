"""What is wrong, or looks wrong, with a flow that was read: each node by itself, and the nodes together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches

import msgspec

from retoma.errors import Invalid
from retoma.flows import answer, condition, template, tools
from retoma.flows.garbage import uncollected
from retoma.flows.model import ROLLBACK, Flow, Node, Option, Problem, Tool
from retoma.flows.reach import MAX_HINTS, Exits, Ways, exits_of, lost
from retoma.flows.syntax import MAX_ACTIONS


class Own(msgspec.Struct, frozen=True):
    """What can be said of a node by itself.

    `problems` are its own; `prints` the (key, line) of each look-up that would be empty if nothing set it, `asks` those
    of the arguments of tools; `sets` the keys that the flow has because of it. `signals`: what it says of signals
    depends on the entry node.
    """

    node: Node
    problems: tuple[Problem, ...]
    prints: tuple[tuple[str, int], ...]
    asks: tuple[tuple[str, int], ...]
    sets: tuple[str, ...]
    signals: bool
    exits: Exits


class Examined:
    """What was found out of a flow before: what did not change since is not examined again."""

    def __init__(self) -> None:
        self.owns: dict[str, Own] = {}
        self.ways: Ways | None = None
        self.lost: tuple[Problem, ...] = ()


def validate(flow: Flow, *, listed: Mapping[str, Tool] | None = None) -> list[Problem]:
    """Return every problem of `flow`, warnings too, in the order of files and lines.

    `listed` are the tools that may be called, instead of those that the flow brings.
    """
    allowed = flow.tools if listed is None else listed
    return sorted({*flow.warnings, *examine(flow), *tools.unlisted(flow, allowed)})


def check(flow: Flow, examined: Examined | None = None) -> list[Problem]:
    """Return the warnings of a flow that is sound to run. Raises Invalid (`flow_invalid`) when it is not."""
    problems = sorted({*flow.warnings, *examine(flow, examined=examined)})
    if any(problem.level == "error" for problem in problems):
        raise refusal(flow.name, problems)
    return problems


def refusal(name: str, problems: Iterable[Problem]) -> Invalid:
    """Return the error that lists the error-level `problems`, one a line; its fact `problems` has the warnings, too."""
    found = sorted(set(problems))
    errors = [problem for problem in found if problem.level == "error"]
    lines = "\n".join(str(problem) for problem in errors)
    count = "one problem" if len(errors) == 1 else f"{len(errors)} problems"
    return Invalid(f"The flow {name!r} has {count}:\n{lines}", code="flow_invalid", problems=found)


def examine(
    flow: Flow, *, broken: Collection[str] = (), examined: Examined | None = None
) -> Iterator[Problem]:
    """Yield what the nodes get wrong, by themselves and together. `broken` ids, whose files did not read, may be named.

    What is found out goes into `examined`.
    """
    known = examined if examined is not None else Examined()
    owns = known.owns
    for gone in owns.keys() - flow.nodes.keys():
        del owns[gone]
    with uncollected():
        for node_id, node in flow.nodes.items():
            own = owns.get(node_id)
            if own is None or own.node is not node:
                owns[node_id] = _own(node, own)
    for own in owns.values():
        yield from own.problems
    yield from _together(flow, owns)
    exits = {node_id: owns[node_id].exits for node_id in flow.nodes}
    ways = Ways(flow.entry, flow.default_error, flow.aliases, exits, frozenset(broken))
    if known.ways != ways:
        known.ways, known.lost = ways, tuple(lost(ways))
    yield from known.lost


def _own(node: Node, before: Own | None) -> Own:
    problems = [*_unsupported(node), *_conditions(node), *_shape(node)]
    prints = tuple(_printed(node, problems))
    asks = tuple(_asked(node, problems))
    given = (key.partition(".")[0] for key in node.required_context)
    sets = (node.save_to, *node.default_context, *given, *node.required_context, *node.context_schema)
    signals = node.timeout_s is not None or bool(node.on_signal_default)
    exits = exits_of(node)
    if before is not None and before.exits == exits:
        exits = before.exits  # the same object: ways are compared faster
    return Own(node, tuple(problems), prints, asks, sets, signals, exits)


def _together(flow: Flow, owns: dict[str, Own]) -> Iterator[Problem]:
    """Yield what a node gets wrong beside the others: keys that nothing sets, signals that nothing handles."""
    known = {"sys", "tool_result"}
    for own in owns.values():
        known.update(own.sets)
    hints = 0
    for own in owns.values():
        for key, line in own.prints:
            if key in flow.secrets:
                said = f"{key!r} is a secret: its value is never shown."
                yield Problem(own.node.file, line, "warning", said)
        for key, line in (*own.prints, *own.asks):
            if key not in known:
                hints += 1
                yield _never_set(own.node, key, line, known if hints <= MAX_HINTS else ())
        if own.signals:
            yield from _signals(own.node, flow)


def _unsupported(node: Node) -> Iterator[Problem]:
    for key in node.unsupported:
        message = f"The node {node.id!r} asks an agent: this version does not run agents yet."
        yield Problem(
            node.file, node.line(key), "error", message, f"Take {key!r} out, or wait for a later version."
        )


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
            problems.append(Problem(node.file, line, "error", message, "Split the node in several."))
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


def _never_set(node: Node, key: str, line: int, known: Collection[str]) -> Problem:
    """Warn of a key that nothing in the flow sets or requires: it comes from outside, or is misspelt."""
    near = get_close_matches(key, [one for one in known if one], 1)
    hint = (
        f"Did you mean {near[0]!r}?" if near else "Name it in required_context if it is given at the start."
    )
    return Problem(node.file, line, "warning", f"Nothing in the flow sets {key!r}.", hint)


def _shape(node: Node) -> Iterator[Problem]:
    if node.id == ROLLBACK:
        message = "No way leads to this node: the target 'rollback' takes back what was done."
        yield Problem(node.file, 1, "warning", message, "Give it another name.")
    if node.type == "tool" and not {"do", "tool_call"} & set(node.lines):
        yield Problem(
            node.file, node.line("type"), "error", "A node of type tool needs 'do'.", "Name the tool in 'do'."
        )
    if {"do", "tool_call"} & set(node.lines) and node.waits:
        line = node.line("do" if "do" in node.lines else "tool_call")
        yield Problem(
            node.file, line, "error", "'do' cannot stand beside waiting for input.", "Split the node in two."
        )
    if node.asks == "choice" and not node.options and not node.input_options:
        yield Problem(
            node.file,
            node.line("input_type"),
            "error",
            "A choice has no options.",
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
            "This node does not wait, and all its ways have conditions: when none holds, it asks for input.",
            "Add 'to', or 'wait: true'."
        )  # fmt: skip


def _idle(node: Node) -> Iterator[Problem]:
    """Warn of what is written and never comes to anything."""

    def idle(line: int, message: str, hint: str) -> Problem:
        return Problem(node.file, line, "warning", message, hint)

    calls = {"do", "tool_call"} & set(node.lines)
    if node.messages and node.type != "format":
        yield idle(
            node.line("messages"), "'messages' is not shown: the type is not 'format'.", "Add 'type: format'."
        )
    if node.save_to and not node.waits and not calls:
        yield idle(
            node.line("save_to"), "'save_to' does nothing: the node does not wait.", "Add 'wait: true'."
        )
    texts: set[str] = set()
    for option in node.options:
        text = option.text.strip().casefold()
        if text in texts and not option.condition and "{{" not in text:
            yield idle(option.line, f"The option {option.text!r} is here twice: the first one is chosen.", "")
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
        message = "'on_error' does nothing: the node calls no tool."
        yield Problem(node.file, node.line("on_error"), "warning", message, "Add 'do'.")
    if "do" in node.lines and "tool_call" in node.lines:
        yield Problem(node.file, node.line("tool_call"), "error", "'tool_call' is another name of 'do'.",
                      "Keep one of the two.")  # fmt: skip


def _signals(node: Node, flow: Flow) -> Iterator[Problem]:
    if node.on_signal_default and node.id != flow.entry:
        line = node.line("on_signal_default")
        yield Problem(node.file, line, "warning", "'on_signal_default' does nothing outside the entry node.")
    if node.timeout_s is None:
        return
    entry = flow.nodes.get(flow.entry)
    handled = "timeout" in node.on_signal or (entry is not None and "timeout" in entry.on_signal_default)
    message = "the node does not wait." if not node.waits else "nothing handles the signal 'timeout'."
    if not node.waits or not handled:
        hint = "Add 'on_timeout'." if node.waits else ""
        yield Problem(node.file, node.line("timeout"), "warning", f"'timeout' does nothing: {message}", hint)


def _default(node: Node) -> Iterator[Problem]:
    default = node.input_default
    if not default or "{{" in default or node.options:
        return
    given = answer.understand(node, [Option(text) for text in node.input_options], None, default)
    if isinstance(given, answer.Again) or given.unmatched:
        message = f"'input_default' {default!r} is not an input that this node takes."
        yield Problem(
            node.file, node.line("input_default"), "error", message, "Give one that could be typed."
        )
