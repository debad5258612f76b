"""Secrets in a flow: their values are in no journal and no state, so a node that needs one may have to ask again.

What is kept of a secret is the mark `{"secret": true}`, which is all that templates see, since what they render is
journalled. Conditions decide with the value. So a node needs a secret when one of its conditions names its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from retoma.errors import Refused
from retoma.flows.answer import SECRET
from retoma.flows.model import Flow, Node
from retoma.model.codec import Json, JsonMap
from retoma.template import condition


class SecretNeeded(Refused):
    """The step cannot be decided without the value of the secret `key`. Nothing of it was done."""

    def __init__(self, node: str, key: str) -> None:
        super().__init__(
            f"The node {node!r} needs the secret {key!r}, and secrets are not saved.",
            code="secret_needed",
            hint="`retoma run` on a terminal asks for it again.",
            node=node,
            key=key,
        )
        self.key = key


def is_secret(value: Json) -> bool:
    """Return whether `value` is the mark that stands for a secret."""
    return value == SECRET


def need(flow: Flow, node: Node, context: JsonMap, known: Mapping[str, str]) -> None:
    """Raise SecretNeeded when a condition of `node` names a secret whose value is not `known`."""
    if not flow.secrets:
        return
    own = node.save_to if node.asks == "secret" else ""
    for key in sorted(_named(node) & flow.secrets.keys()):
        if key != own and key not in known and is_secret(context.get(key)):
            raise SecretNeeded(node.id, key)


def told(context: JsonMap, known: Mapping[str, str]) -> JsonMap:
    """Return `context` with the values of the secrets that are `known`, for a condition to decide with."""
    values = {key: value for key, value in known.items() if is_secret(context.get(key))}
    return {**context, **values} if values else context


def _named(node: Node) -> set[str]:
    return {key for text in _conditions(node) if text for key in condition.keys(text)}


def _conditions(node: Node) -> Iterator[str]:
    yield from (way.condition for way in node.transitions)
    yield from (option.condition for option in node.options)
    yield from (one.condition for wordings in node.messages.values() for one in wordings)
