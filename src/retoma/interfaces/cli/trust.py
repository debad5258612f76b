"""`retoma trust`: trust a configuration file to name commands and to set retention for other stores."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from retoma.config.opened import open_file
from retoma.config.trusted import Trusted, distrust, list_trusted
from retoma.config.trusted import trust as remember
from retoma.errors import Invalid, NotFound
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["trust"]


@verb("trust", example="retoma trust ./retoma.toml")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--remove", is_flag=True, help="Stop trusting the file.")
@click.option("--list", "listed", is_flag=True, help="List trusted files, and whether each one changed.")
def trust(ctx: Invocation, *, path: Path | None, remove: bool, listed: bool) -> None:
    """Allow a retoma.toml to name commands and to set retention for stores in other directories.

    The trust ends when the file changes. Without PATH, the nearest retoma.toml from here upwards is used.
    """
    if listed and (remove or path is not None):
        raise Invalid("--list takes no other option.", code="bad_usage", hint="`retoma trust --list`")
    if listed:
        _list(ctx)
    elif remove:
        _remove(ctx, _meant(ctx, path))
    else:
        _trust(ctx, _meant(ctx, path))


def _meant(ctx: Invocation, path: Path | None) -> Path:
    from retoma.config.environment import working_directory
    from retoma.config.found import FILE, find_directory, is_there

    here = working_directory()
    if path is None:
        directory = find_directory(here)
        found = None if directory is None else directory / FILE
    else:
        found = here / path / FILE if (here / path).is_dir() else here / path
    if found is None or not is_there(found):
        raise NotFound(
            f"There is no {FILE} {'from here upwards' if path is None else f'at {found}'}.",
            code="no_config",
            hint="Give its path: retoma trust PATH",
        )
    return found


def _trust(ctx: Invocation, path: Path) -> None:
    from retoma.config.file import read_file

    file = read_file(path)
    record = remember(file, ctx.environment, at=ctx.now_ms)
    if ctx.out.json:
        ctx.out.print_json(_view(record) | {"commands": file.commands, "trusted": True})
        return
    ctx.out.line(f"Trusted {record.path} as it is now (BLAKE3 {record.blake3[:16]}…).")
    ctx.out.line(
        f"It names commands in {', '.join(file.commands)}." if file.commands else "It names no commands."
    )


def _remove(ctx: Invocation, path: Path) -> None:
    count = distrust(path, ctx.environment)
    if ctx.out.json:
        ctx.out.print_json({"path": str(path.resolve()), "trusted": False, "removed": count})
    else:
        ctx.out.line(
            f"{path.resolve()} is no longer trusted." if count else f"{path.resolve()} was not trusted."
        )


def _list(ctx: Invocation) -> None:
    found = [(record, _still(ctx, record)) for record in list_trusted(ctx.environment)]
    if ctx.out.json:
        items = [_view(record) | {"unchanged": same} for record, same in found]
        ctx.out.page(items)
        return
    if not found:
        ctx.out.line("No file is trusted.")
    rows = [
        (
            f"- {record.path}",
            record.blake3[:16],
            ctx.out.when(record.at, ctx.now_ms),
            "" if same else "has changed",
        )
        for record, same in found
    ]
    ctx.out.table(rows, whole=0)


def _still(ctx: Invocation, record: Trusted) -> bool:
    from blake3 import blake3

    try:
        with open_file(Path(record.path)) as file:
            return blake3(file.read()).hexdigest() == record.blake3
    except OSError:
        return False


def _view(record: Trusted) -> dict[str, object]:
    from retoma.model.times import rfc3339

    return {**msgspec.to_builtins(record), "at": rfc3339(record.at)}
