"""`retoma session signal`."""

from __future__ import annotations

import click

from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["signal"]


@verb("session signal", example="retoma session signal night interrupt")
@click.argument("id")
@click.argument("name")
def signal(ctx: Invocation, *, id: str, name: str) -> None:
    """Send a signal to a flow: `interrupt`, `timeout` or a signal that the flow defines. No process may be driving
    the session."""
    from retoma.commands.flow import SendSignal

    sent = ctx.do(SendSignal(session=ctx.meant(id), name=name, locale=ctx.environment.lang))
    if ctx.out.json:
        ctx.out.print_json(sent)
    elif sent.to is None:
        ctx.out.note(f"Nothing handles '{name}' at '{sent.node}': {sent.id} did not move.")
    else:
        ctx.out.line(f"{sent.id}: {sent.node} → {sent.current_node} ({sent.flow_status})")
