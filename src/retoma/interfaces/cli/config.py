"""`retoma config`: the settings, and the source of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import click

from retoma.config import Settings, StorePlace
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.output import Styled
from retoma.interfaces.cli.verb import verb

__all__ = ["Trust", "config", "trust_rows", "withheld_notes"]


@verb("config", example="retoma config --json")
@click.option("--schema", is_flag=True, help="The JSON Schema of a retoma.toml, for editors.")
def config(ctx: Invocation, *, schema: bool) -> None:
    """Print the settings in effect here, and the source of each value."""
    if schema:
        from retoma.config.schema import schema as of_a_file

        ctx.out.print_json(of_a_file())
        return
    settings, place = ctx.settings, ctx.place
    values = list(_values(settings, place))
    trust = trust_rows(ctx)
    if ctx.out.json:
        ctx.out.print_json(
            {
                "settings": [{"key": key, "value": value, "source": source} for key, value, source in values],
                "files": [str(path) for path in settings.files],
                "unused": settings.unused,
                "trust": [one._asdict() for one in trust],
                "withheld": {key: str(file) for key, file in settings.withheld(place).items()},
            }
        )
        return
    ctx.out.table([(key, _shown(key, value), Styled(source, "dim")) for key, value, source in values])
    for key in settings.unused:
        ctx.out.note(f"{key} is a known key, but this version does not use it.")
    for line in withheld_notes(ctx):
        ctx.out.note(line)
    for one in trust:
        if one.commands and not one.trusted:
            ctx.out.note(f"{one.file} {one.said}. Read it, then run: retoma trust '{one.file}'")


class Trust(NamedTuple):
    """A configuration file, the keys in it that name commands, and whether this version of the file is trusted."""

    file: str
    commands: tuple[str, ...]
    trusted: bool

    @property
    def said(self) -> str:
        """The end of a sentence that starts with the file's path."""
        if not self.commands and not self.trusted:
            return "names no commands, so it needs no trust"
        named = f"names commands ({', '.join(self.commands)})" if self.commands else "names no commands"
        return f"{named}, and is {'' if self.trusted else 'not '}trusted"


def trust_rows(ctx: Invocation) -> list[Trust]:
    """Return the configuration files, the nearest first."""
    if not ctx.settings.read:
        return []
    from retoma.config.trusted import is_trusted

    return [
        Trust(str(file.path), file.commands, is_trusted(file, ctx.environment)) for file in ctx.settings.read
    ]


def withheld_notes(ctx: Invocation) -> list[str]:
    """Return a sentence for each key of retention that has no effect on this store."""
    place = ctx.place
    return [
        f"{key} has no effect on {place.shown}, which is not in the directory of {file}. Read it, then run: "
        f"retoma trust '{file}'"
        for key, file in ctx.settings.withheld(place).items()
    ]


def _values(settings: Settings, place: StorePlace) -> Iterator[tuple[str, object, str]]:
    """Yield the settings with their sources: first the keys that always exist, then other keys from files."""
    from retoma.config.settings import SHOWN

    yield "store", place.shown, place.source
    for key in SHOWN[1:]:
        yield key, _plain(key, settings.values.get(key)), settings.sources[key]
    for key in sorted(settings.values):
        if key not in SHOWN:
            yield key, _plain(key, settings.values[key]), settings.sources[key]


def _plain(key: str, value: object) -> object:
    """Return a value as it is written in a file. Durations are milliseconds inside the program."""
    if isinstance(value, int) and (key.startswith("retention.") or key.endswith(".ttl")):
        from retoma.model.times import span

        return span(value)
    return value


def _shown(key: str, value: object) -> str:
    if value is None:
        return "never" if key.startswith("retention.") else "no limit"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, str):
        return value
    from retoma.model.codec import encode

    return encode(value).decode()
