"""`retoma session export` and `import`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from retoma.errors import Invalid, NotFound, RetomaError, Unavailable
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.text import counted
from retoma.interfaces.cli.verb import verb
from retoma.interfaces.problems import as_json, exit_status, sentence

if TYPE_CHECKING:
    from retoma.model.transfer import Format
    from retoma.service.transfer.incoming import Imported

__all__ = ["export", "import_"]


@verb("session export", example="retoma session export my-experiment -o my-experiment.json")
@click.argument("id")
@click.option(
    "--format", "format_", type=click.Choice(["json", "jsonl", "csv", "md"]), help="json unless you say."
)
@click.option("-o", "--output", metavar="FILE", help="Into this file, whole or not at all.")
@click.option("--force", is_flag=True, help="Replace FILE.")
def export(ctx: Invocation, *, id: str, format_: str | None, output: str | None, force: bool) -> None:
    """Write a session as a file. json and jsonl can be imported again; csv and md have the conversation."""
    to_file = output is not None and output != "-"
    if ctx.out.json and not to_file and format_ in {"csv", "md"}:
        raise Invalid(
            f"--json prints JSON, --format {format_} does not.", code="usage", hint="Leave one out."
        )
    session = ctx.reader.resolve(id)
    chosen = cast("Format", format_ or "json")
    with closing(ctx.reader.export(session, chosen)) as pieces:
        if not to_file:
            _print(pieces)
            return
        from retoma.interfaces.cli.file import write_file
        from retoma.interfaces.cli.text import size

        assert output is not None
        written = write_file(Path(output), pieces, force=force)
    if ctx.out.json:
        ctx.out.print_json({"id": session, "format": chosen, "file": output, "size_bytes": written})
    else:
        ctx.out.note(f"Wrote {output}: {size(written)}")


@verb("session import", example="retoma session import my-experiment.json")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--as", "name", metavar="NEW", help="Under this id (of one file).")
def import_(ctx: Invocation, *, files: tuple[str, ...], name: str | None) -> int:
    """Keep sessions that were exported as json or jsonl; - is standard input. The same file again adds nothing."""
    if name is not None and len(files) > 1:
        raise Invalid(
            "--as names one session; there are several files.", code="usage", hint="Import them one by one."
        )
    worst = 0
    items: list[dict[str, object]] = []
    for file in files:
        try:
            done = _imported(ctx, file, name)
        except RetomaError as error:
            worst = max(worst, exit_status(error))
            items.append({"file": file, "id": None, "events": None, "added": 0, "outcome": "refused"})
            items[-1]["error"] = as_json(error)
            ctx.out.problem(f"{file}: {sentence(error)}")
        else:
            items.append({"file": file, "id": done.id, "events": done.events, "added": done.added})
            items[-1] |= {"outcome": done.outcome, "error": None}
            _say(ctx, done)
    if ctx.out.json:
        ctx.out.page(items, next_cursor=None, more=False)
    return worst


def _imported(ctx: Invocation, file: str, name: str | None) -> Imported:
    try:
        with _opened(file) as stream:
            return ctx.client.import_(stream, name=name)
    except FileNotFoundError:
        raise NotFound(f"There is no file '{file}'.", code="no_file", file=file) from None
    except OSError as error:
        raise Unavailable(
            f"It cannot be read: {error.strerror}.", code="unreadable_file", file=file
        ) from error


def _opened(file: str) -> BinaryIO:
    # Standard input stays open: it is not this command's to close.
    return open(0, "rb", closefd=False) if file == "-" else Path(file).open("rb")


def _say(ctx: Invocation, done: Imported) -> None:
    if not ctx.out.json:
        if done.outcome == "imported":
            ctx.out.line(f"{done.id}: imported, {counted(done.added, 'event')}")
        elif done.outcome == "extended":
            ctx.out.line(f"{done.id}: {counted(done.added, 'event')} more, {done.events:,} in all")
        else:
            ctx.out.line(f"{done.id}: here already, nothing added")
    if done.without_parent:
        ctx.out.note(f"{done.id}: its parent '{done.without_parent}' is not here, so it has none now.")


def _print(pieces: Iterator[bytes]) -> None:
    sys.stdout.flush()
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
