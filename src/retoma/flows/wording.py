"""Which wording of a node a person reads: by the language of the run."""

from __future__ import annotations

from retoma.flows.model import Message, Node


def by_locale(node: Node, locale: str) -> list[tuple[Message, ...]]:
    """Return the wordings to try: for pt_BR.UTF-8 `pt-BR`, `pt`, another `pt-…`, then what is first."""
    wanted = locale.split(".", maxsplit=1)[0].replace("_", "-").lower()
    language = wanted.split("-")[0]
    written = {name.replace("_", "-").lower(): wordings for name, wordings in node.messages.items()}
    names = [wanted, language, *(name for name in written if name.split("-")[0] == language), *written]
    return [written[name] for name in dict.fromkeys(names) if name in written]
