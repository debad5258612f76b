"""`retoma completion`: the script that completes verbs in a shell."""

from __future__ import annotations

import click

from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["completion"]


@verb("completion", example='eval "$(retoma completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(ctx: Invocation, *, shell: str) -> None:
    """Print the script that completes Retoma's verbs in a shell.

    To install it, put the line of the example, with your shell's name, into ~/.bashrc or ~/.zshrc. For fish, put
    `retoma completion fish | source` into ~/.config/fish/config.fish.
    """
    from click.shell_completion import get_completion_class

    from retoma.interfaces.cli.app import App

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells that the argument allows"
    ctx.out.line(kind(App(), {}, "retoma", "_RETOMA_COMPLETE").source().rstrip())
