"""From a mapping with places to a Node: each key read as its type, everything that is wrong collected."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from retoma.flows import uses
from retoma.flows.keys import INPUT_TYPES, KEYS, MESSAGE_KEYS, NODE_TYPES, VALUE_TYPES, WAY_KEYS
from retoma.flows.model import Message, Node, NodeType, Option, ToolUse, Transition
from retoma.model.codec import Json
from retoma.model.flow import InputType
from retoma.model.nearest import did_you_mean, nearest
from retoma.model.times import timeout_s
from retoma.trees.problem import Problem
from retoma.trees.tree import Mapping, Scalar, Sequence, Tree, plain
from retoma.trees.written import is_null, named, trimmed

T = TypeVar("T")


class Fields:
    """The keys of one node's mapping, and the problems found while reading them."""

    def __init__(self, file: str, mapping: Mapping) -> None:
        self.file = file
        self.items = mapping.items
        self.lines = mapping.keys
        self.problems: list[Problem] = []

    def node(self, node_id: str, content: str, content_line: int) -> Node:
        """Return the node; what could not be read is left out, and is in `problems`."""
        self._unknown(self.lines, KEYS, "key")
        body = self.items.get("content")
        if isinstance(body, Scalar) and not content:
            content, content_line = trimmed(body.text, body.text_line)
        return Node(
            id=node_id,
            file=self.file,
            lines=dict(self.lines),
            content=content,
            content_line=content_line,
            alias=self._text("id"),
            type=self._type(),
            to=self._text("to"),
            transitions=tuple(self._each("transitions", self._transition)),
            options=tuple(self._each("options", self._option)),
            wait=self._flag("wait"),
            input_type=self._input_type(),
            input_options=tuple(self._texts("input_options")),
            input_default=self._text("input_default") if "input_default" in self.items else None,
            save_to=self._save_to(),
            timeout_s=self._duration("timeout"),
            required_context=tuple(self._texts("required_context")),
            default_context=self._data("default_context"),
            context_schema=self._schema(),
            on_error=self._text("on_error"),
            on_denied=self._text("on_denied"),
            on_signal=self._signals(),
            on_signal_default=self._text_map("on_signal_default"),
            language=self._text("language"),
            messages=self._messages(),
            metadata=self._data("metadata"),
            do=self._use("do") or self._use("tool_call"),
            undo=self._use("undo"),
            unsupported=self._unsupported(),
        )

    def problem(self, line: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self.file, line, "error", message, hint))

    def _wrong(self, key: str, wanted: str, tree: Tree) -> None:
        self.problem(tree.line, f"{key!r} must be {wanted}, not {named(tree)}.")

    def _unknown(self, keys: dict[str, int], known: Collection[str], what: str) -> None:
        for key, line in keys.items():
            if key not in known:
                hint = did_you_mean(key, known)
                self.problems.append(
                    Problem(self.file, line, "warning", f"The {what} {key!r} is unknown.", hint)
                )

    def _text(self, key: str) -> str:
        tree = self.items.get(key)
        if tree is None or is_null(tree):
            return ""
        if isinstance(tree, Scalar):
            return tree.text.strip() if key not in ("input_default",) else tree.text
        self._wrong(key, "a text", tree)
        return ""

    def _flag(self, key: str) -> bool:
        tree = self.items.get(key)
        if tree is None or is_null(tree):
            return False
        if isinstance(tree, Scalar) and tree.text.lower() in ("true", "yes", "on", "false", "no", "off"):
            return tree.text.lower() in ("true", "yes", "on")
        self._wrong(key, "true or false", tree)
        return False

    def _texts(self, key: str) -> list[str]:
        return list(self._each(key, lambda tree: tree.text if isinstance(tree, Scalar) else None))

    def _each(self, key: str, read: Callable[[Tree], T | None]) -> list[T]:
        tree = self.items.get(key)
        if tree is None or is_null(tree):
            return []
        if not isinstance(tree, Sequence):
            self._wrong(key, "a list", tree)
            return []
        found = []
        for item in tree.items:
            before = len(self.problems)
            one = read(item)
            if one is not None:
                found.append(one)
            elif len(self.problems) == before:
                self._wrong(f"an item of {key}", "a text", item)
        return found

    def _data(self, key: str) -> dict[str, Json]:
        tree = self.items.get(key)
        if tree is None or is_null(tree):
            return {}
        value = plain(tree)
        if not isinstance(value, dict):
            self._wrong(key, "a mapping", tree)
            return {}
        if key == "default_context" and "sys" in value:
            self.problem(tree.line, "'sys' cannot be set: it is reserved for the flow.")
        return value

    def _text_map(self, key: str) -> dict[str, str]:
        tree = self.items.get(key)
        if tree is None or is_null(tree):
            return {}
        if not isinstance(tree, Mapping):
            self._wrong(key, "a mapping", tree)
            return {}
        for name, item in tree.items.items():
            if not isinstance(item, Scalar):
                self._wrong(f"{key}.{name}", "a text", item)
        return {name: item.text for name, item in tree.items.items() if isinstance(item, Scalar)}

    def _type(self) -> NodeType:
        text = self._text("type")
        if text and text not in NODE_TYPES and not nearest(text, NODE_TYPES):
            # A word of another program's. One that is nearly known is a slip, which would pass by a question.
            message = f"The type {text!r} is unknown: 'text' is used instead."
            line, hint = self.items["type"].line, f"There are: {', '.join(NODE_TYPES)}."
            self.problems.append(Problem(self.file, line, "warning", message, hint))
            return "text"
        return self._one_of("type", NODE_TYPES) or "text"

    def _input_type(self) -> InputType | None:
        return self._one_of("input_type", INPUT_TYPES)

    def _one_of(self, key: str, known: tuple[T, ...]) -> T | None:
        text = self._text(key)
        if not text or text in known:
            return next((one for one in known if one == text), None)
        names = [str(one) for one in known]
        hint = did_you_mean(text, names, f"There are: {', '.join(names)}.")
        self.problem(self.items[key].line, f"{key!r} cannot be {text!r}.", hint)
        return None

    def _save_to(self) -> str:
        text = self._text("save_to")
        if text == "sys" or text.startswith("sys."):
            self.problem(
                self.items["save_to"].line, f"'save_to' cannot be {text!r}: sys is reserved for the flow."
            )
            return ""
        return text

    def _duration(self, key: str) -> float | None:
        text = self._text(key)
        if not text:
            return None
        seconds = timeout_s(text)
        if seconds is None:
            self.problem(self.items[key].line, f"{key!r} cannot be {text!r}.", "Write a duration: 5s, 1m30s.")
        return seconds

    def _schema(self) -> dict[str, str]:
        tree = self.items.get("context_schema")
        if not isinstance(tree, Mapping):
            return self._text_map("context_schema")
        schema = {}
        for name, item in tree.items.items():
            # `[string]` is written without quotes, so YAML reads it as a list of one.
            element = item.items[0] if isinstance(item, Sequence) and len(item.items) == 1 else item
            text = element.text if isinstance(element, Scalar) else ""
            schema[name] = f"[{text}]" if isinstance(item, Sequence) else text
            if schema[name].removeprefix("[").removesuffix("]") not in VALUE_TYPES:
                self.problem(
                    item.line, f"The type of {name!r} is unknown.", "Use string, int, float, bool or [T]."
                )
        return schema

    def _transition(self, tree: Tree) -> Transition | None:
        if not isinstance(tree, Mapping):
            self._wrong("a transition", "a mapping with 'to'", tree)
            return None
        to, condition, text = self._way(tree)
        if not to:
            self.problem(tree.line, "This transition has no target.", "Add 'to'.")
            return None
        return Transition(to, condition, text, tree.line)

    def _option(self, tree: Tree) -> Option | None:
        if isinstance(tree, Scalar):
            return Option(tree.text, line=tree.line)
        if not isinstance(tree, Mapping):
            self._wrong("an option", "a text or a mapping with 'text' and 'to'", tree)
            return None
        to, condition, text = self._way(tree)
        if not text:
            self.problem(
                tree.line,
                "This option has no text.",
                "Add 'text': it is shown, and typing it selects the option.",
            )
            return None
        return Option(text, to, condition, tree.line)

    def _way(self, tree: Mapping) -> tuple[str, str, str]:
        self._unknown(tree.keys, WAY_KEYS, "key")
        texts = {}
        for key, item in tree.items.items():
            if isinstance(item, Scalar):
                texts[key] = "" if is_null(item) else item.text.strip()
            elif key in WAY_KEYS:
                self._wrong(key, "a text", item)
        to = texts.get("to") or texts.get("to_node_id") or texts.get("jump_to") or ""
        return to, texts.get("condition", ""), texts.get("text", "")

    def _signals(self) -> dict[str, str]:
        found = self._text_map("on_signal")
        for name in ("timeout", "interrupt"):
            target = self._text(f"on_{name}")
            if target:
                found.setdefault(name, target)
        return found

    def _use(self, key: str) -> ToolUse | None:
        if key not in self.items:
            return None
        found, problems = uses.read(self.file, key, self.items.get(key), self.items.get("metadata"))
        self.problems += problems
        return found

    def _messages(self) -> dict[str, tuple[Message, ...]]:
        tree = self.items.get("messages")
        if tree is None or is_null(tree):
            return {}
        if not isinstance(tree, Mapping):
            self._wrong("messages", "a mapping of locales", tree)
            return {}
        inner = Fields(self.file, tree)
        found = {locale: tuple(inner._each(locale, inner._message)) for locale in tree.items}
        self.problems += inner.problems
        return found

    def _message(self, tree: Tree) -> Message | None:
        if isinstance(tree, Scalar):
            return Message(tree.text, line=tree.text_line)
        if not isinstance(tree, Mapping):
            self._wrong("a message", "a text or a mapping with 'text'", tree)
            return None
        self._unknown(tree.keys, MESSAGE_KEYS, "key")
        text, condition = tree.items.get("text"), tree.items.get("condition")
        if not isinstance(text, Scalar):
            self.problem(tree.line, "This message has no text.")
            return None
        return Message(text.text, condition.text if isinstance(condition, Scalar) else "", text.text_line)

    def _unsupported(self) -> tuple[str, ...]:
        if (tools := self.items.get("tools")) is not None and not (
            isinstance(tools, Sequence) or is_null(tools)
        ):
            self._wrong("tools", "a list", tools)
        if isinstance(agent := self.items.get("agent"), Sequence):
            self._wrong("agent", "a name or a mapping", agent)
        return ("agent",) if "agent" in self.items else ()
