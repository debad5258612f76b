"""`retoma session export` and `import`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click

from retoma.commands.transfer import ExportSession, ImportFrom
from retoma.errors import Invalid, NotFound, RetomaError, Unavailable
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.text import counted
from retoma.interfaces.cli.verb import verb
from retoma.interfaces.problems import as_json, exit_status

if TYPE_CHECKING:
    from retoma.importers.bringing import Arrived
    from retoma.importers.detect import Source
    from retoma.model.transfer import Format
    from retoma.model.veil import Veil
    from retoma.service.transfer.imported import Imported
    from retoma.service.transfer.notices import Notice

__all__ = ["export", "import_"]

SOURCES: Final = ("auto", "retoma", "trellis", "copilot", "claude-code", "codex", "openai-agents")


@verb("session export", example="retoma session export my-experiment -o my-experiment.json")
@click.argument("id")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["json", "jsonl", "csv", "md", "html"]),
    help="Default: json.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to this file, completely or not at all.")
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--redact", is_flag=True, help="Leave out likely secrets: passwords, keys, tokens.")
@click.option(
    "--redact-key", "keys", multiple=True, metavar="KEY", help="Also leave out the values of this key."
)
@click.option(
    "--redact-pattern", "patterns", multiple=True, metavar="P", help="Also leave out values that match P."
)
def export(
    ctx: Invocation,
    *,
    id: str,
    format_: str | None,
    output: str | None,
    force: bool,
    redact: bool,
    keys: tuple[str, ...],
    patterns: tuple[str, ...],
) -> None:
    """Write a session to a file. json and jsonl can be imported again; csv, md and html have only the conversation."""
    to_file = output is not None and output != "-"
    if ctx.out.json and not to_file and format_ in {"csv", "md", "html"}:
        raise Invalid(
            f"--json needs a JSON format, and {format_} is not one.",
            code="usage",
            hint="Leave out one of the two.",
        )
    session = ctx.found(id)
    chosen = cast("Format", format_ or "json")
    veil = _veil(keys, patterns) if redact or keys or patterns else None
    asked = ExportSession(session=session, format=chosen, veil=veil)
    with closing(asked.run(ctx.reader)) as pieces:
        if not to_file:
            ctx.out.document(pieces, json=chosen in {"json", "jsonl"})
            return
        from retoma.interfaces.cli.file import write_file
        from retoma.interfaces.cli.text import size

        assert output is not None
        written = write_file(Path(output), pieces, force=force)
    if ctx.out.json:
        from retoma.model.outcomes import Exported

        ctx.out.print_json(
            Exported(id=session, format=chosen, file=output, size_bytes=written, redacted=veil is not None)
        )
    else:
        ctx.out.note(f"Wrote {output}: {size(written)}{', redacted' if veil is not None else ''}")


def _veil(keys: tuple[str, ...], patterns: tuple[str, ...]) -> Veil:
    from retoma.model.veil import Veil

    return Veil(keys, patterns)


@verb("session import", example="retoma session import ~/.claude/projects/-home-ana-shop")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--from",
    "source",
    type=click.Choice(SOURCES),
    default="auto",
    help="The format of FILE; auto detects it.",
)
@click.option("--as", "name", metavar="NEW", help="The id to import as (one file with one session).")
@click.option("--erase-too", is_flag=True, help="Erase here the events that were erased in the source.")
def import_(
    ctx: Invocation, *, files: tuple[str, ...], source: str, name: str | None, erase_too: bool
) -> int:
    """Import sessions from an export (json, jsonl) or from another tool: Trellis, Copilot, Claude Code, Codex, OpenAI
    Agents.

    FILE may be a directory; - is standard input. Events that are already here are not added again.
    """
    asked = cast("Source", source)
    if name is not None and len(files) > 1:
        raise Invalid(
            "--as works with one file, and several files were given.",
            code="usage",
            hint="Import them one by one.",
        )
    done = _Done(ctx)
    for file in files:
        try:
            found = _files(file, asked, done)
            if name is not None and len(found) > 1:
                raise Invalid(
                    f"--as works with one file, and {file} has {len(found):,} files.",
                    code="usage",
                    hint="Import them one by one.",
                )
        except RetomaError as error:
            done.failed(file, error)
            continue
        for path, format in found:
            try:
                done.arrived(path, _arrived(ctx, path, format, name, erase_too=erase_too))
            except RetomaError as error:
                done.failed(path, error)
    if ctx.out.json:
        ctx.out.page(done.items)
    return done.worst


class _Done:
    """The results of the files so far, printed one by one."""

    def __init__(self, ctx: Invocation) -> None:
        self.worst = 0
        self.items: list[dict[str, object]] = []
        self._ctx = ctx

    def failed(self, file: str, error: RetomaError, format: str | None = None) -> None:
        self.worst = max(self.worst, exit_status(error))
        self._item(file, format, outcome="refused", error=error)
        self._ctx.out.failed(error, file)

    def arrived(self, file: str, arrived: Arrived) -> None:
        first = len(self.items)
        for one in arrived.sessions:
            if one.error is not None:
                self.failed(file, one.error, arrived.format)
            elif one.imported is not None:
                self._item(file, arrived.format, done=one.imported)
                _say(self._ctx, one.imported)
        if not arrived.sessions:
            self._item(file, arrived.format, outcome="skipped")
        self._say(file, arrived.notices, first)

    def passed_over(self, directory: str, notices: tuple[Notice, ...]) -> None:
        if notices:
            self._item(directory, None, outcome="skipped")
            self._say(directory, notices, -1)

    def _say(self, file: str, notices: tuple[Notice, ...], place: int) -> None:
        self.items[place]["warnings"] = list(notices)
        for notice in notices:
            self.worst = max(self.worst, int(notice.code == "unreadable_file"))
            line = f"line {notice.line:,}: " if notice.line is not None else ""
            self._ctx.out.note(f"{file}: {line}{notice.detail}")

    def _item(
        self,
        file: str,
        format: str | None,
        *,
        outcome: str = "",
        done: Imported | None = None,
        error: RetomaError | None = None,
    ) -> None:
        self.items.append(
            {
                # A name that is no UTF-8 cannot stand in JSON as it is.
                "file": file.encode(errors="surrogateescape").decode(errors="replace"),
                "format": format,
                "id": done.id if done is not None else None,
                "events": done.events if done is not None else None,
                "added": done.added if done is not None else 0,
                "kept": done.kept if done is not None else 0,
                "erased": done.erased if done is not None else 0,
                "outcome": done.outcome if done is not None else outcome,
                "error": as_json(error) if error is not None else None,
                "warnings": [],
            }
        )


def _files(file: str, source: Source, done: _Done) -> list[tuple[str, Source]]:
    """Return the files for FILE, a file or a directory, each with its format; `done` takes what was not read."""
    if file == "-" or not Path(file).is_dir():
        return [(file, source)]
    from retoma.importers.directory import Aside, sessions_in

    aside = Aside()
    try:
        return [(str(path), format) for path, format in sessions_in(Path(file), source, aside)]
    finally:
        for path, error in aside.errors:
            done.failed(str(path), error)
        done.passed_over(file, aside.notices.all())


def _arrived(ctx: Invocation, file: str, source: Source, name: str | None, *, erase_too: bool) -> Arrived:
    try:
        if file != "-":
            return ctx.do(ImportFrom(file=Path(file), source=source, name=name, erase_too=erase_too))
        # Standard input stays open: it is not this command's to close.
        with open(0, "rb", closefd=False) as stream:
            return ctx.do(ImportFrom(file=stream, source=source, name=name, erase_too=erase_too))
    except FileNotFoundError:
        raise NotFound(f"There is no file '{file}'.", code="no_file", file=file) from None
    except OSError as error:
        raise Unavailable(
            f"It cannot be read: {error.strerror}.", code="unreadable_file", file=file
        ) from error


def _say(ctx: Invocation, done: Imported) -> None:
    if not ctx.out.json:
        if done.outcome == "imported":
            ctx.out.line(f"{done.id}: imported, {counted(done.added, 'event')}")
        elif done.outcome == "extended":
            ctx.out.line(f"{done.id}: {counted(done.added, 'event')} more, {done.events:,} in all")
        elif not done.erased:
            ctx.out.line(f"{done.id}: already up to date, nothing added")
        if done.erased:
            ctx.out.line(f"{done.id}: {counted(done.erased, 'event')} erased here too")
    if done.kept:
        ctx.out.note(
            f"{done.id}: {counted(done.kept, 'event')} erased in the source, but kept here; "
            "--erase-too erases them here too."
        )
    if done.without_parent:
        ctx.out.note(
            f"{done.id}: its parent '{done.without_parent}' is not in this store, so it has no parent now."
        )
