"""Every key of a node: its shape and meaning. The reader knows keys by this table, editors by the schema of it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from retoma.flows.model import NodeType
from retoma.model.flow import InputType

Shape: TypeAlias = Literal[
    "text", "flag", "texts", "data", "text_map", "transitions", "options", "node_type", "input_type", "duration",
    "types", "messages", "call", "list", "agent",
]  # fmt: skip


class Key(NamedTuple):
    """What a key takes, and what it is for."""

    shape: Shape
    says: str


KEYS: Final[dict[str, Key]] = {
    "id": Key("text", "Another name for the node."),
    "type": Key("node_type", "A question node waits for input; a format node adds text from messages."),
    "content": Key("text", "The text to show, in a YAML or JSON node."),
    "to": Key("text", "The next node when no transition applies, or rollback."),
    "transitions": Key("transitions", "Transitions, tried in order."),
    "options": Key("options", "Choices: each is shown as text, and typing the text selects it."),
    "wait": Key("flag", "Waits for input."),
    "input_type": Key("input_type", "The type of input. Setting it makes the node wait."),
    "input_options": Key("texts", "Choices without a target of their own."),
    "input_default": Key("text", "The value used for an empty input."),
    "save_to": Key("text", "The key of the context that receives the input or the tool's result; not sys."),
    "timeout": Key("duration", "The longest time the node waits in one run, such as 5s or 1m30s."),
    "required_context": Key("texts", "Keys that the context must have."),
    "default_context": Key("data", "Values set on entry for keys that the context does not have."),
    "context_schema": Key("types", "Keys that the context must have, with their types."),
    "do": Key("call", "The tool to call."),
    "tool_call": Key("call", "The same as do."),
    "undo": Key("call", "The tool that reverses the tool's effect."),
    "tools": Key("list", "Tools for the program that runs the flow."),
    "on_error": Key("text", "The next node when the tool failed, or rollback."),
    "on_denied": Key(
        "text", "The next node when the input matched no condition, or when the tool was denied."
    ),
    "on_signal": Key("text_map", "The next node for each signal."),
    "on_timeout": Key("text", "The next node after a timeout."),
    "on_interrupt": Key("text", "The next node after an interrupt."),
    "on_signal_default": Key(
        "text_map", "On the entry node: like on_signal, for every node without its own handler."
    ),
    "metadata": Key("data", "Your own data; in a node with do, confirm_msg and x-exec configure the tool."),
    "messages": Key("messages", "Texts of a format node, by language."),
    "language": Key("text", "On the entry node: the language of the lines that run adds, such as pt."),
    "agent": Key("agent", "The agent that writes the node's reply."),
}

NODE_TYPES: Final[tuple[NodeType, ...]] = ("text", "question", "tool", "format", "start")
INPUT_TYPES: Final[tuple[InputType, ...]] = ("text", "confirm", "choice", "int", "float", "secret")
WAY_KEYS: Final = ("to", "to_node_id", "jump_to", "condition", "text")
MESSAGE_KEYS: Final = ("text", "condition")
VALUE_TYPES: Final = ("string", "int", "float", "bool")
