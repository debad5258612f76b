"""`retoma store copy`: every session to another store."""

from __future__ import annotations

import click
import msgspec

from retoma.errors import NotFound
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.text import counted
from retoma.interfaces.cli.verb import verb
from retoma.interfaces.problems import CONFLICT, DONE

__all__ = ["copy"]


@verb("store copy", example="retoma store copy .retoma postgresql://ana@db.example.org/retoma")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(ctx: Invocation, *, source: str, target: str) -> int:
    """Copy every session from one store to another, and compare the heads of the journals. Run it again to copy what
    is new. Other processes can keep writing; a session written meanwhile is copied again, or named. Exit status 5 if a
    session is not the same in both."""
    from retoma.commands.opened import opened_at
    from retoma.commands.store import CopyStore
    from retoma.config.place import named_place
    from retoma.interfaces.cli.bar import Bar
    from retoma.wiring import is_there

    home = ctx.environment.home
    places = [
        named_place(name, base=ctx.settings.cwd, home=home, source="argument", given=True)
        for name in (source, target)
    ]
    if not is_there(places[0]):
        raise NotFound(f"There is no store at {places[0].shown}.", code="no_store")
    with (
        opened_at(places[0], user=ctx.environment.user) as opened,
        Bar(ctx.out, "copying", "sessions") as bar,
    ):
        done = CopyStore(to=places[1], progress=bar).run(opened)
    status = CONFLICT if done.changed or done.failed else DONE
    if ctx.out.json:
        shown = {"from": places[0].shown, "to": places[1].shown}
        ctx.out.print_json(shown | msgspec.to_builtins(done))
        return status
    ctx.out.line(
        f"{counted(done.equal, 'session')} the same in {places[1].shown}, {done.copied:,} copied now. "
        "Each journal's head was compared."
    )
    for one in done.failed:
        ctx.out.problem(f"{one.id}: not copied. {one.detail}")
    if done.changed:
        ctx.out.problem(f"Written meanwhile, so the copy is older; run it again: {', '.join(done.changed)}.")
    if done.trashed:
        ctx.out.note(f"In the trash, so not copied: {', '.join(done.trashed)}.")
    return status
