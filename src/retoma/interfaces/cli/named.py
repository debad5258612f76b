"""Words that a shell completes from the configuration: names of templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["TEMPLATE"]


class _Template(click.ParamType[str]):
    """The name of a template."""

    name = "template"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from retoma.config import load_settings
        from retoma.errors import RetomaError

        try:
            names = load_settings().templates
        except RetomaError:
            return []  # a shell that completes has no place for a sentence
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


TEMPLATE = _Template()
