"""What is wrong, or looks wrong, with a flow that was read: targets, ways, conditions, templates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches

from retoma.errors import Invalid
from retoma.flows import answer, condition, template, tools
from retoma.flows.model import ROLLBACK, Flow, Level, Node, Option, Problem, Tool


def validate(flow: Flow, *, listed: Mapping[str, Tool] | None = None) -> list[Problem]:
    """Return every problem of `flow`, warnings too, in the order of files and lines.

    `listed` are the tools that may be called, instead of those that the flow brings.
    """
    allowed = flow.tools if listed is None else listed
    return sorted({*flow.warnings, *examine(flow), *tools.unlisted(flow, allowed)})


def check(flow: Flow) -> list[Problem]:
    """Return the warnings of a flow that is sound to run. Raises Invalid (`flow_invalid`) when it is not."""
    problems = validate(flow)
    if any(problem.level == "error" for problem in problems):
        raise refusal(flow.name, problems)
    return problems


def refusal(name: str, problems: Iterable[Problem]) -> Invalid:
    """Return the error that lists the error-level `problems`, one a line; its fact `problems` has them."""
    errors = sorted({problem for problem in problems if problem.level == "error"})
    lines = "\n".join(str(problem) for problem in errors)
    count = "one problem" if len(errors) == 1 else f"{len(errors)} problems"
    return Invalid(f"The flow {name!r} has {count}:\n{lines}", code="flow_invalid", problems=errors)


def examine(flow: Flow, *, broken: Collection[str] = ()) -> Iterator[Problem]:
    """Yield what the nodes together get wrong. `broken` ids, whose files did not read, may be named."""
    known = _known_keys(flow)
    for node in flow.nodes.values():
        yield from _targets(flow, node, broken)
        yield from _unsupported(node)
        yield from _conditions(node)
        yield from _templates(node, known, flow)
        yield from _shape(node, flow)
    if not broken and flow.entry:
        reached = _reached(flow)
        yield from _unreachable(flow, reached)
        yield from _endless(flow, reached)


def _targets(flow: Flow, node: Node, broken: Collection[str]) -> Iterator[Problem]:
    for key, target, line in node.targets():
        if target == ROLLBACK:
            continue
        if flow.resolve(target) is None and target not in broken:
            near = get_close_matches(target, [*flow.nodes, *flow.aliases], 1)
            hint = f"Did you mean {near[0]!r}?" if near else "Add a file with that name, or correct it."
            yield Problem(
                node.file, line, "error", f"{key!r} leads to {target!r}, which is not a node.", hint
            )


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
            yield from _tried(node, line, condition.check, text)


def _templates(node: Node, known: set[str], flow: Flow) -> Iterator[Problem]:
    texts = [(node.content, node.content_line)]
    texts += [(option.text, option.line) for option in node.options]
    texts += [(text, node.line("input_options")) for text in node.input_options]
    texts.append((node.input_default or "", node.line("input_default")))
    texts += [(one.text, one.line) for wordings in node.messages.values() for one in wordings]
    for text, line in texts:
        yield from _tried(node, line, template.check, text)
        yield from _never_set(node, text, line, known, flow.secrets)
    for use in (node.do, node.undo):
        for text, line in (*use.texts, (use.confirm, use.line)) if use is not None else ():
            yield from _tried(node, line, template.check, text)
            yield from _never_set(node, text, line, known, ())


def _tried(node: Node, line: int, read: Callable[[str], None], text: str) -> Iterator[Problem]:
    try:
        read(text)
    except template.TemplateError as error:
        yield Problem(node.file, line + error.line - 1, "error", error.message, error.hint)
    except condition.ConditionError as error:
        yield Problem(node.file, line, "error", error.message, error.hint)


def _known_keys(flow: Flow) -> set[str]:
    known = {"sys", "tool_result"}
    for node in flow.nodes.values():
        known |= {node.save_to, *node.default_context, *node.required_context, *node.context_schema}
    return known


def _never_set(
    node: Node, text: str, line: int, known: set[str], secrets: Collection[str]
) -> Iterator[Problem]:
    """Warn of keys that nothing in the flow sets or requires (from outside, or misspelt), and of secrets."""
    try:
        used = template.paths(text)
    except template.TemplateError:
        return
    for key, at in used:
        if key in secrets:
            message = f"{key!r} is a secret: its value is never shown."
            yield Problem(node.file, line + at - 1, "warning", message)
        if key not in known:
            near = get_close_matches(key, known - {""}, 1)
            hint = (
                f"Did you mean {near[0]!r}?"
                if near
                else "Name it in required_context if it is given at the start."
            )
            yield Problem(node.file, line + at - 1, "warning", f"Nothing in the flow sets {key!r}.", hint)


def _shape(node: Node, flow: Flow) -> Iterator[Problem]:
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
    yield from _signals(node, flow)
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


def _handlers(node: Node) -> Iterator[Problem]:
    """Warn of what is said about a tool where none is called."""
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


def _reached(flow: Flow) -> set[str]:
    seen: set[str] = set()
    todo = [flow.entry, flow.default_error]
    while todo:
        node_id = todo.pop()
        if node_id and node_id not in seen:
            seen.add(node_id)
            todo += [flow.resolve(target) or "" for _, target, _ in flow.nodes[node_id].targets()]
    return seen


def _unreachable(flow: Flow, reached: Collection[str]) -> Iterator[Problem]:
    for node in flow.nodes.values():
        if node.id not in reached:
            yield Problem(
                node.file, 1, "warning", f"Nothing leads to {node.id!r}.", "Link it from another node."
            )


def _endless(flow: Flow, reached: Collection[str]) -> Iterator[Problem]:
    """Refuse a circle of nodes that neither wait nor choose: once in it, a flow never comes out.

    Warn where a condition may still break it, or nothing leads to it.
    """
    done: set[str] = set()
    for start in flow.nodes.values():
        path: dict[str, None] = {}
        node: Node | None = start
        while node is not None and node.id not in path and node.id not in done and not node.waits:
            path[node.id] = None
            node = _only_way(flow, node)
        done |= path.keys()
        if node is not None and node.id in path:
            names = list(path)
            circle = names[names.index(node.id) :]
            certain = node.id in reached and all(_always_leads_on(flow.nodes[name]) for name in circle)
            message = f"This circle never waits: {' → '.join([*circle, node.id])}."
            level: Level = "error" if certain else "warning"
            yield Problem(node.file, node.line("to"), level, message, "Let one of its nodes wait.")


def _always_leads_on(node: Node) -> bool:
    return bool(node.to) or any(not way.condition and not way.text for way in node.transitions)


def _only_way(flow: Flow, node: Node) -> Node | None:
    ways = {way.to for way in node.transitions} | ({node.to} if node.to else set())
    if node.unsupported or node.do is not None:
        return None
    first = node.transitions[0] if node.transitions else None
    if first is not None and not first.condition and not first.text:
        ways = {first.to}
    if len(ways) != 1:
        return None
    target = flow.resolve(ways.pop())
    return flow.nodes[target] if target else None
