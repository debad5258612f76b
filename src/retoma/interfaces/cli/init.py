"""`retoma init`: a store in this directory."""

from __future__ import annotations

from pathlib import Path

from retoma.config import StorePlace
from retoma.config.place import DIRECTORY, named_place
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["init"]


@verb("init", example="retoma init")
def init(ctx: Invocation) -> None:
    """Make a .retoma/ store in this directory, which every verb run below it then finds. Again, it changes nothing."""
    settings = ctx.settings
    given = settings.sources["store"] == "--store"
    named = ctx.place if settings.store is not None else None
    place = (
        ctx.place
        if given
        else named_place(
            DIRECTORY, base=settings.cwd, home=settings.environment.home, source="init", given=True
        )
    )
    if place.path is not None:
        make_directory(place.path.parent)
    created = create_store(place)
    if named is not None and named.path != place.path:
        ctx.out.note(f"{named.source} names another store: verbs use that one while it does.")
    if ctx.out.json:
        ctx.out.print_json({"store": place.shown, "created": created})
    else:
        ctx.out.line(
            f"Made the store {place.shown}." if created else f"The store {place.shown} was already there."
        )


def make_directory(directory: Path) -> None:
    """Make the directory, readable by its owner alone, and a `.gitignore` that keeps it out of any repository.

    A directory that was there and is no `.retoma` holds other things too: nothing in it is hidden from git.
    """
    ours = directory.name == DIRECTORY or not directory.exists()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if ours and not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def create_store(place: StorePlace) -> bool:
    """Make the database itself, or open it if it is there; return whether it was made."""
    from retoma.wiring import create_store as create

    return create(place)
