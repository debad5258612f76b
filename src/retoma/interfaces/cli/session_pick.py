"""`retoma session pick`: the full-screen picker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retoma.commands.session import ShowSession
from retoma.errors import Invalid, Unavailable
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.signals import Ended, ended_by_signals
from retoma.interfaces.cli.verb import verb

if TYPE_CHECKING:
    from retoma.interfaces.cli.picker.app import Picker

__all__ = ["pick"]


@verb("session pick", example='retoma session read "$(retoma session pick)"')
@click.option("--print", "only_print", is_flag=True, help="Only print the id of the picked session.")
def pick(ctx: Invocation, *, only_print: bool) -> int | None:
    """Find a session on the full screen: search, preview, pause, resume, rename, pin, delete. Enter resumes a flow
    or shows a conversation. In a pipe, the id is printed instead."""
    picker = _picker(ctx)
    try:
        with ended_by_signals(leave=picker.exit):
            picked = picker.run()
    except Ended as ended:
        return 128 + ended.number
    if picked is None:
        return 130
    if ctx.out.json:
        from retoma.model.shapes import Session

        session = ctx.do(ShowSession(session=picked)).session
        ctx.out.print_json(Session.of(session, ctx.now_ms))
        return None
    if only_print or not ctx.out.terminal:
        ctx.out.line(picked)
        return None
    return _take_up(ctx, picked)


def _picker(ctx: Invocation) -> Picker:
    # textual draws on standard error, so that standard output has the id alone.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Invalid(
            "`session pick` needs a terminal.",
            code="no_terminal",
            hint="Without a terminal, use `retoma session ls --json`.",
        )
    try:
        from retoma.interfaces.cli.picker.app import Picker
    except ImportError as error:
        raise Unavailable(
            "The picker is not installed.",
            code="no_picker",
            hint="Install it where Retoma is: pip install textual (pipx inject retoma textual).",
        ) from error
    from retoma.wiring import now_ms

    return Picker(ctx.opened, now_ms)


def _take_up(ctx: Invocation, picked: str) -> int | None:
    """Resume a flow at its current node, or show the last messages of a conversation."""
    from retoma.interfaces.cli.run import run
    from retoma.interfaces.cli.session_read import read

    session = ctx.do(ShowSession(session=picked)).session
    here = click.get_current_context()
    status: int | None
    if session.flow_path is not None and session.status == "active":
        status = here.invoke(run, flow=Path(session.flow_path), session=picked)
    else:
        status = here.invoke(read, id=picked)
    return status
