"""What a person reads of a node: the wording in the language of the run, and why the node failed."""

from __future__ import annotations

from retoma.flows.model import Message, Node
from retoma.template.condition import ConditionError
from retoma.template.template import TemplateError


def by_locale(node: Node, locale: str) -> list[tuple[Message, ...]]:
    """Return the wordings to try: for pt_BR.UTF-8 `pt-BR`, `pt`, another `pt-…`, then what is first."""
    wanted = locale.split(".", maxsplit=1)[0].replace("_", "-").lower()
    language = wanted.split("-")[0]
    written = {name.replace("_", "-").lower(): wordings for name, wordings in node.messages.items()}
    names = [wanted, language, *(name for name in written if name.split("-")[0] == language), *written]
    return [written[name] for name in dict.fromkeys(names) if name in written]


def cause_of(node: Node, error: Exception) -> str:
    """Return why `node` failed, with the place in its file."""
    match error:
        case TemplateError():
            return f"The node {node.id!r} cannot be rendered ({node.file}:{error.line}): {error}"
        case ConditionError():
            return f"A condition of the node {node.id!r}  cannot be evaluated ({node.file}:{error.line}): {error}"
        case _:
            return str(error)
