"""The way through a flow within one step: nodes entered and left until one waits, ends or fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from retoma.flows import answer, arguments, secret
from retoma.flows.answer import Again, Answer, confirmation
from retoma.flows.model import ROLLBACK, Flow, Message, Node, Option, ToolUse
from retoma.flows.needs import unmet
from retoma.flows.wording import by_locale, cause_of
from retoma.model.call import Call, Came, Rollback
from retoma.model.codec import Json, JsonMap
from retoma.model.flow import FlowStatus, Prompt, Step, Visit
from retoma.template import condition, template
from retoma.template.budget import Budget
from retoma.template.condition import ConditionError
from retoma.template.functions import folded
from retoma.template.template import TemplateError

# A step enters at most so many nodes, then hands over what it has with the status `active`.
STEP_NODES = 100

_NOTHING = Answer(value="", kept="")
_NO_AGENTS = "The node {!r} has 'agent', and this version does not run agents."
GIVE_IT = " Set it with --context, or in an earlier node."


class _Failed(Exception):
    """The node cannot go on; the sentence names it."""


class Walk:
    """One step under way: the context as it would be, and the nodes entered so far. Used once."""

    def __init__(
        self, flow: Flow, context: JsonMap, ans: Json, locale: str, known: Mapping[str, str] | None
    ) -> None:
        self._flow = flow
        self._locale = locale
        self._context: dict[str, Json] = dict(context)
        self._ans = ans
        self._known = dict(known or {})
        self._sets: dict[str, Json] = {}
        self._visits: list[Visit] = []
        self._budget = Budget()
        self.remarks: list[str] = []
        """Why conditions were not met, where that is not what the flow says."""

    def begin(self, given: JsonMap) -> Step:
        """Enter the entry node over the `given` context."""
        if "sys" in given:
            return self._end("finished", failure="The context cannot set 'sys': it is reserved for the flow.")
        self.save(given)
        return self.enter(self._flow.nodes[self._flow.entry])

    def need(self, node: Node) -> None:
        """Raise SecretNeeded when `node` cannot be decided without a secret that is not in memory."""
        secret.need(self._flow, node, self._context, self._known)

    def take(self, node: Node, text: str) -> Step:
        """Read an input at `node`, save it, and leave by the way that it opens."""
        self.need(node)
        try:
            options, default = self._options(node), self._default(node)
            given = answer.understand(node, options, default, text)
            if isinstance(given, Again):
                self._ans = text.strip()
                return self._ask_again(node, given.notice)
            self._ans = given.kept
            if node.asks == "secret":
                self._known[node.save_to] = str(given.value)
            saved: JsonMap = {node.save_to: given.kept} if node.save_to else {}
            target = self._way(node, given, {**self._context, **saved})
            if target is None and given.unmatched:
                return self._ask_again(node, f"Please choose one of these: {answer.choices(options)}.")
            self.save(saved)
            if target is not None:
                return self.go(node, target)
            if node.has_way_out:
                return self._ask_again(node, "That answer does not match any choice here. Please try again.")
        except (TemplateError, ConditionError, _Failed) as error:
            return self._end("finished", failure=cause_of(node, error))
        return self._end("finished")

    def leave(self, node: Node) -> Step:
        """Go on from a node that was entered and does not wait."""
        self.need(node)
        try:
            if node.do is not None:
                return self._call(node, node.do)
            target = self._following(node)
            return self.go(node, target) if target else self._stop(node)
        except (TemplateError, ConditionError, _Failed) as error:
            return self._end("finished", failure=cause_of(node, error))

    def came(self, node: Node, tool: str, came: Came) -> Step:
        """Leave `node` by the way that opens for what came of its call of `tool`."""
        self.need(node)
        if came.outcome == "denied":
            return self.go(node, node.on_denied) if node.on_denied else self._end("finished")
        self._ans = came.value
        if came.outcome == "failed":
            return self._failed(node, tool, came.text)
        given = Answer(value=came.result, kept=came.result)
        try:
            target = self._way(node, given, self._context)
        except ConditionError as error:
            return self._end("finished", failure=cause_of(node, error))
        if target is not None:
            return self.go(node, target)
        if not node.transitions:
            return self._end("finished")
        failure = f"No transition of the node {node.id!r} matches what the tool {tool!r} returned. Add 'to'."
        return self._end("finished", failure=failure)

    def go(self, node: Node, target: str, *, cause: str = "") -> Step:
        """Go from `node` to a target, or begin the rollback, because of `cause`."""
        if target == ROLLBACK:
            return self._end("rolling_back", rollback=Rollback(node=node.id, cause=cause))
        try:
            return self.enter(self._target(node, target))
        except _Failed as error:
            return self._end("finished", failure=cause_of(node, error))

    def _failed(self, node: Node, tool: str, cause: str) -> Step:
        said = f"The tool {tool!r} failed at the node {node.id!r}: {cause}"
        default = self._flow.default_error
        target = node.on_error or (default if node.id != default else "")
        return self.go(node, target, cause=said) if target else self._end("finished", failure=said)

    def _call(self, node: Node, use: ToolUse) -> Step:
        call = arguments.call_of(node.id, use, self._context, self._ans, self._flow.secrets)
        return self._end("waiting_for_tool", call=call)

    def enter(self, node: Node) -> Step:
        """Enter `node` and those that follow it."""
        for _ in range(STEP_NODES):
            self.need(node)
            try:
                self._enter(node)
                if node.do is not None:
                    return self._call(node, node.do)
                target = self._following(node)
                if target is None:
                    return self._stop(node)
                if target == ROLLBACK:
                    return self.go(node, target)
                following = self._target(node, target)
            except (TemplateError, ConditionError, _Failed) as error:
                if not self._visits or self._visits[-1].node != node.id:
                    self._visits.append(Visit(node=node.id, content=""))
                return self._end("finished", failure=cause_of(node, error))
            node = following
        return self._end("active")

    def content(self, node: Node) -> str:
        """Return the node's content as it reads here; a `format` node adds the wording for the locale."""
        shown = self._render(node.content, node.content_line)
        wording = self._wording(node)
        said = self._render(wording.text, wording.line).strip() if wording else ""
        return f"{shown}\n\n{said}" if shown and said else shown or said

    def prompt(self, node: Node) -> Prompt:
        return Prompt(
            node=node.id,
            input_type=node.asks or "text",
            options=tuple(option.text for option in self._options(node)),
            default=self._default(node),
            timeout_s=node.timeout_s,
        )

    def _enter(self, node: Node) -> None:
        self._budget = Budget()
        sets = {key: value for key, value in node.default_context.items() if key not in self._context}
        self._context |= sets
        lacking = unmet(node, self._context, hint=GIVE_IT)
        self._visits.append(Visit(node=node.id, content="" if lacking else self.content(node), sets=sets))
        # `validate` says so before a run begins; here it holds for whoever did not ask it.
        if lacking := lacking or (_NO_AGENTS.format(node.id) if node.unsupported else None):
            raise _Failed(lacking)

    def _following(self, node: Node) -> str | None:
        """Return the target that comes without an input, which is saved as empty; None when `node` waits or ends."""
        saved: JsonMap = {node.save_to: ""} if node.save_to else {}
        target = None if node.waits else self._way(node, _NOTHING, {**self._context, **saved})
        if target is not None:
            self.save(saved)
        return target

    def _stop(self, node: Node) -> Step:
        if node.waits or node.has_way_out:
            prompt = self.prompt(node)
            if node.asks == "choice" and not prompt.options and not (node.to or node.transitions):
                raise _Failed(f"No option of {node.id!r} is available.")
            return self._end("waiting_for_input", prompt=prompt)
        return self._end("finished")

    def _way(self, node: Node, given: Answer, context: JsonMap) -> str | None:
        """Return where `given` leads: a way whose condition holds, a refusal's, the unconditional one."""
        if given.option is not None and given.option.to:
            return given.option.to
        for way in node.transitions:
            if not (way.condition or way.text) or not _selects(way.text, given.value):
                continue
            if self._holds(way.condition, way.line, given.value, context):
                return way.to
        if node.on_denied and node.do is None and answer.is_refusal(given.value):
            return node.on_denied
        always = (way.to for way in node.transitions if not way.condition and not way.text)
        return next(always, node.to) or None

    def _target(self, node: Node, target: str) -> Node:
        node_id = self._flow.resolve(target)
        if node_id is None:
            raise _Failed(f"The node {node.id!r} leads to {target!r}, which is not a node of this flow.")
        return self._flow.nodes[node_id]

    def _options(self, node: Node) -> Sequence[Option]:
        """Return the options that are open here, as they are shown."""
        open_ones = [option for option in node.options if self._open(option.condition, option.line)]
        if not node.options:
            open_ones = [Option(text, line=node.line("input_options")) for text in node.input_options]
        return [
            msgspec.structs.replace(option, text=self._render(option.text, option.line))
            for option in open_ones
        ]

    def _default(self, node: Node) -> str | None:
        if node.input_default is None:
            return "yes" if node.asks == "confirm" else None
        text = self._render(node.input_default, node.line("input_default"))
        return (confirmation(text) or "yes") if node.asks == "confirm" else text

    def _wording(self, node: Node) -> Message | None:
        """Return the first wording that holds, in the locale, its language, or else as written first."""
        if node.type != "format":
            return None
        for wordings in by_locale(node, self._locale):
            for wording in wordings:
                if self._open(wording.condition, wording.line):
                    return wording
        return None

    def _holds(self, text: str, line: int, given: Json, context: JsonMap) -> bool:
        try:
            decided_with = secret.told(context, self._known) if self._known else context
            return condition.holds(
                text, input=given, context=decided_with, ans=self._ans, budget=self._budget, remarks=self.remarks
            )  # fmt: skip
        except ConditionError as error:
            error.line = line
            raise

    def _open(self, text: str, line: int) -> bool:
        # Before there is an input, `input` is the last one.
        return self._holds(text, line, self._ans, self._context)

    def _render(self, text: str, line: int) -> str:
        try:
            data = {**self._context, "sys": {"ans": self._ans}}
            return template.render(text, data, budget=self._budget)
        except TemplateError as error:
            error.line += line - 1
            raise

    def save(self, values: JsonMap) -> None:
        """Set context keys by what led to the step."""
        self._sets |= values
        self._context |= values

    def _ask_again(self, node: Node, notice: str) -> Step:
        return self._end("waiting_for_input", prompt=self.prompt(node), notice=notice)

    def _end(
        self,
        status: FlowStatus,
        *,
        prompt: Prompt | None = None,
        notice: str = "",
        failure: str = "",
        call: Call | None = None,
        rollback: Rollback | None = None,
    ) -> Step:
        return Step(
            status=status,
            ans=self._ans,
            sets=self._sets,
            visits=tuple(self._visits),
            prompt=prompt,
            notice=" ".join(dict.fromkeys([*self.remarks, *([notice] if notice else [])])),
            failure=failure,
            call=call,
            rollback=rollback,
            rolls=rollback is not None,
        )


def _selects(text: str, value: Json) -> bool:
    return not text or (isinstance(value, str) and folded(value.strip()) == folded(text))
