"""`retoma init`: create a store in this directory."""

from __future__ import annotations

from pathlib import Path

from retoma.config import StorePlace
from retoma.config.place import DIRECTORY, named_place
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["init"]


@verb("init", example="retoma init")
def init(ctx: Invocation) -> None:
    """Make a .retoma/ store in this directory. Every verb run in or below this directory then uses it. If the store
    already exists, nothing changes."""
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
        ctx.out.note(f"{named.source} names another store, so verbs use that store instead of this one.")
    if ctx.out.json:
        ctx.out.print_json({"store": place.shown, "created": created})
    else:
        ctx.out.line(
            f"Made the store {place.shown}." if created else f"The store {place.shown} already exists."
        )


def make_directory(directory: Path) -> None:
    """Create the directory, readable only by its owner, with a `.gitignore` that excludes it from git.

    An existing directory that is not named `.retoma` may hold other files, so it gets no `.gitignore`.
    """
    ours = directory.name == DIRECTORY or not directory.exists()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if ours and not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def create_store(place: StorePlace) -> bool:
    """Create the database, or open an existing one; return whether it was created."""
    from retoma.wiring import create_store as create

    return create(place)
