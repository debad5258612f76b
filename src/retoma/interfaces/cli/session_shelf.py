"""`retoma session pin`, `archive`, `trash` and their opposites: verbs that change where lists show a session."""

from __future__ import annotations

import click

from retoma.commands.session import RestoreSession, TrashSession, UpdateSession
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.from_store import SESSION
from retoma.interfaces.cli.several import each
from retoma.interfaces.cli.verb import verb
from retoma.model.changes import Changes
from retoma.service.sessions import Whole

__all__ = ["archive", "pin", "restore", "trash", "unarchive", "unpin"]


def _change(ctx: Invocation, ids: tuple[str, ...], changes: Changes, done: str) -> int:
    def change(id: str) -> Whole:
        return ctx.do(UpdateSession(session=id, changes=changes))

    return each(ctx, ids, change, done=done, find=ctx.meant)


@verb("session pin", example="retoma session pin my-experiment")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=SESSION)
def pin(ctx: Invocation, *, ids: tuple[str, ...]) -> int:
    """Show sessions first in every list."""
    return _change(ctx, ids, Changes(pinned=True), "Pinned")


@verb("session unpin", example="retoma session unpin my-experiment")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=SESSION)
def unpin(ctx: Invocation, *, ids: tuple[str, ...]) -> int:
    """Undo `pin`: show sessions in the normal order."""
    return _change(ctx, ids, Changes(pinned=False), "Unpinned")


@verb("session archive", example="retoma session archive my-experiment")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=SESSION)
def archive(ctx: Invocation, *, ids: tuple[str, ...]) -> int:
    """Hide sessions from lists. Nothing is deleted; `ls --archived` shows them."""
    return _change(ctx, ids, Changes(archived=True), "Archived")


@verb("session unarchive", example="retoma session unarchive my-experiment")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=SESSION)
def unarchive(ctx: Invocation, *, ids: tuple[str, ...]) -> int:
    """Show archived sessions in lists again."""
    return _change(ctx, ids, Changes(archived=False), "Unarchived")


@verb("session trash", example="retoma session trash my-experiment")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=SESSION)
def trash(ctx: Invocation, *, ids: tuple[str, ...]) -> int:
    """Put sessions in the trash, which deletes them after seven days. `restore` restores them, `ls --deleted` lists
    them."""

    def trashed(id: str) -> Whole:
        return ctx.do(TrashSession(session=id))

    return each(ctx, ids, trashed, done="Trashed", find=ctx.meant)


@verb("session restore", example="retoma session restore my-experiment")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=SESSION)
def restore(ctx: Invocation, *, ids: tuple[str, ...]) -> int:
    """Take sessions out of the trash; lists then show them again."""

    def restored(id: str) -> Whole:
        return ctx.do(RestoreSession(session=id))

    return each(ctx, ids, restored, done="Restored", find=ctx.meant)
