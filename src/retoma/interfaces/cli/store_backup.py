"""`retoma store backup` and `restore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from retoma.errors import NotFound
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.several import agreed
from retoma.interfaces.cli.store_check import there
from retoma.interfaces.cli.text import size
from retoma.interfaces.cli.verb import verb

if TYPE_CHECKING:
    from retoma.runtime.backup import Done

__all__ = ["backup", "restore"]


@verb("store backup", example="retoma store backup monday.db")
@click.argument("file")
@click.option("--unchecked", is_flag=True, help="Do not check the copy: for a damaged store.")
def backup(ctx: Invocation, *, file: str, unchecked: bool) -> None:
    """Write a consistent copy of the store to a new FILE, and check it. Other processes can keep writing meanwhile."""
    from retoma.commands.store import BackUp
    from retoma.interfaces.cli.bar import Bar

    there(ctx)
    target = ctx.settings.cwd / file
    if not target.parent.is_dir():
        raise NotFound(f"There is no directory {target.parent}.", code="no_directory")
    with Bar(ctx.out, "copying", "pages") as bar:
        done = ctx.do(BackUp(file=target, unchecked=unchecked, progress=bar))
    if ctx.out.json:
        ctx.out.print_json(_view(done, ctx))
    else:
        what = f"{_holds(done)}, {size(done.size_bytes)}, checked" if done.checked else size(done.size_bytes)
        ctx.out.line(f"Wrote {file}: {what}." + ("" if done.checked else " It was not checked."))


@verb("store restore", example="retoma store restore monday.db")
@click.argument("file")
@click.option("--force", is_flag=True, help="Move the existing store aside.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(ctx: Invocation, *, file: str, force: bool, yes: bool) -> int:
    """Check a backup and make it the store. An existing store is never overwritten; --force moves it aside."""
    from retoma.model.times import rfc3339
    from retoma.wiring import restore_store

    place = ctx.place
    taken = place.path is not None and place.path.exists()
    if force and taken and not yes and not agreed(ctx, f"Move the store {place.shown} aside?", unasked=True):
        ctx.out.note("Nothing was changed.")
        return 1
    stamp = rfc3339(ctx.now_ms).replace(":", "").replace(".", "")
    done = restore_store(place, ctx.settings.cwd / file, aside=f"replaced-{stamp}" if force else None)
    if ctx.out.json:
        ctx.out.print_json(_view(done, ctx))
        return 0
    ctx.out.line(f"Restored {place.shown} from {file}: {_holds(done)}, checked.")
    if done.aside is not None:
        ctx.out.note(f"The previous store is in {done.aside}.")
    return 0


def _view(done: Done, ctx: Invocation) -> dict[str, object]:
    return {
        "file": str(done.file),
        "store": ctx.place.shown,
        "size_bytes": done.size_bytes,
        "sessions": done.sessions,
        "events": done.events,
        "checked": done.checked,
        "aside": None if done.aside is None else str(done.aside),
    }


def _holds(done: Done) -> str:
    sessions = f"{done.sessions:,} session{'' if done.sessions == 1 else 's'}"
    return f"{sessions}, {done.events:,} event{'' if done.events == 1 else 's'}"
