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
    "id": Key("text", "A second name for the node."),
    "type": Key("node_type", "question waits for input; format adds a wording from messages."),
    "content": Key("text", "What is shown, in a node that is YAML or JSON."),
    "to": Key("text", "The node that follows when no other way is taken, or rollback."),
    "transitions": Key("transitions", "Ways out, tried in order."),
    "options": Key("options", "Choices: their text is shown, and selects them."),
    "wait": Key("flag", "Waits for input."),
    "input_type": Key("input_type", "What is asked for. Setting it makes the node wait."),
    "input_options": Key("texts", "Choices that lead nowhere by themselves."),
    "input_default": Key("text", "What an empty input means."),
    "save_to": Key("text", "The context's key that takes the input or the tool's result; not sys."),
    "timeout": Key("duration", "How long the node waits in one run, such as 5s or 1m30s."),
    "required_context": Key("texts", "Keys of the context that must be there."),
    "default_context": Key("data", "Set on entry, where the key is absent."),
    "context_schema": Key("types", "Keys that must be there, with their types."),
    "do": Key("call", "The tool to call."),
    "tool_call": Key("call", "As do."),
    "undo": Key("call", "What takes the tool's effect back."),
    "tools": Key("list", "Tools for programs that run the flow."),
    "on_error": Key("text", "The node that follows when the tool failed, or rollback."),
    "on_denied": Key(
        "text", "The node that follows a refusal: an input when no condition held, or of the tool."
    ),
    "on_signal": Key("text_map", "The node that each signal leads to."),
    "on_timeout": Key("text", "The node that follows when the time is over."),
    "on_interrupt": Key("text", "The node that follows an interrupt."),
    "on_signal_default": Key(
        "text_map", "On the entry node: as on_signal, for every node without a handler."
    ),
    "metadata": Key("data", "Yours; of a node with do, confirm_msg and x-exec are about the tool."),
    "messages": Key("messages", "Wordings of a format node, by language."),
    "agent": Key("agent", "Whose reply the node is."),
}

NODE_TYPES: Final[tuple[NodeType, ...]] = ("text", "question", "tool", "format", "start")
INPUT_TYPES: Final[tuple[InputType, ...]] = ("text", "confirm", "choice", "int", "float", "secret")
WAY_KEYS: Final = ("to", "to_node_id", "jump_to", "condition", "text")
MESSAGE_KEYS: Final = ("text", "condition")
VALUE_TYPES: Final = ("string", "int", "float", "bool")
