"""`retoma completion`: the script by which a shell completes verbs."""

from __future__ import annotations

import click

from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["completion"]


@verb("completion", example='eval "$(retoma completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(ctx: Invocation, *, shell: str) -> None:
    """Print the script that makes a shell complete Retoma's verbs. To keep it, put the example's line, with the name
    of your shell, into ~/.bashrc or ~/.zshrc; for fish, `retoma completion fish | source` into
    ~/.config/fish/config.fish."""
    from click.shell_completion import get_completion_class

    from retoma.interfaces.cli.app import App

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells that the argument allows"
    ctx.out.line(kind(App(), {}, "retoma", "_RETOMA_COMPLETE").source().rstrip())
